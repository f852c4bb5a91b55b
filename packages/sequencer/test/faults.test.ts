import { nodeHasher } from '@treering/merkle/node';
import { openCheckpoint } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { createMemoryStorage, type Storage, StorageError } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkLog } from '../../../test/check-log.js';
import { Publisher } from '../src/index.js';
import { memoryAnchor, open, recordingAdmission, rejection, signer, submission, trust } from './fixture.js';

/** The number of entries of the head in an anchor; 0 without one. */
function anchoredSize(anchor: { readonly note: Uint8Array | null }): number {
  return anchor.note === null ? 0 : Number(openCheckpoint(anchor.note, trust, nodeEd25519).checkpoint.size);
}

/** A store whose next commits are stored and then reported as failed, while `on`. */
function persistedButFailing(storage: Storage): { store: Storage; plan: { on: boolean } } {
  const plan = { on: false };
  const store: Storage = {
    ...storage,
    async commit(batch, expected) {
      await storage.commit(batch, expected);
      if (plan.on) throw new StorageError('storage/full', 'no space');
    },
  };
  return { store, plan };
}

test('a flipped bit in any one hash of a batch never gets a wrong tree stored', async () => {
  let hashed = 0;
  let flipAt = Number.POSITIVE_INFINITY;
  const flip = (output: Uint8Array): Uint8Array => {
    if (output.length > 0 && hashed++ === flipAt) output[hashed % output.length] ^= 1 << (hashed % 8);
    return output;
  };
  const hasher: typeof nodeHasher = {
    ...nodeHasher,
    hashLeaf: (entry) => flip(nodeHasher.hashLeaf(entry)),
    hashNode: (left, right) => flip(nodeHasher.hashNode(left, right)),
    hashLeaves(entries, output) {
      nodeHasher.hashLeaves(entries, output);
      flip(output.subarray(0, entries.length * 32));
    },
    hashNodes(input, count, output) {
      nodeHasher.hashNodes(input, count, output);
      flip(output.subarray(0, count * 32));
    },
  };
  /** Hashes that a batch of nine takes, and whether all nine were answered; the hash number `at` comes out wrong. */
  const run = async (at: number): Promise<{ count: number; answered: boolean }> => {
    const storage = createMemoryStorage();
    flipAt = Number.POSITIVE_INFINITY;
    const sequencer = await open(storage, { hasher });
    await Promise.all(Array.from({ length: 250 }, (_, i) => sequencer.submit(submission(`before ${i}`))));
    hashed = 0;
    flipAt = at;
    const outcomes = await Promise.allSettled(Array.from({ length: 9 }, (_, i) => sequencer.submit(submission(`after ${i}`))));
    await checkLog(storage, { trust, acknowledged: [], heads: [] });
    return { count: hashed, answered: outcomes.every((o) => o.status === 'fulfilled') };
  };
  const { count, answered } = await run(Number.POSITIVE_INFINITY);
  assert.ok(answered && count >= 20, `${count} hashes`);
  let refused = 0;
  for (let at = 0; at < count; at++) if (!(await run(at)).answered) refused++;
  assert.ok(refused >= 10, `only ${refused} of ${count} flips were noticed`);
});

for (const code of ['storage/io', 'storage/corrupt'] as const) {
  test(`after ${code} at a read the log is told to end, once, and answers nothing more`, async () => {
    const storage = createMemoryStorage();
    const fatal: Error[] = [];
    let broken = false;
    const failing: Storage = {
      ...storage,
      async indicesOf(hashes) {
        if (broken) throw new StorageError(code, 'unreadable');
        return storage.indicesOf(hashes);
      },
    };
    const sequencer = await open(failing, { onFatal: (error) => fatal.push(error) });
    await sequencer.submit(submission('first'));
    broken = true;
    await rejection(sequencer.submit(submission('second')));
    broken = false;
    assert.is((await rejection(sequencer.submit(submission('third')))).code, 'sequencer/stopped');
    assert.is(fatal.length, 1);
    assert.is((await storage.head())?.size, 1);
  });
}

test('a listener that throws costs no submitter the answer, nor other listeners the commit', async () => {
  const storage = createMemoryStorage();
  const sequencer = await open(storage);
  const seen: number[] = [];
  sequencer.onCommit(() => {
    throw new Error('a listener is broken');
  });
  sequencer.onCommit((head) => seen.push(head.size));
  assert.is((await sequencer.submit(submission('a'))).index, 0);
  assert.equal(seen, [1]);
});

