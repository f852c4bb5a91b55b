import { holds, REQUIRED_CLAIMS, verifyTlogProof } from '@treering/evidence';
import { nodeEd25519 } from '@treering/note/node';
import { parseReceipt, verifyReceipt } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createHeadMemory, LogClient } from '../src/index.js';
import { codeOf, ORIGIN, refusal, startLog } from './fixture.js';

const log = await startLog();

test.after(() => log.served.close());

test('a submission is verified, and comes with a proof file and a receipt that hold by themselves', async () => {
  const statement = await log.statement();
  const logged = await log.client().submit(statement);
  assert.not(logged.duplicate);
  assert.ok(logged.head.size > logged.index);
  const policy = { logs: [{ key: log.served.log.signer.key }], witnesses: [], groups: [], quorum: 'none' };
  const report = verifyTlogProof(logged.proofFile, { policy, ed25519: nodeEd25519 });
  assert.ok(holds(report.claims, REQUIRED_CLAIMS));
  assert.is(report.index, BigInt(logged.index));
  assert.equal(report.statement?.entry, statement.entry);
  const receipt = parseReceipt(logged.receipt);
  assert.equal(verifyReceipt(receipt, logged.leaf, log.served.log.receiptKey), logged.head.root);
});

test('the same statement again is the same entry', async () => {
  const statement = await log.statement();
  const first = await log.client().submit(statement);
  const second = await log.client().submit(statement);
  assert.ok(second.duplicate);
  assert.is(second.index, first.index);
  assert.equal(second.leaf, first.leaf);
});

test('waiting for the published checkpoint ends with one that covers the entry', async () => {
  const logged = await log.client().submit(await log.statement(), 'witnessed');
  assert.ok((log.served.log.publisher.published?.size ?? 0) > logged.index);
  const lines = new TextDecoder()
    .decode(logged.head.note)
    .split('\n')
    .filter((line) => line.startsWith('\u2014 '));
  assert.is(lines.length, 2, 'the published head has the ML-DSA signature too');
});

test('an entry is read by index and by leaf hash', async () => {
  const statement = await log.statement({ reason: 'Read me by index and leaf.' });
  const { index, leaf } = await log.client().submit(statement, 'witnessed');
  for (const id of [index, String(index), Buffer.from(leaf).toString('hex')]) {
    const entry = await log.client().entry(id);
    assert.is(entry.index, index);
    assert.equal(entry.statement.entry, statement.entry);
    assert.is(entry.record?.reason, 'Read me by index and leaf.');
  }
});

test('an entry that was logged a moment ago is waited for', async () => {
  const { index } = await log.client().submit(await log.statement(), 'commit');
  assert.is((await log.client().entry(index)).index, index);
});

test('history is newest first, across pages, and ends at the limit', async () => {
  const client = log.client();
  const subject = 'model/long-history';
  const indices: number[] = [];
  let prev: Uint8Array | undefined;
  for (let i = 0; i < 103; i++) {
    const logged = await client.submit(await log.statement({ subject, ...(prev === undefined ? {} : { prev }) }));
    indices.unshift(logged.index);
    prev = logged.leaf;
  }
  await log.served.log.publisher.publish();
  assert.equal(
    (await client.history(subject)).map(({ index }) => index),
    indices,
  );
  assert.equal(
    (await client.history(subject, 3)).map(({ index }) => index),
    indices.slice(0, 3),
  );
});

test('what the log refuses is told with its status, its code and its rule', async () => {
  const missing = await refusal(log.client().entry(1_000_000));
  assert.is(missing.code, 'client/refused');
  assert.is(missing.status, 404);
  assert.is(missing.problem, 'entry/missing');
  const conflict = await log.client().submit(await log.statement({ subject: 'model/prev' }));
  assert.ok(conflict.index > 0);
  const stale = await refusal(log.client().submit(await log.statement({ subject: 'model/prev', prev: new Uint8Array(32) })));
  assert.is(stale.status, 409);
});

test('a log with another key under the same name is not believed', async () => {
  const other = await startLog();
  const wrong = log.client({ trust: { origin: ORIGIN, logKeys: [other.served.log.signer.key] } });
  assert.is(await codeOf(wrong.head()), 'client/not-verified');
  assert.is(await codeOf(wrong.submit(await log.statement())), 'client/not-verified');
  assert.is(await codeOf(wrong.entry(0)), 'client/not-verified');
  const named = log.client({ trust: { origin: 'other.test/log', logKeys: [log.served.log.signer.key] } });
  assert.is(await codeOf(named.head()), 'client/not-verified');
  await other.served.close();
});

test('another receipt key than the log has is noticed', async () => {
  const other = await startLog();
  const client = log.client({ receiptKeys: [other.served.log.receiptKey] });
  assert.is(await codeOf(client.submit(await log.statement())), 'client/not-verified');
  await other.served.close();
});

test('nothing listens: unreachable, and the URL is named', async () => {
  const client = new LogClient({ url: 'http://127.0.0.1:1/', trust: { origin: ORIGIN, logKeys: [] } });
  const error = await refusal(client.head());
  assert.is(error.code, 'client/unreachable');
  assert.match(error.message, 'http://127.0.0.1:1');
});

test('many heads at once are remembered in order, and the largest stays', async () => {
  const memory = createHeadMemory();
  const client = log.client({ memory });
  const logged = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => client.submit(await log.statement({ subject: `model/many-${i}` }))),
  );
  const largest = Math.max(...logged.map(({ head }) => head.size));
  const note = await memory.load(ORIGIN);
  assert.is(Number(new TextDecoder().decode(note).split('\n')[1]), largest);
});

test('an attachment that no entry names is refused', async () => {
  const error = await refusal(log.client().putAttachment('0'.repeat(64), new Uint8Array(20), 0));
  assert.is(error.code, 'client/refused');
  assert.is(error.status, 404);
});

test.run();
