import { nodeHasher } from '@treering/merkle/node';
import { createMemoryStorage, HeadConflictError, type Storage, StorageError } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkLog } from '../../../test/check-log.js';
import type { HeadAnchor } from '../src/index.js';
import { memoryAnchor, open, recordingAdmission, rejection, signer, submission, trust } from './fixture.js';

/** A store that fails when asked to; everything else reaches the one below. */
function failing(
  storage: Storage,
  plan: { commit?: (store: () => Promise<void>) => Promise<void>; head?: () => void },
): Storage {
  return {
    ...storage,
    commit: (batch, expected) =>
      plan.commit === undefined ? storage.commit(batch, expected) : plan.commit(() => storage.commit(batch, expected)),
    async head() {
      plan.head?.();
      return storage.head();
    },
  };
}

const full = () => new StorageError('storage/full', 'no space');

/** An anchor whose disk is full as long as the test says. */
function fullDisk(anchor: HeadAnchor, isFull: () => boolean): HeadAnchor {
  return {
    read: anchor.read,
    async write(note, durable) {
      if (isFull()) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      await anchor.write(note, durable);
    },
  };
}

test('a commit that failed before storing: nothing is logged, and the retry is', async () => {
  const storage = createMemoryStorage();
  const admission = recordingAdmission();
  const plan: Parameters<typeof failing>[1] = {
    async commit() {
      throw full();
    },
  };
  const sequencer = await open(failing(storage, plan), { admission });
  const outcomes = await Promise.all([
    rejection(sequencer.submit(submission('a'))),
    rejection(sequencer.submit(submission('b'))),
  ]);
  assert.equal(
    outcomes.map((e) => e.code),
    ['sequencer/unknown-outcome', 'sequencer/unknown-outcome'],
  );
  assert.equal(admission.admitted, [], 'admissions are taken back');
  delete plan.commit;
  assert.is((await sequencer.submit(submission('a'))).index, 0);
  const expected = ['undo b', 'undo a', 'reload 0', 'admit 0 a'];
  assert.equal(admission.log.slice(-4), expected, 'last in, first out, then again from the store');
  await checkLog(storage, { trust, acknowledged: [{ index: 0, leaf: submission('a').leafHash }], heads: [] });
});

test('a commit that failed after storing: the retry finds the same entry, and no second history is signed', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const plan: Parameters<typeof failing>[1] = {};
  const sequencer = await open(failing(storage, plan), { anchor });
  const first = await sequencer.submit(submission('first'));
  plan.commit = async (store) => {
    await store();
    throw full();
  };
  assert.is((await rejection(sequencer.submit(submission('a')))).code, 'sequencer/unknown-outcome');
  delete plan.commit;
  const other = await sequencer.submit(submission('b'));
  const retry = await sequencer.submit(submission('a'));
  assert.equal([other.index, retry.index, retry.duplicate], [2, 1, true]);
  const acknowledged = [first, other, retry].map(({ index }, i) => ({
    index,
    leaf: submission(['first', 'b', 'a'][i]).leafHash,
  }));
  await checkLog(storage, { trust, acknowledged, heads: [first, other, retry].map((c) => c.head.note) });
});

test('an error and then another at the reload: nothing is signed until a reload succeeds', async () => {
  const storage = createMemoryStorage();
  const plan: Parameters<typeof failing>[1] = {};
  const sequencer = await open(failing(storage, plan));
  const told: [number, number][] = [];
  sequencer.onCommit((head, entries) => told.push([head.size, entries.length]));
  await sequencer.submit(submission('first'));
  plan.commit = async (store) => {
    await store();
    throw full();
  };
  plan.head = () => {
    throw new StorageError('storage/locked', 'busy');
  };
  assert.is((await rejection(sequencer.submit(submission('a')))).code, 'sequencer/unknown-outcome');
  delete plan.commit;
  for (let i = 0; i < 3; i++)
    assert.is((await rejection(sequencer.submit(submission(`b${i}`)))).code, 'sequencer/unknown-outcome');
  assert.ok(sequencer.trouble !== undefined);
  assert.is((await storage.head())?.size, 2, 'nothing was added meanwhile');
  delete plan.head;
  assert.is((await sequencer.submit(submission('b'))).index, 2);
  assert.is(sequencer.trouble, undefined);
  // What was found stored is told without its entries.
  assert.equal(told, [
    [1, 1],
    [2, 0],
    [3, 1],
  ]);
});

