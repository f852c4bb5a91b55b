import { decodeUtf8, openNote, parseCheckpoint, parseNote } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openWitness, signerOf } from './fixture.js';
import { leavesOf, monitoringPath, TestLog } from './test-log.js';

const log = new TestLog();
const fork = new TestLog(log.origin, leavesOf(300, 'fork', 3));

function opened() {
  const witness = openWitness();
  witness.store.addLogs([{ origin: log.origin, keys: [log.signer.key] }]);
  const kept = async (): Promise<string[]> => {
    const response = await witness.app.request(monitoringPath(log.origin).replace('checkpoint', 'contradictions'));
    assert.is(response.status, 200);
    return ((await response.json()) as { checkpoints: string[] }).checkpoints;
  };
  return { ...witness, kept };
}

test('two heads of one size are kept side by side, whatever old size the request claims', async () => {
  const { add, kept, app } = opened();
  const first = decodeUtf8(log.head(5)) + (await (await add(log.add(0, 5))).text());
  assert.equal(await kept(), []);
  assert.is((await add(fork.add(3, 5))).status, 409);
  assert.is((await add(fork.add(5, 5))).status, 422);
  assert.is((await add(log.add(5, 9))).status, 200);
  const checkpoints = await kept();
  assert.equal(checkpoints.sort(), [first, decodeUtf8(fork.head(5))].sort());
  for (const note of checkpoints) {
    const { verified, text } = openNote(parseNote(new TextEncoder().encode(note)), [log.signer.key], nodeEd25519);
    assert.is(verified.length, 1);
    assert.is(parseCheckpoint(text).size, 5n);
  }
  assert.match(await (await app.request('/metrics')).text(), /treering_witness_contradictions\{origin="log.test\/one"\} 2\n/);
});

test('a root of the empty tree that is none is evidence by itself', async () => {
  const { add, kept } = opened();
  const body = log.add(0, 0, { root: new Uint8Array(32) });
  assert.is((await add(body)).status, 422);
  assert.equal(await kept(), [decodeUtf8(log.head(0, { root: new Uint8Array(32) }))]);
});

test('what the log did not sign is no evidence, nor is a proof that does not hold', async () => {
  const { add, kept } = opened();
  assert.is((await add(log.add(0, 5))).status, 200);
  const stranger = signerOf(log.origin, log.signer.key.type, 0x44);
  assert.is((await add(fork.add(5, 5, { signers: [stranger] }))).status, 403);
  assert.is((await add(fork.add(5, 9))).status, 422);
  assert.is((await add(log.add(3, 9))).status, 409);
  assert.equal(await kept(), []);
});

test('a log that floods a witness with contradictions fills its own share and no more', async () => {
  const { add, kept, store } = opened();
  const other = new TestLog('log.test/other');
  store.addLogs([{ origin: other.origin, keys: [other.signer.key] }]);
  assert.is((await add(log.add(0, 5))).status, 200);
  for (let i = 0; i < 100; i++) {
    const extensions = ['x'.repeat(16_000)];
    assert.is((await add(log.add(5, 5, { root: new Uint8Array(32).fill(i), extensions }))).status, 422);
  }
  const checkpoints = await kept();
  assert.is(checkpoints.length, 64);
  assert.ok(checkpoints.join('').length < 64 * 20_000);
  assert.is((await add(log.add(5, 6))).status, 200, 'it goes on with the history that it knows');
  await add(other.add(0, 5));
  assert.is((await add(other.add(5, 5, { root: new Uint8Array(32) }))).status, 422);
  assert.is(store.contradictions(other.origin).length, 2, 'another log has its own share');
});

test.run();
