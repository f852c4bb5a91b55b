import {
  createSigner,
  formatVerifierKey,
  KEY_TYPE,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  parsePolicy,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { createMemoryStorage, StorageError } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AscendingAnchor, Publisher, type PublisherOptions } from '../src/index.js';
import { memoryAnchor, open, rejection, submission, trust } from './fixture.js';

const mldsa = createSigner(trust.origin, KEY_TYPE.mldsa44Cosignature, new Uint8Array(32).fill(9));
const witnesses = ['w1.test', 'w2.test', 'w3.test'].map((name, i) =>
  createSigner(name, KEY_TYPE.ed25519Cosignature, new Uint8Array(32).fill(20 + i), nodeEd25519),
);
const policy = parsePolicy(
  [
    ...witnesses.map(({ key }, i) => `witness w${i} ${formatVerifierKey(key)}`),
    'group some 2 w0 w1 w2',
    'quorum some',
    '',
  ].join('\n'),
);

async function setUp(options: Partial<PublisherOptions> = {}) {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const sequencer = await open(storage, { anchor });
  await sequencer.submit(submission('first'));
  const publisher = await Publisher.open({
    storage,
    anchor: sequencer.anchor,
    signers: [mldsa],
    ed25519: nodeEd25519,
    head: () => sequencer.head,
    trust: { ...trust, logKeys: [...trust.logKeys, mldsa.key] },
    ...options,
  });
  return { storage, anchor, sequencer, publisher };
}

const cosignBy = (count: number) => async (checkpoint: Uint8Array) => {
  const { text } = parseNote(checkpoint);
  return witnesses.slice(0, count).map((witness) => witness.sign(text, 1_700_000_000n));
};

test('a published checkpoint carries the Ed25519 and the ML-DSA-44 signature of the log', async () => {
  const { storage, publisher } = await setUp();
  assert.is(publisher.published, null);
  const published = await publisher.publish();
  assert.is(published?.size, 1);
  const opened = openCheckpoint(published?.note as Uint8Array, { ...trust, logKeys: [...trust.logKeys, mldsa.key] });
  assert.equal(
    opened.logSignatures.map((s) => s.key.type),
    [KEY_TYPE.ed25519, KEY_TYPE.mldsa44Cosignature],
  );
  assert.equal(await storage.published(), published);
});

test('nothing is published twice, and overlapping calls share one run', async () => {
  let asked = 0;
  const { publisher, sequencer } = await setUp({
    cosign: async () => {
      asked++;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return [];
    },
  });
  await Promise.all([publisher.publish(), publisher.publish(), publisher.publish()]);
  await publisher.publish();
  assert.is(asked, 1);
  await sequencer.submit(submission('second'));
  assert.is((await publisher.publish())?.size, 2);
});

test('without the quorum the published checkpoint stays as it was', async () => {
  let count = 2;
  const { publisher, sequencer, storage } = await setUp({ policy, cosign: (checkpoint) => cosignBy(count)(checkpoint) });
  assert.is((await publisher.publish())?.size, 1);
  await sequencer.submit(submission('second'));
  count = 1;
  assert.is((await rejection(publisher.publish())).code, 'sequencer/quorum-not-met');
  assert.is(publisher.published?.size, 1);
  assert.is((await storage.published())?.size, 1);
  count = 3;
  assert.is((await publisher.publish())?.size, 2);
});

test('one witness twice, a wrong signature, or a line for another head is no quorum', async () => {
  const twice = await setUp({ policy, cosign: async (c) => [...(await cosignBy(1)(c)), ...(await cosignBy(1)(c))] });
  assert.is((await rejection(twice.publisher.publish())).code, 'sequencer/quorum-not-met');
  const wrong = await setUp({
    policy,
    cosign: async (c) =>
      (await cosignBy(3)(c)).map((line) => ({ ...line, signature: line.signature.map((b, i) => (i === 20 ? b ^ 1 : b)) })),
  });
  assert.is((await rejection(wrong.publisher.publish())).code, 'note/bad-signature');
  const other = await setUp({
    policy,
    cosign: async () =>
      witnesses.map((w) => w.sign('log.test/sequencer\n5\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n', 1n)),
  });
  assert.is((await rejection(other.publisher.publish())).code, 'note/bad-signature');
  for (const { publisher, storage } of [twice, wrong, other]) {
    assert.is(publisher.published, null);
    assert.is(await storage.published(), null);
  }
});

