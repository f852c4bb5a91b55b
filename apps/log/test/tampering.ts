import { cpSync, rmSync } from 'node:fs';
import { createCandidate, GovernanceState } from '@treering/governance';
import { CompactRange } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { createSigner, formatCheckpoint, formatNote, KEY_TYPE } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { parseStatement } from '@treering/statement';
import type { FullTile, StoredHead } from '@treering/storage';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { type DataFolder, dataFolder, openAnchor } from '../src/index.js';
import { temporaryFolder } from './fixture.js';

const HASH = 32;
const TILE = 256;

const folders: string[] = [];
process.on('exit', () => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

/** Removes a folder when the process ends. */
export function removeAtExit(path: string): void {
  folders.push(path);
}

/** A copy of a data folder, removed when the process ends. */
export function copyOf(data: string): string {
  const { path } = temporaryFolder();
  removeAtExit(path);
  cpSync(data, path, { recursive: true });
  return path;
}

/** All entries in the store of a log that does not run. */
export async function storedEntries(data: string): Promise<Uint8Array[]> {
  const storage = openSqliteStorage(dataFolder(data).store, { mode: 'read' });
  try {
    return await storage.entries(0, (await storage.head())?.size ?? 0);
  } finally {
    await storage.close();
  }
}

/** The root of a tree of entries, and the tiles of 256 that it fills. */
function treeOf(entries: readonly Uint8Array[]): { root: Uint8Array; tiles: FullTile[] } {
  const range = new CompactRange(nodeHasher);
  const tiles: FullTile[] = [];
  const leaves = entries.map((entry) => nodeHasher.hashLeaf(entry));
  leaves.forEach((leaf, i) => {
    range.append(leaf);
    if ((i + 1) % TILE !== 0) return;
    const hashes = new Uint8Array(Buffer.concat(leaves.slice(i + 1 - TILE, i + 1)));
    const own = new CompactRange(nodeHasher);
    for (let at = 0; at < hashes.length; at += HASH) own.append(hashes.subarray(at, at + HASH));
    tiles.push({ level: 0, index: (i + 1) / TILE - 1, hashes, root: own.root() });
  });
  return { root: range.root(), tiles };
}

/** What an operator can do who has the log's real keys: signs a head, however it came about. */
async function signed(folder: DataFolder, size: number, root: Uint8Array, publication: boolean): Promise<StoredHead> {
  const keys = publication ? [folder.logKey, folder.publicationKey] : [folder.logKey];
  const text = formatCheckpoint({ origin: (await readKeyFile(folder.logKey)).name, size: BigInt(size), root, extensions: [] });
  const signatures = [];
  for (const path of keys) {
    const { name, type, seed } = await readKeyFile(path);
    const ed25519 = type === KEY_TYPE.ed25519 ? nodeEd25519 : undefined;
    signatures.push(createSigner(name, type, seed, ed25519).sign(text));
  }
  return { size, root, time: Date.now(), note: formatNote({ text, signatures }) };
}

/**
 * Writes entries past the log into its store, with right tiles, and signs, anchors and publishes the new head with its keys.
 * @param topics what each is listed under; by default what it is about
 */
export async function insert(data: string, added: readonly Uint8Array[], topics?: readonly string[]): Promise<StoredHead> {
  const folder = dataFolder(data);
  const before = await storedEntries(data);
  const all = [...before, ...added];
  const { root, tiles } = treeOf(all);
  const head = await signed(folder, all.length, root, false);
  const published = await signed(folder, all.length, root, true);
  const storage = openSqliteStorage(folder.store, { mode: 'open' });
  try {
    const entries = added.map((bytes, i) => ({
      bytes,
      leafHash: nodeHasher.hashLeaf(bytes),
      topic: topics?.[i] ?? parseStatement(bytes).sub,
    }));
    await storage.commit(
      { entries, tiles: tiles.filter(({ index }) => (index + 1) * TILE > before.length), head },
      await storage.head(),
    );
    await storage.publish(published);
  } finally {
    await storage.close();
  }
  await openAnchor(folder).write(published.note, true);
  return head;
}

/** The state that entries lead to when nobody asks whether they are admitted. */
export function stateOf(entries: readonly Uint8Array[]): GovernanceState {
  const state = new GovernanceState();
  entries.forEach((entry, index) => {
    state.apply(index, createCandidate(parseStatement(entry)));
  });
  return state;
}