test('a head that is found stored after the log has ended is shown to nobody, and nothing follows it', async () => {
  const first = await open(createMemoryStorage());
  await first.submit(submission('a'));
  const known = (await first.submit(submission('b'))).head;

  // The store is an older copy that has grown. A batch is stored though its commit fails, and is read again.
  const memory = createMemoryStorage();
  const compared = gate();
  const reloaded = gate();
  let fails = false;
  const sequencer = await open({
    ...memory,
    async commit(...args) {
      await memory.commit(...args);
      if (fails) throw full();
    },
    async head() {
      if (fails) await reloaded.passed();
      return memory.head();
    },
    async tile(...args) {
      if (compared.isWanted) await compared.passed();
      return memory.tile(...args);
    },
  });
  await sequencer.submit(submission('a'));
  await sequencer.submit(submission('another'));
  const told: number[] = [];
  sequencer.onCommit(({ size }) => told.push(size));
  compared.isWanted = true;
  const confronted = rejection(sequencer.confront(known.note, 'a witness'));
  await compared.reached;
  fails = true;
  const lost = rejection(sequencer.submit(submission('and one more')));
  const next = rejection(sequencer.submit(submission('and the next')));
  await reloaded.reached;
  compared.open();
  while (sequencer.ended === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  reloaded.open();
  assert.is((await confronted).code, 'sequencer/rolled-back');
  assert.is((await lost).code, 'sequencer/unknown-outcome');
  assert.match((await next).code ?? '', /unknown-outcome|stopped/);
  assert.equal([sequencer.head?.size, told], [2, []]);
  assert.is((await memory.head())?.size, 4, 'both were in one batch');
});

/** A place where something waits until the test lets it pass. What comes there later passes if the test asks `isWanted` before. */
function gate() {
  let reach: () => void = () => undefined;
  let open: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  const the = {
    isWanted: false,
    reached,
    open,
    passed() {
      the.isWanted = false;
      reach();
      return opened;
    },
  };
  return the;
}

for (const error of [
  new StorageError('storage/io', 'EIO at fsync'),
  new StorageError('storage/corrupt', 'malformed page'),
  new StorageError('storage/immutable', 'a tile differs'),
  new HeadConflictError('another writer'),
  new Error('something nobody expected'),
]) {
  test(`after "${error.message}" the log is told to end, once, and signs nothing more`, async () => {
    const storage = createMemoryStorage();
    const fatal: Error[] = [];
    const plan: Parameters<typeof failing>[1] = {
      async commit() {
        throw error;
      },
    };
    const sequencer = await open(failing(storage, plan), { onFatal: (e) => fatal.push(e) });
    assert.is((await rejection(sequencer.submit(submission('a')))).code, 'sequencer/unknown-outcome');
    delete plan.commit;
    assert.is((await rejection(sequencer.submit(submission('b')))).code, 'sequencer/stopped');
    assert.equal(fatal, [error]);
    assert.is(await storage.head(), null);
  });
}

test('an entry altered between its arrival and its commit is never signed', async () => {
  const storage = createMemoryStorage();
  const sequencer = await open(storage);
  const altered = submission('as it came');
  const outcome = rejection(sequencer.submit(altered));
  altered.bytes[0] ^= 1;
  assert.is((await outcome).code, 'sequencer/unknown-outcome');
  assert.is(await storage.head(), null);
});

test('a bit that flips in a node hash is noticed before the signature', async () => {
  const storage = createMemoryStorage();
  let flip = false;
  const hasher = {
    ...nodeHasher,
    hashNodes(input: Uint8Array, count: number, output: Uint8Array) {
      nodeHasher.hashNodes(input, count, output);
      if (flip && count > 0) {
        flip = false;
        output[5] ^= 0x10;
      }
    },
  };
  const sequencer = await open(storage, { hasher });
  await Promise.all(['a', 'b', 'c'].map((text) => sequencer.submit(submission(text))));
  flip = true;
  const outcomes = await Promise.allSettled(['d', 'e', 'f', 'g'].map((text) => sequencer.submit(submission(text))));
  assert.ok(outcomes.every((o) => o.status === 'rejected'));
  assert.is((await storage.head())?.size, 3);
});

test('a signature that does not hold is never stored', async () => {
  const storage = createMemoryStorage();
  const broken = {
    key: signer.key,
    sign(text: string) {
      const line = signer.sign(text);
      const signature = new Uint8Array(line.signature);
      signature[3] ^= 4;
      return { ...line, signature };
    },
  };
  const sequencer = await open(storage, { signer: broken });
  await rejection(sequencer.submit(submission('a')));
  assert.is(await storage.head(), null);
});

test('leaf hashes altered in the store are noticed before the next signature', async () => {
  const storage = createMemoryStorage();
  let lie = false;
  const fatal: Error[] = [];
  const lying: Storage = {
    ...storage,
    async tile(level, index, width) {
      const tile = await storage.tile(level, index, width);
      if (lie && tile !== null) tile[0] ^= 1;
      return tile;
    },
  };
  const sequencer = await open(lying, { onFatal: (e) => fatal.push(e) });
  await sequencer.submit(submission('a'));
  lie = true;
  assert.is((await rejection(sequencer.submit(submission('b')))).code, 'sequencer/stopped');
  assert.is((fatal[0] as { code?: string }).code, 'sequencer/corrupt');
  assert.is((await storage.head())?.size, 1);
});

test('while the anchor cannot be written nobody is told anything, and nothing is lost', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  let broken = true;
  const sequencer = await open(storage, {
    anchor: fullDisk(anchor, () => broken),
  });
  // It is stored, but an older copy of the store without it could be brought back and go unnoticed.
  assert.is((await rejection(sequencer.submit(submission('a')))).code, 'sequencer/unknown-outcome');
  assert.is((await storage.head())?.size, 1);
  assert.is((await rejection(sequencer.submit(submission('b')))).code, 'sequencer/unknown-outcome');
  assert.is((await storage.head())?.size, 1, 'nothing more is signed');
  broken = false;
  const again = await sequencer.submit(submission('a'));
  assert.equal([again.index, again.duplicate], [0, true]);
  assert.is((await sequencer.submit(submission('b'))).index, 1);
  await checkLog(storage, { trust, acknowledged: [{ index: 0, leaf: submission('a').leafHash }], heads: [again.head.note] });
});

