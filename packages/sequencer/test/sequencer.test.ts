import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryStorage, type Storage, type StoredHead } from '@treering/storage';
import { openSqliteStorage } from '@treering/storage-sqlite';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkLog } from '../../../test/check-log.js';
import { ReferenceTree } from '../../merkle/test/reference.js';
import { type Committed, Sequencer } from '../src/index.js';
import { memoryAnchor, open, rejection, signer, submission, trust } from './fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'treering-tree-'));
const leafOf = (index: number): Uint8Array => submission(`entry ${index}`).leafHash;
const leaves = Array.from({ length: 1200 }, (_, i) => leafOf(i));
const reference = new ReferenceTree(leaves);
const hex = (...hashes: readonly Uint8Array[]): string => Buffer.concat(hashes).toString('hex');

/** Holds every answer and every tile against the naive tree of RFC 6962, which shares no code with the sequencer. */
async function compareWithReference(storage: Storage, answers: readonly Committed[]): Promise<void> {
  for (const { index, head, inclusion } of answers) {
    assert.is(hex(head.root), hex(reference.root(head.size)), `the root at ${head.size}`);
    assert.is(hex(...inclusion), hex(...reference.path(index, 0, head.size)), `entry ${index} of ${head.size}`);
  }
  const size = (await storage.head())?.size as number;
  for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / 256)) {
    for (let index = 0; index * 256 < count; index++) {
      const width = Math.min(256, count - index * 256);
      const nodes = Array.from({ length: width }, (_, i) => reference.node(level * 8, index * 256 + i));
      const stored = await storage.tile(level, index, width);
      assert.is(hex(stored ?? new Uint8Array(0)), hex(...nodes), `tile ${level}/${index} of ${width}`);
      const wider = width < 256 ? await storage.tile(level, index, width + 1) : null;
      assert.is(wider, null, `nothing beyond tile ${level}/${index} of ${width}`);
    }
  }
}

test('roots, proofs and tiles are those of the naive tree, however the entries are cut into batches', async () => {
  const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 100, max: 520 })), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(cuts, fc.integer({ min: 1, max: 300 }), async (sizes, batchSize) => {
      const storage = createMemoryStorage();
      const anchor = memoryAnchor();
      let sequencer = await open(storage, { anchor, batchSize });
      const answers: Committed[] = [];
      for (const [i, size] of sizes.entries()) {
        const from = answers.length;
        const wanted = Math.min(size, leaves.length - from);
        answers.push(
          ...(await Promise.all(Array.from({ length: wanted }, (_, k) => sequencer.submit(submission(`entry ${from + k}`))))),
        );
        if (i % 2 === 1) sequencer = await open(storage, { anchor, batchSize });
      }
      assert.equal(
        answers.map(({ index }) => index),
        answers.map((_, i) => i),
      );
      await compareWithReference(storage, answers);
    }),
    { seed: 42, numRuns: 12 },
  );
});

test('over SQLite the tree is the naive one as well', async () => {
  const storage = openSqliteStorage(join(folder, 'reference.db'), { mode: 'create' });
  const sequencer = await open(storage);
  const answers: Committed[] = [];
  for (const size of [1, 254, 2, 255, 300])
    answers.push(
      ...(await Promise.all(
        Array.from({ length: size }, (_, k) => sequencer.submit(submission(`entry ${answers.length + k}`))),
      )),
    );
  await compareWithReference(storage, answers);
  await storage.close();
});

test('the same bytes sent while their first copy is being stored have one index', async () => {
  const storage = createMemoryStorage();
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let begun = (): void => undefined;
  const storing = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const sequencer = await open({
    ...storage,
    async commit(batch, expected) {
      begun();
      await held;
      await storage.commit(batch, expected);
    },
  });
  const first = sequencer.submit(submission('entry 0'));
  await storing;
  const rest = ['entry 0', 'entry 1', 'entry 0'].map((text) => sequencer.submit(submission(text)));
  release();
  const answers = await Promise.all([first, ...rest]);
  assert.equal(
    answers.map(({ index, duplicate }) => [index, duplicate]),
    [
      [0, false],
      [0, true],
      [1, false],
      [0, true],
    ],
  );
  await compareWithReference(storage, answers);
});

test('bytes that wait count against the limit until they are taken, and not after', async () => {
  const storage = createMemoryStorage();
  const sequencer = await open(storage, { pool: { entries: 100, bytes: 20 } });
  for (let round = 0; round < 3; round++) {
    const taken = [`${round} 345678`, `${round} abcdef`].map((text) => sequencer.submit(submission(text)));
    assert.is(sequencer.waiting, 2);
    assert.is((await rejection(sequencer.submit(submission(`${round} too much`)))).code, 'sequencer/overloaded');
    const fits = sequencer.submit(submission('+'.repeat(4 - round)));
    await Promise.all([...taken, fits]);
    assert.is(sequencer.waiting, 0);
  }
  assert.is((await storage.head())?.size, 9);
});