test('when an admission cannot be taken back, nothing is admitted before it is built again', async () => {
  const storage = createMemoryStorage();
  const admission = recordingAdmission();
  let full = true;
  const sequencer = await open(
    {
      ...storage,
      async commit(batch, expected) {
        if (full) throw new StorageError('storage/full', 'no space');
        await storage.commit(batch, expected);
      },
    },
    {
      admission: {
        reload: admission.reload,
        admit(candidate, index) {
          admission.admit(candidate, index);
          return () => {
            throw new Error('cannot be taken back');
          };
        },
      },
    },
  );
  await rejection(sequencer.submit(submission('a')));
  full = false;
  await Promise.allSettled([sequencer.submit(submission('b'))]);
  const after = admission.log.slice(admission.log.indexOf('admit 0 a') + 1);
  assert.ok(after[0] === undefined || after[0].startsWith('reload'), `after the lost batch: ${after.join(', ')}`);
});

test('two errors in a row, a full disk and then a wrong clock, stop the log only as long as they last', async () => {
  const storage = createMemoryStorage();
  let full = false;
  let now = 1_000_000;
  const sequencer = await open(
    {
      ...storage,
      async commit(batch, expected) {
        if (full) {
          now -= 60_000;
          throw new StorageError('storage/full', 'no space');
        }
        await storage.commit(batch, expected);
      },
    },
    { clock: () => now },
  );
  await sequencer.submit(submission('a'));
  full = true;
  await rejection(sequencer.submit(submission('b')));
  full = false;
  await rejection(sequencer.submit(submission('b')));
  now += 120_000;
  assert.is((await sequencer.submit(submission('b'))).index, 1);
});

test('the anchor covers what a retry was answered after a commit that failed and was stored', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const { store, plan } = persistedButFailing(storage);
  const sequencer = await open(store, { anchor });
  await sequencer.submit(submission('a'));
  plan.on = true;
  await rejection(sequencer.submit(submission('b')));
  plan.on = false;
  const retry = await sequencer.submit(submission('b'));
  assert.equal([retry.index, retry.head.size], [1, 2]);
  assert.is(anchoredSize(anchor), 2, 'an old copy of the store would not be recognised');
});

test('the anchor covers what a retry was answered after a crash between the commit and the anchor', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  await (await open(storage, { anchor })).submit(submission('a'));
  const behind = anchor.note;
  await (await open(storage, { anchor })).submit(submission('b'));
  anchor.note = behind;
  const retry = await (await open(storage, { anchor })).submit(submission('b'));
  assert.equal([retry.index, retry.head.size], [1, 2]);
  assert.is(anchoredSize(anchor), 2, 'an old copy of the store would not be recognised');
});

test('a publication that took long does not take the anchor back behind what was committed meanwhile', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const sequencer = await open(storage, { anchor });
  await sequencer.submit(submission('a'));
  const publisher = await Publisher.open({
    storage,
    anchor: sequencer.anchor,
    trust,
    signers: [],
    ed25519: nodeEd25519,
    head: () => sequencer.head,
    async cosign() {
      for (const text of ['b', 'c']) await sequencer.submit(submission(text));
      return [];
    },
  });
  assert.is((await publisher.publish())?.size, 1);
  assert.is(anchoredSize(anchor), 3);
});

test('the time of publications never goes back, nor before that of the head they publish', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  let now = 1_700_000_000_000;
  const sequencer = await open(storage, { anchor, clock: () => now });
  const publisher = await Publisher.open({
    storage,
    anchor: sequencer.anchor,
    trust,
    signers: [],
    ed25519: nodeEd25519,
    head: () => sequencer.head,
    clock: () => now,
  });
  await sequencer.submit(submission('a'));
  const first = await publisher.publish();
  now -= 5_000;
  await sequencer.submit(submission('b'));
  const second = await publisher.publish();
  assert.ok((second?.time as number) >= (first?.time as number), `${second?.time} after ${first?.time}`);
  assert.ok((second?.time as number) >= (sequencer.head?.time as number));
});

test('a store is trusted at the start that was asked for, not at every reload of that process', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const { store, plan } = persistedButFailing(storage);
  await (await open(storage)).submit(submission('a'));
  const sequencer = await open(store, { anchor, trustStore: true });
  await sequencer.submit(submission('b'));
  anchor.note = new Uint8Array(0);
  plan.on = true;
  await rejection(sequencer.submit(submission('c')));
  plan.on = false;
  assert.is((await rejection(sequencer.submit(submission('d')))).code, 'sequencer/stopped');
});

test('a signer that signs another head than it was given is never believed', async () => {
  const storage = createMemoryStorage();
  const other = { key: signer.key, sign: (text: string) => signer.sign(text.replace('\n1\n', '\n2\n')) };
  const sequencer = await open(storage, { signer: other });
  assert.is((await rejection(sequencer.submit(submission('a')))).code, 'sequencer/unknown-outcome');
  assert.is(await storage.head(), null);
});

test.run();
