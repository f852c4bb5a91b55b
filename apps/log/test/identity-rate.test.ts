import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { identityRecord, type MemoryLog, makeStatement, memoryLog, SEED, signerFrom } from './fixture.js';

// On a slow machine a second passes between two submissions, and with it what is refused: here none does.
const now = performance.now();
performance.now = () => now;

const bob = signerFrom();
const limited = (burst: number): Promise<MemoryLog> => memoryLog({ config: { identity_rate: 1, identity_burst: burst } });
const byBob = (parts: Parameters<typeof makeStatement>[0] = {}) => makeStatement({ id: 'bob', signer: bob, ...parts });

/** Statuses of statements that are posted one after the other. */
async function statusesOf(log: MemoryLog, entries: readonly Uint8Array[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const entry of entries) statuses.push((await log.post(entry)).status);
  return statuses;
}

/** Enrols Bob. */
async function enrol(log: MemoryLog): Promise<void> {
  const record = identityRecord('enrol', 'bob', bob, ['engineer']);
  assert.is((await log.post((await makeStatement({ record })).entry)).status, 201);
}

test('an identity that submits too much gets 429 with Retry-After, wherever it comes from; others go on', async () => {
  const log = await limited(3);
  await enrol(log);
  const entries = (await Promise.all(Array.from({ length: 5 }, () => byBob()))).map(({ entry }) => entry);
  assert.equal(await statusesOf(log, entries), [201, 201, 201, 429, 429]);
  const refused = await log.post(entries[4]);
  assert.is(refused.headers.get('retry-after'), '1');
  const { code, retry_after } = await refused.json();
  assert.equal([code, retry_after], ['request/identity-rate', 1]);
  assert.is((await log.post((await makeStatement()).entry)).status, 201, 'the administrator has a bucket of their own');
  assert.is(log.size(), 6);
  assert.match(
    await (await log.app.request('/metrics')).text(),
    /treering_submissions_total\{outcome="request\/identity-rate"\} 3/,
  );
});

test('what is logged already costs nothing: nobody can spend the rate of another by sending their entries again', async () => {
  const log = await limited(2);
  await enrol(log);
  const { entry } = await byBob();
  assert.is((await log.post(entry)).status, 201);
  assert.equal(
    await statusesOf(
      log,
      Array.from({ length: 20 }, () => entry),
    ),
    Array.from({ length: 20 }, () => 200),
  );
  const [second, third] = [await byBob(), await byBob()];
  assert.equal(await statusesOf(log, [second.entry, third.entry, entry]), [201, 429, 200]);
});

test('who only says that they are somebody spends nothing of theirs', async () => {
  const log = await limited(2);
  await enrol(log);
  const forged = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const { entry } = await byBob();
      entry[entry.length - 1] ^= 1;
      return entry;
    }),
  );
  const strangers = await Promise.all(Array.from({ length: 10 }, () => makeStatement({ id: 'bob', signer: signerFrom() })));
  assert.equal([...new Set(await statusesOf(log, [...forged, ...strangers.map(({ entry }) => entry)]))], [401]);
  assert.equal(await statusesOf(log, [(await byBob()).entry, (await byBob()).entry, (await byBob()).entry]), [201, 201, 429]);
});

test('two keys of one identity share what it may submit', async () => {
  const log = await limited(2);
  await enrol(log);
  const second = signerFrom();
  const record = identityRecord('enrol', 'bob', second, ['engineer']);
  const prev = await latest(log, 'identity/bob');
  assert.is(
    (await log.post((await makeStatement({ record: { ...record, prev }, signer: signerFrom(SEED.admin) })).entry)).status,
    201,
  );
  const entries = [await byBob({ signer: second }), await byBob(), await byBob({ signer: second }), await byBob()].map(
    ({ entry }) => entry,
  );
  assert.equal(await statusesOf(log, entries), [201, 201, 429, 429]);
});

/** The leaf hash of the newest record about a subject. */
async function latest(log: MemoryLog, subject: string): Promise<Uint8Array> {
  const { records } = await log.json(`/v1/subjects/${subject}`);
  return new Uint8Array(Buffer.from(records[0].leaf, 'hex'));
}

test('statements of a batch, and those of SCITT clients, are counted as single ones', async () => {
  const log = await limited(2);
  await enrol(log);
  const entries = (await Promise.all(Array.from({ length: 3 }, () => byBob()))).map(({ entry }) => entry);
  const batch = await log.json('/v1/entries:batch', {
    method: 'POST',
    headers: { 'Content-Type': 'application/cbor-seq' },
    body: new Uint8Array(Buffer.concat(entries)),
  });
  const results = (batch as { results: { status: number; retry_after?: number }[] }).results;
  assert.equal(
    results.map(({ status }) => status),
    [201, 201, 429],
  );
  assert.is(results[2].retry_after, 1);
  const scitt = await log.app.request('/entries', {
    method: 'POST',
    headers: { 'Content-Type': 'application/cose' },
    body: entries[2] as Uint8Array<ArrayBuffer>,
  });
  assert.equal([scitt.status, scitt.headers.get('retry-after')], [429, '1']);
});

test('without the setting nobody is limited', async () => {
  const log = await memoryLog();
  const entries = (await Promise.all(Array.from({ length: 30 }, () => makeStatement()))).map(({ entry }) => entry);
  assert.equal([...new Set(await statusesOf(log, entries))], [201]);
});

test.run();
