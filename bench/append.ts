import { join } from 'node:path';
import { verifyInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { createSigner, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { type Committed, createFileAnchor, Sequencer } from '@treering/sequencer';
import { openSqliteStorage } from '@treering/storage-sqlite';
import type { Benchmark, Figures } from './benchmark.js';
import { insertRows } from './rivals/plain-sqlite.js';
import { withScratchFolder } from './scratch.js';

const ENTRY_BYTES = 500;
const TOPICS = 100;
/** Submissions that wait at the same time; each commit takes nearly all of them. */
const IN_FLIGHT = 4000;
const ENTRIES = 40_000;
const QUICK_ENTRIES = 4000;
/** One commit for each entry is so slow that fewer entries tell as much. */
const SINGLE_ENTRIES = 2000;
const QUICK_SINGLE_ENTRIES = 100;

/** Making entries durable, from submission to an answer with an inclusion proof. */
export const append: Benchmark = {
  name: 'append',
  title: `entries of ${ENTRY_BYTES} bytes made durable and answered with a proof, ${IN_FLIGHT} in flight, SQLite on this disk`,
  trials: 5,
  subjects: [
    { name: 'sequencer', rival: 'SQLite, same batches', measure: (quick) => measureSequencer(quick ? QUICK_ENTRIES : ENTRIES) },
    { name: 'SQLite, same batches', measure: (quick) => measureSqlite(quick ? QUICK_ENTRIES : ENTRIES, IN_FLIGHT) },
    {
      name: 'SQLite, a commit each',
      rival: 'SQLite, same batches',
      measure: (quick) => measureSqlite(quick ? QUICK_SINGLE_ENTRIES : SINGLE_ENTRIES, 1),
    },
  ],
};

function measureSequencer(count: number): Promise<Figures> {
  return withScratchFolder(async (folder) => {
    const entries = makeEntries(count);
    const { sequencer, storage } = await openLog(folder);
    let commits = 0;
    sequencer.onCommit(() => {
      commits++;
    });
    const answers: Committed[] = [];
    let next = 0;
    const submitOneAfterAnother = async (): Promise<void> => {
      for (let i = next++; i < count; i = next++) {
        const leafHash = nodeHasher.hashLeaf(entries[i]);
        answers[i] = await sequencer.submit({
          bytes: entries[i],
          leafHash,
          topic: `bench/${i % TOPICS}`,
          candidate: undefined,
        });
      }
    };
    const started = performance.now();
    await Promise.all(Array.from({ length: IN_FLIGHT }, submitOneAfterAnother));
    const seconds = (performance.now() - started) / 1000;
    for (let i = 0; i < count; i += 97) {
      const { index, head, inclusion } = answers[i];
      verifyInclusion(index, head.size, nodeHasher.hashLeaf(entries[i]), inclusion, head.root, nodeHasher);
    }
    await sequencer.close();
    await storage.close();
    return { 'entries/s': count / seconds, 'entries/commit': count / commits };
  });
}

/** A log that admits everything. */
async function openLog(folder: string) {
  const storage = openSqliteStorage(join(folder, 'log.db'), { mode: 'create' });
  const signer = createSigner('bench.example/log', KEY_TYPE.ed25519, new Uint8Array(32).fill(7), nodeEd25519);
  const sequencer = await Sequencer.open<undefined>({
    storage,
    anchor: createFileAnchor(join(folder, 'head')),
    signer,
    trust: { origin: signer.key.name, logKeys: [signer.key] },
    admission: { admit: () => () => undefined, reload: async () => undefined },
    hasher: nodeHasher,
    ed25519: nodeEd25519,
  });
  return { sequencer, storage };
}

function measureSqlite(count: number, batch: number): Promise<Figures> {
  return withScratchFolder(async (folder) => {
    const entries = makeEntries(count);
    const started = performance.now();
    insertRows(join(folder, 'rows.db'), entries, batch);
    const seconds = (performance.now() - started) / 1000;
    return { 'entries/s': count / seconds, 'entries/commit': batch };
  });
}

/** Entries that differ from the first bytes on. */
function makeEntries(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => {
    const entry = new Uint8Array(ENTRY_BYTES).fill(0xa5);
    new DataView(entry.buffer).setUint32(0, index);
    return entry;
  });
}
