import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSigner, formatCheckpoint, formatNote, KEY_TYPE } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createHeadMemory, type HeadMemory, type VerifiedHead } from '../src/index.js';
import { createFileHeadMemory } from '../src/node/index.js';
import { alterJson, codeOf, type Lie, lying, ORIGIN, refusal, startLog, type TestLog, temporaryFolder } from './fixture.js';

/*
 * One log whose operator went on with two copies of its folder: both sign with the same key.
 *
 *   a:  0 ── common ── 6 entries ── 9 entries
 *   b:                         \─── 9 other entries ── 12 entries
 */
const first = await startLog();
for (let i = 0; i < 5; i++) await first.client().submit(await first.statement({ subject: `model/m${i}` }), 'witnessed');
await first.served.close();
const copy = temporaryFolder();
cpSync(first.data, copy, { recursive: true });
const a = await startLog(first.data);
const b = await startLog(copy);
const common = await a.client().head();
await grow(a, 3);
await grow(b, 3);
const sizeNine = { a: await a.client().head(), b: await b.client().head() };
await grow(b, 3);
const longB = await b.client().head();

test.after(async () => {
  await a.served.close();
  await b.served.close();
});

async function grow(log: TestLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await log.client().submit(await log.statement({ subject: `model/g${Math.random()}` }), 'witnessed');
}

/** A memory that has seen a head. */
async function remembering(head: VerifiedHead): Promise<HeadMemory & { size(): Promise<number> }> {
  const memory = createHeadMemory();
  await memory.replace(ORIGIN, undefined, head.note);
  return { ...memory, size: async () => sizeOf(await memory.load(ORIGIN)) };
}

function sizeOf(note: Uint8Array | undefined): number {
  return Number(new TextDecoder().decode(note).split('\n')[1]);
}

test('the two copies are as drawn', () => {
  assert.equal([common.size, sizeNine.a.size, sizeNine.b.size, longB.size], [6, 9, 9, 12]);
  assert.not.equal(sizeNine.a.root, sizeNine.b.root);
});

test('a head that extends the remembered one is taken, and remembered instead', async () => {
  const memory = await remembering(common);
  const head = await a.client({ memory }).head();
  assert.ok(head.size >= 9);
  assert.is(await memory.size(), head.size);
});

test('an older head of the same history can still be used, and is not remembered', async () => {
  const memory = await remembering(sizeNine.a);
  assert.is((await a.client({ memory }).adopt(common.note)).size, 6);
  assert.is(await memory.size(), 9);
});

const forks: readonly [string, VerifiedHead, TestLog][] = [
  ['another root for the same size', sizeNine.a, b],
  ['a longer history that forgot the remembered one', sizeNine.a, b],
  ['a shorter history beside a longer remembered one', longB, a],
];

for (const [name, remembered, log] of forks) {
  test(`a fork is noticed: ${name}`, async () => {
    const memory = await remembering(remembered);
    const client = log.client({ memory });
    const note = name.includes('same size') ? sizeNine.b.note : (await log.client().head()).note;
    // A copy that cannot prove a size which it never had refuses to, and is no more believed for that.
    assert.match(await codeOf(client.adopt(note)), /^client\/(inconsistent|refused)$/);
    assert.is(await memory.size(), remembered.size, 'the memory stays as it was');
    await refusal(client.entry(0));
    await refusal(client.submit(await log.statement({ subject: `model/f${Math.random()}` })));
    assert.is(await memory.size(), remembered.size);
  });
}

test('two roots for one size are called what they are, and both heads are to be kept', async () => {
  const error = await refusal(b.client({ memory: await remembering(sizeNine.a) }).adopt(sizeNine.b.note));
  assert.is(error.code, 'client/inconsistent');
  assert.match(error.message, /two roots for size 9/);
  assert.match(error.message, /Keep both signed heads/);
});

test('a longer fork is called what it is', async () => {
  const error = await refusal(b.client({ memory: await remembering(sizeNine.a) }).adopt(longB.note));
  assert.is(error.code, 'client/inconsistent');
});

test('a log that was rolled back is not believed', async () => {
  // The copy is honest about its own history, but the remembered head is beyond it.
  const memory = await remembering(longB);
  const rolledBack: Lie = ({ path }) =>
    path === '/checkpoint' ? new Response(sizeNine.a.note as Uint8Array<ArrayBuffer>) : undefined;
  const error = await refusal(a.client({ memory, fetch: lying(a.url, rolledBack) }).head());
  assert.is(error.code, 'client/inconsistent');
  assert.match(error.message, 'gives out a head of 9 entries, has shown one of 12 before');
  assert.is(await memory.size(), 12);
});

const proofs = /^\/v1\/proof\/consistency/;
const evasions: Readonly<Record<string, Lie>> = {
  refused: ({ path }) => (proofs.test(path) ? Response.json({ detail: 'no' }, { status: 403 }) : undefined),
  'not found': ({ path }) => (proofs.test(path) ? new Response('', { status: 404 }) : undefined),
  broken: ({ path }) => (proofs.test(path) ? new Response('oops', { status: 500 }) : undefined),
  garbage: ({ path }) => (proofs.test(path) ? new Response('garbage') : undefined),
  empty: alterJson(proofs, (j) => ({ ...j, hashes: [] })),
  missing: alterJson(proofs, (j) => void delete j.hashes),
  'not of hashes': alterJson(proofs, (j) => ({ ...j, hashes: [1, 2, 3] })),
  'with a flipped bit': alterJson(proofs, (j) => {
    const bytes = Buffer.from(j.hashes[0], 'base64');
    bytes[0] ^= 1;
    j.hashes[0] = bytes.toString('base64');
  }),
  'one hash too long': alterJson(proofs, (j) => void j.hashes.push(j.hashes[0])),
  'in another order': alterJson(proofs, (j) => void j.hashes.reverse()),
  'for other sizes': async ({ path, honest }) => (proofs.test(path) ? honest('/v1/proof/consistency?from=5&to=9') : undefined),
};