test('the anchor is durable before the checkpoint can be seen', async () => {
  const order: string[] = [];
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const sequencer = await open(storage, { anchor });
  await sequencer.submit(submission('first'));
  const publisher = await Publisher.open({
    storage: {
      ...storage,
      async publish(head, keep) {
        order.push('store');
        await storage.publish(head, keep);
      },
    },
    anchor: new AscendingAnchor({
      read: anchor.read,
      async write(note, durable) {
        order.push(durable ? 'anchor, durable' : 'anchor');
        await anchor.write(note, durable);
      },
    }),
    trust,
    signers: [],
    ed25519: nodeEd25519,
    head: () => sequencer.head,
  });
  publisher.onPublish(() => order.push('seen'));
  await publisher.publish();
  assert.equal(order, ['anchor, durable', 'store', 'seen']);
});

for (const [how, size] of [
  ['is not set back by a publication', 2n],
  ['would be set back by one that has an anchor of its own', 1n],
] as const)
  test(`while a lost batch is found stored, the anchor ${how}`, async () => {
    const storage = createMemoryStorage();
    const anchor = memoryAnchor();
    const reloads: (() => void)[] = [];
    let fails = false;
    let waits = false;
    const sequencer = await open(
      {
        ...storage,
        async commit(batch, expected) {
          await storage.commit(batch, expected);
          if (fails) throw new StorageError('storage/full', 'the checkpoint of the log found no space');
        },
      },
      {
        anchor,
        admission: {
          admit: () => () => undefined,
          reload: () => (waits ? new Promise((resolve) => reloads.push(resolve)) : Promise.resolve()),
        },
      },
    );
    await sequencer.submit(submission('first'));
    let cosign = (): void => undefined;
    const publisher = await Publisher.open({
      storage,
      anchor: size === 2n ? sequencer.anchor : new AscendingAnchor(anchor),
      trust,
      signers: [],
      ed25519: nodeEd25519,
      head: () => sequencer.head,
      cosign: () => new Promise((resolve) => (cosign = () => resolve([]))),
    });
    const published = publisher.publish();
    [fails, waits] = [true, true];
    const lost = rejection(sequencer.submit(submission('second')));
    while (reloads.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    // The store is read, the anchor has caught up, and the rules are replayed: now the witnesses answer about the head before.
    cosign();
    assert.is((await published)?.size, 1);
    for (const resume of reloads) resume();
    assert.is((await lost).code, 'sequencer/unknown-outcome');
    while (sequencer.trouble !== undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.is(sequencer.head?.size, 2);
    const anchored = parseCheckpoint(parseNote(anchor.note as Uint8Array).text).size;
    assert.is(anchored, size);
  });

test('a log that has ended publishes nothing, and leaves the anchor alone', async () => {
  let ended: Error | undefined;
  let asked = 0;
  const { publisher, sequencer, storage, anchor } = await setUp({
    ended: () => ended,
    cosign: async () => {
      if (asked++ > 0) ended = new Error('another history');
      return [];
    },
  });
  assert.is((await publisher.publish())?.size, 1);
  await sequencer.submit(submission('second'));
  const anchored = await anchor.read();
  await anchor.write(new Uint8Array([1]), true);
  assert.is((await rejection(publisher.publish())).code, 'sequencer/stopped');
  assert.equal(await anchor.read(), new Uint8Array([1]));
  assert.is((await storage.published())?.size, 1);
  assert.is((await rejection(publisher.publish())).code, 'sequencer/stopped');
  assert.is(asked, 2, 'nobody is asked any more');
  assert.ok(anchored !== null);
});

test('records of the log itself come before the head is taken', async () => {
  const parts = await setUp();
  const publisher = await Publisher.open({
    storage: parts.storage,
    anchor: parts.sequencer.anchor,
    trust,
    signers: [],
    ed25519: nodeEd25519,
    head: () => parts.sequencer.head,
    before: async () => {
      await parts.sequencer.submit(submission('by the log'));
    },
  });
  assert.is((await publisher.publish())?.size, 2);
});

test('a head that was published before there were witnesses is not published any more', async () => {
  const { storage, sequencer, publisher } = await setUp();
  await publisher.publish();
  const options = {
    storage,
    anchor: sequencer.anchor,
    signers: [mldsa],
    ed25519: nodeEd25519,
    head: () => sequencer.head,
    trust: { ...trust, logKeys: [...trust.logKeys, mldsa.key] },
  };
  const strict = await Publisher.open({ ...options, policy, cosign: cosignBy(1) });
  assert.is(strict.published, null);
  assert.is((await rejection(strict.publish()))?.code, 'sequencer/quorum-not-met');
  assert.is(strict.published, null);
  const met = await Publisher.open({ ...options, policy, cosign: cosignBy(2) });
  assert.is((await met.publish())?.size, 1);
  assert.is((await Publisher.open({ ...options, policy })).published?.size, 1);
});

test('an unchanged head is published anew when its signatures are old', async () => {
  let now = 1_800_000_000_000;
  const { publisher } = await setUp({ clock: () => now, refresh: 60_000 });
  const first = await publisher.publish();
  now += 59_000;
  assert.is((await publisher.publish())?.time, first?.time);
  now += 1_000;
  assert.is((await publisher.publish())?.time, now);
});

/** Publishes a head of one more entry at each of these minutes. Returns the minutes of the publications that were kept. */
async function keptOf(minutes: readonly number[], keepEvery?: number): Promise<number[]> {
  const start = Date.now();
  let now = start;
  const options = keepEvery === undefined ? {} : { keepEvery };
  const { publisher, sequencer, storage } = await setUp({ clock: () => now, ...options });
  for (const [i, minute] of minutes.entries()) {
    now = start + minute * 60_000;
    await sequencer.submit(submission(`number ${i}`));
    await publisher.publish();
  }
  return (await storage.keptHeads(0, 100)).map(({ time }) => (time - start) / 60_000);
}

test('a publication is kept when the last kept one is old enough, and the first in any case', async () => {
  assert.equal(await keptOf([1, 2, 10, 11, 12, 20, 22, 31, 32]), [1, 11, 22, 32]);
  assert.equal(await keptOf([1, 10, 25, 26, 35]), [1, 10, 25, 35], 'both sides of a long rest are kept');
  assert.equal(await keptOf([1, 2, 3, 4, 5], 120_000), [1, 3, 5]);
  assert.equal(await keptOf([1, 2, 3], 0), [1, 2, 3]);
  assert.equal(await keptOf([1, 1, 1], 0), [1, 1, 1], 'also those of one millisecond');
});

test('what is kept is what was published, also of a head that is published anew', async () => {
  // Behind the commits, which take the time of the machine.
  let now = Date.now() + 60_000;
  const { publisher, storage } = await setUp({ clock: () => now, refresh: 600_000 });
  const published = [];
  for (let i = 0; i < 3; i++) {
    published.push(await publisher.publish());
    now += 600_000;
  }
  assert.equal(await storage.keptHeads(0, 100), [published[0], published[2]], 'the first and the newest of one size');
});

test('when a head was kept last is known after a start', async () => {
  // Behind the commits, which take the time of the machine.
  let now = Date.now() + 60_000;
  const { storage, sequencer } = await setUp({ clock: () => now });
  const reopened = () =>
    Publisher.open({
      storage,
      anchor: sequencer.anchor,
      trust,
      signers: [],
      ed25519: nodeEd25519,
      head: () => sequencer.head,
      clock: () => now,
    });
  await (await reopened()).publish();
  for (const minutes of [4, 5]) {
    now += minutes * 60_000;
    await sequencer.submit(submission(`after ${minutes} more minutes`));
    await (await reopened()).publish();
  }
  assert.equal(
    (await storage.keptHeads(0, 100)).map(({ size }) => size),
    [1],
    'nine minutes',
  );
  now += 60_000;
  await sequencer.submit(submission('after ten minutes'));
  await (await reopened()).publish();
  assert.equal(
    (await storage.keptHeads(0, 100)).map(({ size }) => size),
    [1, 4],
  );
});

test('without the quorum nothing is kept', async () => {
  const { publisher, storage } = await setUp({ policy, cosign: cosignBy(1), keepEvery: 0 });
  await rejection(publisher.publish());
  assert.equal(await storage.keptHeads(0, 100), []);
});

test('a publication that could not be stored is not taken for kept', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const sequencer = await open(storage, { anchor });
  await sequencer.submit(submission('first'));
  let full = true;
  const publish: typeof storage.publish = async (head, keep) => {
    if (full) throw new Error('no space');
    await storage.publish(head, keep);
  };
  const options = { anchor: sequencer.anchor, trust, signers: [], ed25519: nodeEd25519, head: () => sequencer.head };
  const publisher = await Publisher.open({ ...options, storage: { ...storage, publish } });
  await rejection(publisher.publish());
  full = false;
  await publisher.publish();
  assert.is((await storage.keptHeads(0, 100)).length, 1);
});

for (const [where, error, ends] of [
  ['store', new StorageError('storage/io', 'EIO at fsync'), true],
  ['store', new StorageError('storage/corrupt', 'malformed page'), true],
  ['store', new StorageError('storage/full', 'no space'), false],
  ['anchor', Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' }), true],
  ['anchor', Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }), false],
] as const) {
  test(`"${error.message}" of the ${where} at a publication ${ends ? 'ends the log' : 'is tried again'}`, async () => {
    const storage = createMemoryStorage();
    const fatal: Error[] = [];
    let fails = true;
    const anchor = memoryAnchor();
    const sequencer = await open(storage, { anchor, onFatal: (e) => fatal.push(e) });
    await sequencer.submit(submission('first'));
    const publisher = await Publisher.open({
      storage: {
        ...storage,
        async publish(head, keep) {
          if (fails && where === 'store') throw error;
          return storage.publish(head, keep);
        },
      },
      anchor: new AscendingAnchor({
        read: anchor.read,
        async write(note, durable) {
          if (fails && where === 'anchor') throw error;
          return anchor.write(note, durable);
        },
      }),
      trust,
      signers: [],
      ed25519: nodeEd25519,
      head: () => sequencer.head,
      ended: () => sequencer.ended,
      onFatal: (e) => sequencer.end(e),
    });
    await rejection(publisher.publish());
    fails = false;
    if (ends) {
      assert.equal(fatal, [error]);
      assert.is((await rejection(publisher.publish())).code, 'sequencer/stopped');
      assert.is((await rejection(sequencer.submit(submission('second')))).code, 'sequencer/stopped');
      assert.is(await storage.published(), null);
    } else {
      assert.equal(fatal, []);
      assert.is((await publisher.publish())?.size, 1);
      assert.is((await sequencer.submit(submission('second'))).index, 1);
    }
  });
}

