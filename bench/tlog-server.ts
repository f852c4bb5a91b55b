import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CompactRange, formatEntryBundle, HASH_SIZE, parseTilePath, TILE_WIDTH } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { formatCheckpoint, formatNote, formatVerifierKey } from '@treering/note';
import { logKey, ORIGIN, signedEntry } from './evaluation-log.js';
import { numberedEntries } from './numbered-entries.js';

// tlog-server.ts <entries> signed|numbered: makes a log of so many entries, signed records or bytes of that size, and serves it as tiles
// from memory. Prints its URL and verifier key.

const COUNT = Number(process.argv[2]);
const signed = process.argv[3] === 'signed';
const bundles: Uint8Array[] = [];
const levels: Uint8Array[] = [];
const range = new CompactRange(nodeHasher);
for (let first = 0; first < COUNT; first += TILE_WIDTH) {
  const width = Math.min(TILE_WIDTH, COUNT - first);
  const entries = signed ? await signedEntries(first, width) : numberedEntries(first, width);
  bundles.push(formatEntryBundle(entries));
  const leaves = new Uint8Array(entries.length * HASH_SIZE);
  nodeHasher.hashLeaves(entries, leaves);
  range.appendMany(leaves, (level, start, hashes) => {
    if (level % 8 !== 0) return;
    levels[level / 8] ??= new Uint8Array(Math.ceil(COUNT / 256 ** (level / 8)) * HASH_SIZE);
    levels[level / 8].set(hashes, start * HASH_SIZE);
  });
}
const text = formatCheckpoint({ origin: ORIGIN, size: BigInt(COUNT), root: range.root(), extensions: [] });
const checkpoint = formatNote({ text, signatures: [logKey.sign(text)] });

const server = createServer((request, response) => {
  const path = (request.url ?? '').slice(1);
  if (path === 'checkpoint') {
    response.end(checkpoint);
    return;
  }
  const parsed = parseTilePath(path);
  if (parsed.kind === 'entries') {
    response.end(bundles[parsed.bundle.index]);
    return;
  }
  const { level, index, width } = parsed.tile;
  const start = index * TILE_WIDTH * HASH_SIZE;
  response.end(levels[level].subarray(start, start + width * HASH_SIZE));
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}`, vkey: formatVerifierKey(logKey.key) }));
});
process.on('disconnect', () => process.exit());

async function signedEntries(first: number, width: number): Promise<Uint8Array[]> {
  const entries: Uint8Array[] = [];
  for (let index = first; index < first + width; index++) entries.push(await signedEntry(index));
  return entries;
}