for (const [name, lie] of Object.entries(evasions)) {
  test(`a consistency proof that is ${name} proves nothing`, async () => {
    const memory = await remembering(common);
    await refusal(a.client({ memory, fetch: lying(a.url, lie) }).head());
    assert.is(await memory.size(), 6, 'the memory stays as it was');
  });
}

test('a fork behind a borrowed consistency proof is not taken', async () => {
  const memory = await remembering(sizeNine.a);
  // The liar shows the head of b, and the honest proof that a's own tree of six is in its tree of nine.
  const lie: Lie = async ({ path }) => {
    if (path === '/checkpoint') return new Response(longB.note as Uint8Array<ArrayBuffer>);
    return proofs.test(path) ? fetch(`${a.url}/v1/proof/consistency?from=6&to=9`) : undefined;
  };
  assert.is(await codeOf(a.client({ memory, fetch: lying(a.url, lie) }).head()), 'client/inconsistent');
  assert.is(await memory.size(), 9);
});

test('a signed head whose size is beyond 2^53 is not taken', async () => {
  const { seed } = await readKeyFile(join(a.data, 'keys', 'log.key'));
  const signer = createSigner(ORIGIN, KEY_TYPE.ed25519, seed, nodeEd25519);
  const text = formatCheckpoint({ origin: ORIGIN, size: 2n ** 60n, root: new Uint8Array(32), extensions: [] });
  const note = formatNote({ text, signatures: [signer.sign(text)] });
  assert.is(await codeOf(a.client().adopt(note)), 'client/not-verified');
});

test('a signed empty head with the root of no empty tree is not taken', async () => {
  const { seed } = await readKeyFile(join(a.data, 'keys', 'log.key'));
  const signer = createSigner(ORIGIN, KEY_TYPE.ed25519, seed, nodeEd25519);
  const text = formatCheckpoint({ origin: ORIGIN, size: 0n, root: new Uint8Array(32).fill(5), extensions: [] });
  const note = formatNote({ text, signatures: [signer.sign(text)] });
  const memory = createHeadMemory();
  await refusal(a.client({ memory }).adopt(note));
  assert.is(await memory.load(ORIGIN), undefined);
});

test('what is remembered on disk holds across clients, and a fork is noticed by the next one', async () => {
  const folder = temporaryFolder();
  await a.client({ memory: createFileHeadMemory(folder) }).head();
  await refusal(b.client({ memory: createFileHeadMemory(folder) }).head());
  assert.ok((await a.client({ memory: createFileHeadMemory(folder) }).head()).size >= 9);
});

test('of two processes that share a memory, the one that was kept waiting does not accept another history', async () => {
  for (const [shown, size] of [
    [sizeNine.a, 12],
    [sizeNine.a, 9],
  ] as const) {
    const folder = temporaryFolder();
    const memory = () => createFileHeadMemory(folder);
    await a.client({ memory: memory() }).adopt(common.note);
    let accepted: number | undefined;
    // The log keeps the second process waiting for its proof until the first one was shown the other history.
    const waiting: typeof fetch = async (url, init) => {
      if (String(url).includes('consistency') && accepted === undefined)
        accepted = (await a.client({ memory: memory() }).adopt(shown.note)).size;
      return fetch(url, init);
    };
    const head = size === 12 ? longB : sizeNine.b;
    assert.is(await codeOf(b.client({ memory: memory(), fetch: waiting }).adopt(head.note)), 'client/inconsistent');
    assert.is(accepted, 9);
    assert.equal(await memory().load(ORIGIN), shown.note);
  }
});

test('a reader who goes over to a new log key keeps what she remembers under the old one', async () => {
  const folder = temporaryFolder();
  const old = createSigner(ORIGIN, KEY_TYPE.ed25519, new Uint8Array(32).fill(7), nodeEd25519);
  const signedByOld = ({ size, root }: VerifiedHead): Uint8Array => {
    const text = formatCheckpoint({ origin: ORIGIN, size: BigInt(size), root, extensions: [] });
    return formatNote({ text, signatures: [old.sign(text)] });
  };
  const newest = await a.client().head();
  const memory = createFileHeadMemory(folder);
  await memory.replace(ORIGIN, undefined, signedByOld(newest));

  assert.is(
    await codeOf(b.client({ memory }).head()),
    'client/inconsistent',
    'the old head still holds the log to its history',
  );
  assert.equal(await memory.load(ORIGIN), signedByOld(newest));
  assert.is((await a.client({ memory }).head()).size, newest.size);
  assert.equal(
    Buffer.from((await memory.load(ORIGIN)) ?? []),
    Buffer.from((await a.client().head()).note),
    'the head of the same size is remembered with the new signature',
  );
});

test('a remembered head that was damaged on disk is not silently replaced', async () => {
  const folder = temporaryFolder();
  await a.client({ memory: createFileHeadMemory(folder) }).head();
  const [name] = readdirSync(folder);
  for (const damage of ['', 'garbage', readFileSync(join(folder, name), 'utf8').replace(/\n\d+\n/, '\n8\n')]) {
    writeFileSync(join(folder, name), damage);
    let failed = false;
    await a
      .client({ memory: createFileHeadMemory(folder) })
      .head()
      .catch(() => {
        failed = true;
      });
    assert.ok(failed, JSON.stringify(damage.slice(0, 30)));
    assert.is(readFileSync(join(folder, name), 'utf8'), damage);
  }
});

test.run();
