import { open } from 'node:fs/promises';
import { PackIndex, type Question, writePack } from '@treering/evidence';
import { createCandidate } from '@treering/governance';
import { CompactRange, HASH_SIZE, type NodeId } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { formatCheckpoint, formatNote } from '@treering/note';
import { parseStatement } from '@treering/statement';
import { logKey, ORIGIN, signedEntry } from './evaluation-log.js';

// pack-file.ts <records> <file>: writes an evidence pack of so many records of one subject, out of a log with as many others.

const RECORDS = Number(process.argv[2]);
const COUNT = 2 * RECORDS + 1;
const index = new PackIndex(ORIGIN);
const entries: Uint8Array[] = [];
const levels: Uint8Array[] = [];
const range = new CompactRange(nodeHasher);
for (let i = 0; i < COUNT; i++) {
  const entry = await signedEntry(i, 2);
  const leaf = nodeHasher.hashLeaf(entry);
  entries.push(entry);
  index.see(createCandidate(parseStatement(entry), leaf));
  range.append(leaf, (level, start, hashes) => {
    levels[level] ??= new Uint8Array(Math.ceil(COUNT / 2 ** level) * HASH_SIZE);
    levels[level].set(hashes, start * HASH_SIZE);
  });
}
const text = formatCheckpoint({ origin: ORIGIN, size: BigInt(COUNT), root: range.root(), extensions: [] });
const note = formatNote({ text, signatures: [logKey.sign(text)] });
const question: Question = { subjects: ['evaluation/suite-1'], attachments: 'none' };
const { entries: chosen, leftOut, anchors } = index.select(question);
const pieces = writePack({
  header: { v: 1, origin: ORIGIN, question, left_out: leftOut },
  entries: chosen,
  entry: (i) => Promise.resolve(entries[i]),
  tree: {
    readHashes(nodes: readonly NodeId[]) {
      const out = new Uint8Array(nodes.length * HASH_SIZE);
      nodes.forEach(({ level, index: at }, i) => {
        out.set(levels[level].subarray(at * HASH_SIZE, (at + 1) * HASH_SIZE), i * HASH_SIZE);
      });
      return Promise.resolve(out);
    },
  },
  heads: [{ size: COUNT, note }],
  anchors,
  attachments: (async function* () {})(),
});
const file = await open(process.argv[3], 'w');
for await (const piece of pieces) await file.write(piece);
await file.close();
