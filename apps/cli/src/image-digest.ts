import { parsePinnedImage } from '@treering/deployment';
import { printable } from '@treering/record';
import { UsageError } from './exit-codes.js';

/**
 * The SHA-256 digest of an image, 32 bytes, from `sha256:<hex>`, the hex digits alone, or a reference `repository@sha256:<hex>`.
 * @throws UsageError for a tag: it can name another image tomorrow
 */
export function parseImageDigest(text: string): Uint8Array {
  const [, hex] = /^(?:sha256:)?([0-9a-f]{64})$/.exec(text) ?? [];
  const digest = hex === undefined ? parsePinnedImage(text)?.digest : new Uint8Array(Buffer.from(hex, 'hex'));
  if (digest !== undefined) return digest;
  throw new UsageError(
    `${printable(text)} is no digest of an image: name it as sha256:<64 hex digits> or <repository>@sha256:<64 hex digits>, because a tag may move`,
  );
}