test('two logs on one store: the one that was overtaken stops, and no second head is stored', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const fatal: Error[] = [];
  const [first, second] = [
    await open(storage, { anchor }),
    await open(storage, { anchor, onFatal: (error) => fatal.push(error) }),
  ];
  const one = await first.submit(submission('by the first'));
  assert.is((await rejection(second.submit(submission('by the second')))).code, 'sequencer/unknown-outcome');
  assert.is((await rejection(second.submit(submission('again')))).code, 'sequencer/stopped');
  assert.is(fatal.length, 1);
  const two = await first.submit(submission('by the first again'));
  await checkLog(storage, {
    trust,
    acknowledged: ['by the first', 'by the first again'].map((text, index) => ({ index, leaf: submission(text).leafHash })),
    heads: [one.head.note, two.head.note],
  });
});

test('the JavaScript of the tree without native code comes to the same head', async () => {
  const [native, portable] = [createMemoryStorage(), createMemoryStorage()];
  const quick = await open(native);
  const slow = await Sequencer.open({
    storage: portable,
    anchor: memoryAnchor(),
    signer,
    trust,
    admission: { admit: () => () => undefined, reload: async () => undefined },
  });
  for (const sequencer of [quick, slow])
    await Promise.all(Array.from({ length: 300 }, (_, i) => sequencer.submit(submission(`entry ${i}`))));
  assert.equal((await portable.head())?.note, (await native.head())?.note, 'Ed25519 has one signature for one message');
});

test('a commit waits for what was announced, until as many have come as are still on their way', async () => {
  const sequencer = await open(createMemoryStorage(), { gather: 60_000 });
  const commits: number[] = [];
  sequencer.onCommit((_, entries) => commits.push(entries.length));
  const come = [1, 2, 3, 4].map(() => sequencer.announce());
  const first = sequencer.submit(submission('first'));
  come[0]();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(commits, [], 'three are still on their way');
  // The second will not be submitted: it was refused at the door.
  come[1]();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(commits, [], 'two are still on their way');
  const third = sequencer.submit(submission('third'));
  come[2]();
  await Promise.all([first, third]);
  assert.equal(commits, [2], 'nobody waits for the last');
  const fourth = sequencer.submit(submission('fourth'));
  come[3]();
  await fourth;
  assert.equal(commits, [2, 1]);
  await sequencer.close();
});

test('a commit does not wait long for what is announced and does not come', async () => {
  const sequencer = await open(createMemoryStorage(), { gather: 5 });
  sequencer.announce();
  assert.is((await sequencer.submit(submission('alone'))).index, 0);
  await sequencer.close();
});

test('a log that closes waits for nobody', async () => {
  const sequencer = await open(createMemoryStorage(), { gather: 60_000 });
  sequencer.announce();
  const last = sequencer.submit(submission('last'));
  await new Promise((resolve) => setTimeout(resolve, 5));
  await sequencer.close();
  assert.is((await last).index, 0);
});

test.after(() => rmSync(folder, { recursive: true }));
test('heads of another history end the log once, and the largest of them stays the anchor', async () => {
  const other = await open(createMemoryStorage());
  const heads: StoredHead[] = [];
  for (const text of ['first', 'another second', 'another third']) heads.push((await other.submit(submission(text))).head);
  const anchor = memoryAnchor();
  const fatal: Error[] = [];
  const sequencer = await open(createMemoryStorage(), { anchor, onFatal: (error) => fatal.push(error) });
  for (const text of ['first', 'second']) await sequencer.submit(submission(text));

  const contained = ({ size, root }: StoredHead) => sequencer.contains({ size: BigInt(size), root });
  assert.equal(await Promise.all(heads.map(contained)), [true, false, false]);
  assert.equal(await sequencer.confront(heads[0].note, 'somebody'), { size: 1 });
  assert.is(sequencer.ended, undefined);
  const shown = [heads[1], heads[2], heads[1]].map(({ note }) => rejection(sequencer.confront(note, 'somebody')));
  for (const error of await Promise.all(shown)) assert.is(error.code, 'sequencer/rolled-back');
  assert.is(fatal.length, 1);
  assert.is(sequencer.ended, fatal[0]);
  assert.equal(anchor.note, heads[2].note);
  assert.is((await rejection(sequencer.submit(submission('third')))).code, 'sequencer/stopped');
});

test('a log is ended by another history even when its anchor cannot be written', async () => {
  const other = await open(createMemoryStorage());
  const { head } = await other.submit(submission('another first'));
  const anchor = memoryAnchor();
  const fatal: Error[] = [];
  const sequencer = await open(createMemoryStorage(), { anchor, onFatal: (error) => fatal.push(error) });
  await sequencer.submit(submission('first'));
  const { write } = anchor;
  anchor.write = async () => {
    throw new Error('no space');
  };
  assert.is((await rejection(sequencer.confront(head.note, 'somebody'))).message, 'no space');
  assert.is(fatal.length, 1);
  anchor.write = write;
  assert.is((await rejection(sequencer.confront(head.note, 'somebody'))).code, 'sequencer/rolled-back');
  assert.equal(anchor.note, head.note);
  assert.is(fatal.length, 1);
});

test.run();