for (const where of ['store', 'anchor'] as const) {
  for (const persisted of [true, false]) {
    test(`a publication whose ${where} fails${persisted ? ', though it is stored,' : ''} is made again, with the same root, also by a new process`, async () => {
      const storage = createMemoryStorage();
      const anchor = memoryAnchor();
      let fails = true;
      const failing = async (here: boolean, work: () => Promise<void>): Promise<void> => {
        if (persisted || !here || !fails) await work();
        if (here && fails) throw new StorageError('storage/full', 'no space');
      };
      const shown: Uint8Array[] = [];
      const begin = async () => {
        const sequencer = await open(storage, { anchor });
        const publisher = await Publisher.open({
          storage: { ...storage, publish: (head, keep) => failing(where === 'store', () => storage.publish(head, keep)) },
          anchor: new AscendingAnchor({
            read: anchor.read,
            write: (note, durable) => failing(where === 'anchor', () => anchor.write(note, durable)),
          }),
          trust,
          signers: [],
          ed25519: nodeEd25519,
          head: () => sequencer.head,
          async cosign(checkpoint) {
            shown.push(openCheckpoint(checkpoint, trust).checkpoint.root);
            return [];
          },
        });
        return { sequencer, publisher };
      };
      const first = await begin();
      await first.sequencer.submit(submission('a'));
      await rejection(first.publisher.publish());
      const second = await begin();
      // A new process reads what was stored though it failed, and has nothing to do then.
      const stored = persisted && where === 'store';
      if (!stored) await rejection(second.publisher.publish());
      assert.is(second.publisher.published?.size, stored ? 1 : undefined);
      fails = false;
      for (const { publisher } of [first, second]) {
        assert.is((await publisher.publish())?.size, 1);
        assert.is((await storage.published())?.size, 1);
      }
      for (const root of shown) assert.equal(root, shown[0], 'witnesses are never shown two roots of one size');
      await second.sequencer.submit(submission('b'));
      assert.is((await second.publisher.publish())?.size, 2);
    });
  }
}

test('two errors in a row, at the store and then at the anchor: nothing is published until both are over', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const sequencer = await open(storage, { anchor });
  await sequencer.submit(submission('a'));
  const broken = new Set(['store']);
  const check = (part: string): void => {
    if (broken.has(part)) throw new StorageError('storage/full', 'no space');
  };
  const publisher = await Publisher.open({
    storage: {
      ...storage,
      async publish(head, keep) {
        check('store');
        await storage.publish(head, keep);
      },
    },
    anchor: new AscendingAnchor({
      read: anchor.read,
      async write(note, durable) {
        check('anchor');
        await anchor.write(note, durable);
      },
    }),
    trust,
    signers: [],
    ed25519: nodeEd25519,
    head: () => sequencer.head,
  });
  await rejection(publisher.publish());
  broken.add('anchor');
  await rejection(publisher.publish());
  broken.delete('store');
  await rejection(publisher.publish());
  assert.is(await storage.published(), null, 'the anchor comes before the store');
  broken.delete('anchor');
  assert.is((await publisher.publish())?.size, 1);
});

test.run();
