import type { ReadTile } from '../src/index.js';
import { ReferenceTree, referenceLeaf } from './reference.js';

/** Entry i of the logs that these tests build: the UTF-8 text "leaf i". */
export function ruleEntry(i: number): Uint8Array {
  return new TextEncoder().encode(`leaf ${i}`);
}

/** The naive tree over the entries "leaf 0" to "leaf size-1". */
export function ruleTree(size: number): ReferenceTree {
  return new ReferenceTree(Array.from({ length: size }, (_, i) => referenceLeaf(ruleEntry(i))));
}

/** Tiles cut from the naive tree, so that what reads them is compared with nothing of its own making. */
export function tilesOf(tree: ReferenceTree): ReadTile {
  return async ({ level, index, width }) =>
    flat(Array.from({ length: width }, (_, i) => tree.node(level * 8, index * 256 + i)));
}

/** Hashes laid end to end. */
export function flat(hashes: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(hashes.length * 32);
  hashes.forEach((hash, i) => {
    out.set(hash, i * 32);
  });
  return out;
}

/** Lower-case hexadecimal, for readable differences. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Hexadecimal of each hash of a proof. */
export function hexAll(hashes: readonly Uint8Array[]): string[] {
  return hashes.map(hex);
}
