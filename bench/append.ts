import { statSync } from 'node:fs';
import { join } from 'node:path';
import { verifyInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { type Committed, createFileAnchor, Sequencer } from '@treering/sequencer';
import type { Storage } from '@treering/storage';
import { openSqliteStorage, openThreadedSqliteStorage } from '@treering/storage-sqlite';
import type { Benchmark, Figures, Subject } from './benchmark.js';
import { sequencerOptions } from './plain-log.js';
import { insertRows } from './rivals/plain-sqlite.js';
import { withScratchFolder } from './scratch.js';

const ENTRY_BYTES = 1024;
const TOPICS = 100;
/** Submissions that wait at the same time; each commit takes nearly all of them. */
const IN_FLIGHT = [4096, 256, 16, 1] as const;
/** The fewer share a commit, the slower it is, and the fewer entries tell as much. */
const ENTRIES: Readonly<Record<number, number>> = { 1: 2000, 16: 8000, 256: 30_000, 4096: 60_000 };
const QUICK_ENTRIES = 100;

/** Making entries durable, from submission to an answer with an inclusion proof. */
export const append: Benchmark = {
  name: 'append',
  title: `entries of ${ENTRY_BYTES.toLocaleString('en')} bytes made durable and answered with a proof; SQLite on this disk, written on a thread of its own or on the main thread`,
  trials: 3,
  subjects: IN_FLIGHT.flatMap((inFlight): Subject[] => {
    const count = (quick: boolean): number => (quick ? QUICK_ENTRIES : ENTRIES[inFlight]);
    const named = inFlight.toLocaleString('en');
    const rival = inFlight === 1 ? 'bare SQLite rows, 1 a commit' : `bare SQLite rows, ${named} a commit`;
    const quick = inFlight === 256;
    return [
      {
        name: `sequencer, ${named} in flight`,
        rival,
        quick,
        measure: (isQuick) => measureSequencer(openThreaded, count(isQuick), inFlight),
      },
      {
        name: `sequencer on the main thread, ${named} in flight`,
        rival,
        quick,
        measure: (isQuick) => measureSequencer(openPlain, count(isQuick), inFlight),
      },
      { name: rival, quick, measure: (isQuick) => measureSqlite(count(isQuick), inFlight) },
    ];
  }),
};

type Open = (path: string) => Promise<Storage>;

const openPlain: Open = async (path) => openSqliteStorage(path, { mode: 'create' });

const openThreaded: Open = async (path) => {
  await openSqliteStorage(path, { mode: 'create' }).close();
  return openThreadedSqliteStorage(path);
};

function measureSequencer(open: Open, count: number, inFlight: number): Promise<Figures> {
  return withScratchFolder(async (folder) => {
    const entries = makeEntries(count);
    const path = join(folder, 'log.db');
    const storage = await open(path);
    const sequencer = await Sequencer.open({ ...sequencerOptions, storage, anchor: createFileAnchor(join(folder, 'head')) });
    const answers: Committed[] = [];
    let next = 0;
    const submitOneAfterAnother = async (): Promise<void> => {
      for (let i = next++; i < count; i = next++) {
        const bytes = entries[i];
        const leafHash = nodeHasher.hashLeaf(bytes);
        answers[i] = await sequencer.submit({ bytes, leafHash, topic: `bench/${i % TOPICS}`, candidate: undefined });
      }
    };
    const started = performance.now();
    await Promise.all(Array.from({ length: inFlight }, submitOneAfterAnother));
    const seconds = (performance.now() - started) / 1000;
    for (let i = 0; i < count; i += 97) {
      const { index, head, inclusion } = answers[i];
      verifyInclusion(index, head.size, nodeHasher.hashLeaf(entries[i]), inclusion, head.root, nodeHasher);
    }
    await sequencer.close();
    await storage.close();
    return figuresOf(count, seconds, path);
  });
}

function measureSqlite(count: number, batch: number): Promise<Figures> {
  return withScratchFolder(async (folder) => {
    const entries = makeEntries(count);
    const path = join(folder, 'rows.db');
    const started = performance.now();
    insertRows(path, entries, batch);
    return figuresOf(count, (performance.now() - started) / 1000, path);
  });
}

/** A database that was closed has no other files. */
function figuresOf(count: number, seconds: number, path: string): Figures {
  return {
    'entries/s': count / seconds,
    'bytes on disk/entry': statSync(path).size / count,
    'peak MiB': process.resourceUsage().maxRSS / 1024,
  };
}

/** Entries that differ from the first bytes on. */
function makeEntries(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => {
    const entry = new Uint8Array(ENTRY_BYTES).fill(0xa5);
    new DataView(entry.buffer).setUint32(0, index);
    return entry;
  });
}
