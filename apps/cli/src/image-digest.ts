import { UsageError } from './exit.js';

/**
 * The SHA-256 digest of an image, 32 bytes, from `sha256:<hex>`, the hex digits alone, or a reference `repository@sha256:<hex>`.
 * @throws UsageError for a tag: it can name another image tomorrow
 */
export function parseImageDigest(text: string): Uint8Array {
  const digits = /^(?:[^@\s]+@)?(?:sha256:)?([0-9a-f]{64})$/.exec(text)?.[1];
  if (digits === undefined)
    throw new UsageError(`${text} is no digest of an image: name it as sha256:<64 hex digits>, because a tag may move`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}
