import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompactRange, proveSubtreeConsistency } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { decodeUtf8, encodeUtf8, formatSignSubtree, formatVerifierKey } from '@treering/note';
import { openDatabase } from '@treering/storage-sqlite';
import { pino } from 'pino';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema, originHash, serveWitness, unlockWitness } from '../src/index.js';
import { WITNESS_SCHEMA } from '../src/schema.js';
import { temporaryFolder } from './fixture.js';
import { MemoryLog } from './mirror-fixture.js';
import { withLines } from './test-log.js';

const NAME = 'witness.test/unlocked';
const log = new MemoryLog('log.test/mirrored', 600);
const STORE = ['witness.db', 'witness.db-wal', 'witness.db-shm'];
const prefix = `mirror/${originHash(log.origin)}`;

/** Requests to a witness that runs. */
interface Asked {
  readonly add: (body: Uint8Array) => Promise<Answer>;
  readonly upload: (start: number, end: number) => Promise<Answer>;
  readonly subtree: (head: Uint8Array, size?: number) => Promise<Answer>;
  readonly get: (path: string) => Promise<Answer>;
  readonly locked: string | undefined;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Runs a witness with its mirror for as long as the work takes. */
async function during<T>(data: string, work: (asked: Asked) => Promise<T>): Promise<T> {
  const config = configSchema.parse({ data, listen: '127.0.0.1:0', name: NAME, mirror: true });
  const { url, witness, close } = await serveWitness(config, pino({ level: 'silent' }));
  const ask = async (path: string, body?: Uint8Array): Promise<Answer> => {
    const headers = { 'Content-Type': 'application/octet-stream' };
    const init = body === undefined ? {} : { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> };
    const response = await fetch(`${url}/${path}`, init);
    return { status: response.status, text: await response.text() };
  };
  try {
    return await work({
      add: (body) => ask('add-checkpoint', body),
      upload: async (start, end) => ask('add-entries', await log.upload(start, end)),
      subtree: async (head, size = 600) => ask('sign-subtree', await subtreeOf(head, size)),
      get: (path) => ask(path),
      get locked() {
        return witness.store.locked;
      },
    });
  } finally {
    await close();
  }
}

/** A request for the first 64 entries. */
async function subtreeOf(checkpoint: Uint8Array, size: number): Promise<Uint8Array> {
  const part = new CompactRange(nodeHasher);
  for (const entry of log.entries.slice(0, 64)) part.append(nodeHasher.hashLeaf(entry));
  const proof = await proveSubtreeConsistency(log, 0, 64, size, nodeHasher);
  return formatSignSubtree({ start: 0n, end: 64n, hash: part.root(), proof, checkpoint });
}

function newData(): string {
  const data = temporaryFolder();
  writeFileSync(join(data, 'logs.txt'), `log ${formatVerifierKey(log.signer.key)}\n`);
  return data;
}

/** Cosigns up to a size, and brings the mirror there if it shall follow. */
async function advance({ add, upload }: Asked, from: number, to: number, mirrored?: number) {
  const witness = await add(await log.growth(from, to));
  assert.is(witness.status, 200, witness.text);
  if (mirrored === undefined) return { witness: witness.text, mirror: '' };
  const mirror = await upload(mirrored, to);
  assert.is(mirror.status, 200, mirror.text);
  return { witness: witness.text, mirror: mirror.text };
}

function copy(from: string, to: string, names: readonly string[]): void {
  mkdirSync(to, { recursive: true });
  for (const name of names) {
    rmSync(join(to, name), { recursive: true, force: true });
    if (existsSync(join(from, name))) cpSync(join(from, name), join(to, name), { recursive: true });
  }
}

/** Witness and mirror at 600, and what was kept of their files at 100; `restored` are put back. */
async function rolled(restored: readonly string[], mirroredAtFirst = true) {
  const data = newData();
  const backup = temporaryFolder();
  await during(data, (asked) => advance(asked, 0, 100, mirroredAtFirst ? 0 : undefined));
  copy(data, backup, [...STORE, 'anchor', 'mirror']);
  const lines = await during(data, async (asked) => {
    const at300 = await advance(asked, 100, 300, mirroredAtFirst ? 100 : 0);
    return { at300, at600: await advance(asked, 300, 600, 300) };
  });
  copy(backup, data, restored);
  return { data, ...lines };
}

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it did not fail',
    (error) => error.code,
  );

