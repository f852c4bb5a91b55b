/** An image by what it holds, and not by a name that can be moved to something else. */
export interface PinnedImage {
  /** Registry and path as they were written, such as `registry.example/triage`. */
  readonly repository: string;
  /** Digest of the image's manifest, SHA-256, 32 bytes. */
  readonly digest: Uint8Array;
}

/** Longer references are refused, as registries do (a name of 255 characters, a tag of 128, a digest). */
const MAX_LENGTH = 512;
const REPOSITORY = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5}(?=\/))?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Reads `<repository>[:<tag>]@sha256:<64 hex digits>`. Whoever pulls such an image goes by the digest; the tag says nothing.
 * @returns undefined for a reference without a SHA-256 digest, and for what is no reference
 */
export function parsePinnedImage(reference: string): PinnedImage | undefined {
  if (reference.length > MAX_LENGTH) return undefined;
  const match = /^([^@]+)@sha256:([0-9a-f]{64})$/.exec(reference);
  if (match === null) return undefined;
  const [, name, hex] = match;
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const repository = colon < 0 ? name : name.slice(0, colon);
  if (!REPOSITORY.test(repository) || (colon >= 0 && !TAG.test(name.slice(colon + 1)))) return undefined;
  return { repository, digest: Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)) };
}
