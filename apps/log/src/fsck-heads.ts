import { equalBytes } from '@treering/merkle';
import { type LogTrust, openCheckpoint } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import type { Storage, StoredHead } from '@treering/storage';
import { allKeptHeads } from './kept-heads.js';

/** Takes note of something that is wrong. */
export type Find = (where: string, what: string) => void;

/** A tree as a head names it. */
export type Tree = Pick<StoredHead, 'size' | 'root'>;

/**
 * What a signed note says, compared with the row beside it if there is one; the row where the note does not hold, or undefined
 * where there is none.
 */
export function checkHead(
  where: string,
  note: Uint8Array,
  trust: LogTrust,
  row: Tree | undefined,
  find: Find,
): Tree | undefined {
  try {
    const { checkpoint } = openCheckpoint(note, trust, nodeEd25519);
    const signed = { size: Number(checkpoint.size), root: checkpoint.root };
    if (row !== undefined && (row.size !== signed.size || !equalBytes(row.root, signed.root)))
      find(where, 'the signed note says another size or root than the row beside it');
    return signed;
  } catch (error) {
    find(where, `the signed note does not hold: ${(error as Error).message}`);
    return row;
  }
}

/** The trees of all kept heads, as the rows say: years of them fit into memory without their notes. */
export async function keptTrees(storage: Storage): Promise<Tree[]> {
  const trees: Tree[] = [];
  for await (const { size, root } of allKeptHeads(storage)) trees.push({ size, root });
  return trees;
}

/** Checks the signature of every kept head, and that it is over what the row says. */
export async function checkKeptHeads(storage: Storage, trust: LogTrust, find: Find): Promise<void> {
  for await (const head of allKeptHeads(storage)) checkHead(keptHead(head), head.note, trust, head, find);
}

/** How a finding names a kept head. */
export function keptHead({ size }: Tree): string {
  return `kept head ${size}`;
}
