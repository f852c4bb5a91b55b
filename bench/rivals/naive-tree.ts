import { createHash } from 'node:crypto';
import { sha256 } from '@noble/hashes/sha2.js';

/** SHA-256 of some bytes. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** In plain JavaScript. */
export const nobleSha256: Sha256 = (bytes) => sha256(bytes);

/** By OpenSSL, with a hash object for each call. */
export const cryptoSha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest();

/**
 * The RFC 6962 tree hash as one writes it on a first day: a stack of complete subtrees, each an array of its own, and one
 * concatenation for each node.
 */
export function naiveRoot(leaves: readonly Uint8Array[], hash: Sha256): Uint8Array {
  const stack: { size: number; root: Uint8Array }[] = [];
  const merge = (): void => {
    const right = stack.pop() as (typeof stack)[0];
    const left = stack.pop() as (typeof stack)[0];
    stack.push({ size: left.size + right.size, root: hash(concat([Uint8Array.of(1), left.root, right.root])) });
  };
  for (const leaf of leaves) {
    stack.push({ size: 1, root: hash(concat([Uint8Array.of(0), leaf])) });
    while (stack.length > 1 && stack[stack.length - 1].size === stack[stack.length - 2].size) merge();
  }
  while (stack.length > 1) merge();
  return stack.length === 0 ? hash(new Uint8Array(0)) : stack[0].root;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