/** The mirror has cosigned 600 and says nothing less. */
async function expectNothingSmaller({ upload, get }: Asked): Promise<void> {
  for (const size of [100, 300]) assert.is((await upload(size, size)).status, 409, `${size}`);
  const { status, text } = await get(`${prefix}/checkpoint`);
  if (status === 200) assert.match(text, /^log\.test\/mirrored\n600\n/);
  else assert.is(status, 404);
}

test('a mirror signs no part of a tree while it is filled again', async () => {
  const data = newData();
  const { witness, mirror } = await during(data, (asked) => advance(asked, 0, 600, 0));
  const head = withLines(log.checkpoint(600), mirror);
  rmSync(join(data, 'mirror'), { recursive: true });
  await during(data, async ({ subtree }) => assert.is((await subtree(head)).status, 503, 'its copy is gone'));
  assert.equal((await unlockWitness({ data })).refilled, [log.origin]);
  await during(data, async ({ subtree, upload }) => {
    assert.match((await subtree(head)).text, /witness\/incomplete/);
    assert.is((await subtree(withLines(log.checkpoint(600), witness))).status, 200, 'the witness needs no entries');
    assert.is((await upload(0, 600)).status, 200);
    assert.is((await subtree(head)).status, 200);
  });
});

test('a head that the mirror cosigned is news although the witness knows it', async () => {
  const data = newData();
  const backup = temporaryFolder();
  await during(data, (asked) => advance(asked, 0, 300, 0));
  await during(data, (asked) => advance(asked, 300, 600));
  copy(data, backup, [...STORE, 'anchor']);
  const { text } = await during(data, ({ upload }) => upload(300, 600));
  for (const signed of [true, false]) {
    copy(backup, data, [...STORE, 'anchor']);
    const note = withLines(log.checkpoint(600), text);
    const shown = signed ? note : encodeUtf8(decodeUtf8(note).replace(/— log\.test[^\n]+\n/, ''));
    await during(data, async (asked) => {
      assert.is(asked.locked, undefined);
      assert.is((await asked.subtree(shown)).status, 503);
      assert.match(asked.locked ?? '', /this mirror cosigned .* at size 600 before.* knows only size 300/);
    });
    await unlockWitness({ data });
    await during(data, async (asked) => {
      await expectNothingSmaller(asked);
      // Without the signature of the log there is nothing to serve yet.
      assert.is((await asked.get(`${prefix}/checkpoint`)).status, signed ? 200 : 404);
      assert.is((await asked.upload(600, 600)).status, 200);
      assert.is((await asked.get(`${prefix}/checkpoint`)).status, 200);
    });
  }
});

test('an older store goes on from the head that both have cosigned', async () => {
  const { data, at600 } = await rolled(STORE);
  const newest = withLines(log.checkpoint(600), at600.witness + at600.mirror);
  assert.equal((await unlockWitness({ data }, [newest])).refilled, []);
  await during(data, async (asked) => {
    assert.is((await asked.get(`${prefix}/checkpoint`)).status, 200);
    await expectNothingSmaller(asked);
    assert.is((await asked.subtree(newest)).status, 200);
  });
});

for (const restored of [STORE, [...STORE, 'mirror']])
  for (const mirroredAtFirst of [true, false])
    test(`a mirror of which no head is given goes on from the witness's (${restored.length}, ${mirroredAtFirst})`, async () => {
      const { data, at600 } = await rolled(restored, mirroredAtFirst);
      const unlocked = await unlockWitness({ data }, [withLines(log.checkpoint(600), at600.witness)]);
      assert.equal(unlocked.refilled, [log.origin]);
      await during(data, async (asked) => {
        assert.is((await asked.get(`${prefix}/checkpoint`)).status, 404);
        await expectNothingSmaller(asked);
        const held = restored === STORE ? 600 : mirroredAtFirst ? 100 : 0;
        assert.is((await asked.upload(held, 600)).status, 200);
        await expectNothingSmaller(asked);
        assert.is((await asked.get(`${prefix}/checkpoint`)).status, 200);
      });
    });