test('the position is read again by itself, and entries that were stored are shown', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  let broken = true;
  const sequencer = await open(storage, {
    retry: 5,
    anchor: fullDisk(anchor, () => broken),
  });
  assert.is((await rejection(sequencer.submit(submission('a')))).code, 'sequencer/unknown-outcome');
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal([sequencer.head, sequencer.trouble !== undefined], [null, true], 'as long as the anchor does not know it');
  broken = false;
  for (let i = 0; i < 200 && sequencer.trouble !== undefined; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal([sequencer.head?.size, sequencer.trouble], [1, undefined]);
  assert.is((await sequencer.submit(submission('b'))).index, 1);
});

for (const what of ['commit', 'anchor'] as const)
  test(`after a failed ${what} that healed, and a pause, submissions are taken as before`, async () => {
    const storage = createMemoryStorage();
    const anchor = memoryAnchor();
    let broken = true;
    const sequencer = await open(
      {
        ...storage,
        async commit(batch, expected) {
          if (broken && what === 'commit') throw full();
          await storage.commit(batch, expected);
        },
      },
      {
        retry: 10,
        anchor: fullDisk(anchor, () => broken && what === 'anchor'),
      },
    );
    for (let round = 0; round < 3; round++) {
      broken = true;
      assert.is((await rejection(sequencer.submit(submission(`lost ${round}`)))).code, 'sequencer/unknown-outcome');
      broken = false;
      // Healed by a submission, by nobody, and by nobody again, before or after the timer.
      if (round === 0) await sequencer.submit(submission('heals'));
      await new Promise((resolve) => setTimeout(resolve, 60));
      assert.is(sequencer.trouble, undefined);
      await sequencer.submit(submission(`after ${round}`));
    }
    await sequencer.close();
  });

