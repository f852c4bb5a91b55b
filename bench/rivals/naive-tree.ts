import { createHash } from 'node:crypto';

/**
 * The RFC 6962 tree hash over leaf hashes (32 bytes each, flat) as one writes it on a first day: a stack of complete subtrees, each
 * an array of its own, and for each node one concatenation and one hash object of OpenSSL.
 */
export function naiveRoot(leafHashes: Uint8Array): Uint8Array {
  const stack: { size: number; root: Uint8Array }[] = [];
  const merge = (): void => {
    const right = stack.pop() as (typeof stack)[0];
    const left = stack.pop() as (typeof stack)[0];
    stack.push({ size: left.size + right.size, root: sha256(concat([Uint8Array.of(1), left.root, right.root])) });
  };
  for (let at = 0; at < leafHashes.length; at += 32) {
    stack.push({ size: 1, root: leafHashes.slice(at, at + 32) });
    while (stack.length > 1 && stack[stack.length - 1].size === stack[stack.length - 2].size) merge();
  }
  while (stack.length > 1) merge();
  return stack.length === 0 ? sha256(new Uint8Array(0)) : stack[0].root;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
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