test('a head that only the mirror cosigned is enough for both, and its copy is filled again', async () => {
  const { data, at600 } = await rolled([...STORE, 'mirror']);
  const { adopted } = await unlockWitness({ data }, [withLines(log.checkpoint(600), at600.mirror)]);
  assert.equal(adopted, [{ origin: log.origin, size: 600n }]);
  await during(data, async (asked) => {
    assert.is(asked.locked, undefined);
    await expectNothingSmaller(asked);
    const { text } = await asked.get(`${originHash(log.origin)}/checkpoint`);
    assert.ok(text.startsWith('log.test/mirrored\n600\n') && text.includes(`— ${NAME} `));
    assert.is((await asked.upload(100, 600)).status, 200);
    assert.is((await asked.get(`${prefix}/checkpoint`)).status, 200);
  });
});

test('an older head of the mirror beside the newest of the witness is taken at its word, and no older than what is known', async () => {
  const { data, at300, at600 } = await rolled([...STORE, 'anchor']);
  const heads = [withLines(log.checkpoint(600), at600.witness), withLines(log.checkpoint(300), at300.mirror)];
  // The mirror's newest head was shown before.
  await during(data, async ({ add, locked }) => {
    assert.is(locked, undefined);
    const shown = await add(withLines(await log.growth(100, 600), at600.mirror));
    assert.is(shown.status, 503);
  });
  await unlockWitness({ data }, heads);
  await during(data, expectNothingSmaller);
});

test('what locked it is adopted without being given, and no second history of it is cosigned', async () => {
  const { data, at600 } = await rolled([...STORE, 'anchor']);
  await during(data, async (asked) => {
    assert.is(asked.locked, undefined);
    assert.is((await asked.add(withLines(await log.growth(100, 600), at600.witness))).status, 503);
  });
  assert.equal((await unlockWitness({ data })).adopted, [{ origin: log.origin, size: 600n }]);
  const fork = new MemoryLog(log.origin, 100).grow(600, (i) => `fork ${i}`);
  await during(data, async ({ add }) => {
    assert.equal(await add(await fork.growth(100, 600)), { status: 409, text: '600\n' });
    assert.is((await add(await fork.growth(600, 600))).status, 422);
    assert.is((await add(await log.growth(600, 600))).status, 200);
  });
});

test('it never goes on below a head that it was shown without the signature of the log', async () => {
  const { data, at300, at600 } = await rolled([...STORE, 'anchor']);
  const newest = withLines(log.checkpoint(600), at600.witness);
  await during(data, async (asked) => {
    assert.is((await asked.subtree(encodeUtf8(decodeUtf8(newest).replace(/— log\.test[^\n]+\n/, '')))).status, 503);
    assert.match(asked.locked ?? '', /at size 600 before/);
  });
  const older = withLines(log.checkpoint(300), at300.witness);
  assert.is(await codeOf(unlockWitness({ data })), 'witness/forgotten');
  assert.is(await codeOf(unlockWitness({ data }, [older], { riskSecondHistory: true })), 'witness/forgotten');
  assert.equal((await unlockWitness({ data }, [newest])).adopted, [{ origin: log.origin, size: 600n }]);
  await during(data, expectNothingSmaller);
});

test('a head of each log is needed, also of one that the store has forgotten', async () => {
  const { data, at600 } = await rolled(STORE);
  const newest = withLines(log.checkpoint(600), at600.witness);
  const other = new MemoryLog('log.test/forgotten', 3);
  const path = join(data, 'logs.txt');
  writeFileSync(path, [log, other].map(({ signer }) => `log ${formatVerifierKey(signer.key)}\n`).join(''));
  assert.is(await codeOf(unlockWitness({ data })), 'witness/unvouched');
  assert.is(await codeOf(unlockWitness({ data }, [newest])), 'witness/unvouched');
  await during(data, async ({ locked }) => assert.match(locked ?? '', /older copy/));
  const { adopted } = await unlockWitness({ data }, [newest], { riskSecondHistory: true });
  assert.equal(adopted, [{ origin: log.origin, size: 600n }]);
});

test("the number of changes stands for the mirror's heads too", async () => {
  const data = newData();
  await during(data, (asked) => advance(asked, 0, 100, 0));
  const { db, lock } = openDatabase(join(data, 'witness.db'), { mode: 'open' }, WITNESS_SCHEMA);
  db.exec("DROP TRIGGER mirrors_grow; UPDATE mirrors SET size = x'0000000000000063'");
  db.close();
  lock?.close();
  await during(data, async ({ locked }) => assert.match(locked ?? '', /of different copies/));
});

test.run();
