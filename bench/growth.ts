import { randomInt } from 'node:crypto';
import {
  type HashReader,
  MerkleStateError,
  proveConsistency,
  proveInclusion,
  TileCache,
  tileHashReader,
  verifyInclusion,
} from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { type Committed, type HeadAnchor, Sequencer } from '@treering/sequencer';
import type { Storage } from '@treering/storage';
import type { Benchmark, Figures } from './benchmark.js';
import { sequencerOptions } from './plain-log.js';
import { createSyntheticStorage } from './synthetic-storage.js';

const POWERS = [10, 20, 30, 40];
const RIVAL = '2^20 leaves';
const BATCH = 256;
const BATCHES = 200;
const WARM_UP = 50;
const PROOFS = 3000;
const ENTRY_BYTES = 1024;
/** Tiles that are kept expanded, as in a log. */
const CACHE = 1024;

/** What a tree's size costs: a sequencer that goes on from a right edge, without a disk. */
export const growth: Benchmark = {
  name: 'growth',
  title: `appending batches of ${BATCH} entries to, and proving from, trees of some sizes, in process and without a disk; their tiles are made up on demand`,
  trials: 3,
  subjects: POWERS.map((power) => {
    const name = `2^${power} leaves`;
    const rival = name === RIVAL ? {} : { rival: RIVAL };
    return { name, ...rival, measure: (quick: boolean) => measure(2 ** power, quick) };
  }),
};

/** A tree just below the size: every level of tiles has a long right edge. */
async function measure(leaves: number, quick: boolean): Promise<Figures> {
  const size = leaves - 77;
  const { storage, note } = createSyntheticStorage(size);
  const sequencer = await Sequencer.open({ ...sequencerOptions, storage, anchor: anchorOf(note) });
  const submit = submitterTo(sequencer);
  for (let i = 0; i < (quick ? 1 : WARM_UP); i++) await submit();
  const batches = quick ? 2 : BATCHES;
  const started = performance.now();
  for (let i = 0; i < batches; i++) await submit();
  const micros = ((performance.now() - started) * 1000) / (batches * BATCH);
  const proofs = quick ? 20 : PROOFS;
  const now = sequencer.head?.size ?? 0;
  const tree = treeOf(storage, now);
  const inclusion = await rateOf(proofs, () => proveInclusion(tree, randomInt(size), now, nodeHasher));
  const consistency = await rateOf(proofs, () => proveConsistency(tree, 1 + randomInt(size), now, nodeHasher));
  await sequencer.close();
  return { 'append µs/entry': micros, 'inclusion proofs/s': inclusion, 'consistency proofs/s': consistency };
}

/** Submits the next batch of entries, and checks the proof of its first one. Leaf hashes are made before, as by an HTTP server. */
function submitterTo(sequencer: Sequencer<undefined>): () => Promise<void> {
  let next = 0;
  return async () => {
    const submissions = Array.from({ length: BATCH }, () => {
      const bytes = new Uint8Array(ENTRY_BYTES);
      new DataView(bytes.buffer).setUint32(0, next++);
      return { bytes, leafHash: nodeHasher.hashLeaf(bytes), topic: 'bench', candidate: undefined };
    });
    const answers: Committed[] = await Promise.all(submissions.map((submission) => sequencer.submit(submission)));
    const [{ index, head, inclusion }] = answers;
    verifyInclusion(index, head.size, submissions[0].leafHash, inclusion, head.root, nodeHasher);
  };
}

/** Tiles that are made up do not lead to the signed head, which a sequencer's own reader asks of them. */
function treeOf(storage: Storage, size: number): HashReader {
  return tileHashReader(
    size,
    async ({ level, index, width }) => {
      const tile = await storage.tile(level, index, width);
      if (tile === null) throw new MerkleStateError(`there is no tile ${level}/${index}`);
      return tile;
    },
    nodeHasher,
    new TileCache(CACHE),
  );
}

async function rateOf(count: number, prove: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  for (let i = 0; i < count; i++) await prove();
  return count / ((performance.now() - started) / 1000);
}

function anchorOf(note: Uint8Array): HeadAnchor {
  let kept = note;
  return {
    read: async () => kept,
    write: async (next) => {
      kept = next;
    },
  };
}