test('a position that cannot be read while others submit is read again when they have gone', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  let broken = true;
  const sequencer = await open(storage, {
    retry: 20,
    anchor: {
      read: anchor.read,
      async write(note, durable) {
        await new Promise((resolve) => setTimeout(resolve, 15));
        if (broken) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        await anchor.write(note, durable);
      },
    },
  });
  const all = [];
  for (let i = 0; i < 6; i++) {
    all.push(rejection(sequencer.submit(submission(`under way ${i}`))));
    await new Promise((resolve) => setTimeout(resolve, 12));
  }
  await Promise.all(all);
  assert.ok(sequencer.trouble !== undefined);
  broken = false;
  for (let i = 0; i < 200 && sequencer.trouble !== undefined; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.is(sequencer.trouble, undefined);
});

test('when the position cannot be read for a reason that does not pass, the log ends', async () => {
  for (const error of [
    new StorageError('storage/io', 'EIO'),
    Object.assign(new Error('EIO'), { code: 'EIO' }),
    new Error('the entries do not follow the rules'),
  ]) {
    const storage = createMemoryStorage();
    const plan: Parameters<typeof failing>[1] = {
      async commit() {
        throw full();
      },
    };
    const fatal: Error[] = [];
    const sequencer = await open(failing(storage, plan), { onFatal: (e) => fatal.push(e) });
    plan.head = () => {
      throw error;
    };
    assert.is((await rejection(sequencer.submit(submission('a')))).code, 'sequencer/unknown-outcome');
    while (sequencer.ended === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(fatal, [error]);
    assert.is(sequencer.ended, error);
  }
});

test('a machine that is short of descriptors for a moment does not end the log', async () => {
  for (const cause of ['EMFILE', 'SQLITE_CANTOPEN']) {
    const storage = createMemoryStorage();
    const plan: Parameters<typeof failing>[1] = {
      async commit() {
        throw full();
      },
      head() {
        throw new StorageError('storage/io', 'it cannot be opened', {
          cause: Object.assign(new Error(cause), { code: cause }),
        });
      },
    };
    const short: Parameters<typeof failing>[1] = {};
    const sequencer = await open(failing(storage, short), { retry: 5 });
    Object.assign(short, plan);
    assert.is((await rejection(sequencer.submit(submission('a')))).code, 'sequencer/unknown-outcome');
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.is(sequencer.ended, undefined);
    delete short.commit;
    delete short.head;
    assert.is((await sequencer.submit(submission('a'))).index, 0);
  }
});

test('what is read between batches is read at once when there is none, and else at the end of it', async () => {
  const storage = createMemoryStorage();
  const commit = gate();
  const plan: Parameters<typeof failing>[1] = {};
  const sequencer = await open(failing(storage, plan));
  const size = () => sequencer.head?.size;
  assert.is(await sequencer.between(size), undefined);
  plan.commit = async (store) => {
    await commit.passed();
    await store();
  };
  const submitted = sequencer.submit(submission('a'));
  await commit.reached;
  let answered = false;
  const read = sequencer.between(size).finally(() => {
    answered = true;
  });
  const broken = rejection(
    sequencer.between(() => {
      throw new Error('not to be read');
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.not(answered);
  commit.open();
  assert.is(await read, 1);
  assert.is((await broken).message, 'not to be read');
  await submitted;
});

test('what another process has stored is no duplicate of this one: the log is told to end, and answers nothing from it', async () => {
  const storage = createMemoryStorage();
  const fatal: Error[] = [];
  const sequencer = await open(storage, { onFatal: (error) => fatal.push(error) });
  await sequencer.submit(submission('first'));
  const anchor = memoryAnchor((await storage.head())?.note);
  const other = await open(storage, { anchor });
  await other.submit(submission('of the other'));
  assert.is((await rejection(sequencer.submit(submission('of the other')))).code, 'sequencer/stopped');
  assert.equal(
    fatal.map((error) => (error as StorageError).code),
    ['storage/conflict'],
  );
  assert.is((await other.submit(submission('one more'))).index, 2);
});

test.run();
