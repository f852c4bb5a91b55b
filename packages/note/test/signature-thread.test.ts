import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { portableEd25519 } from '../src/index.js';
import { nodeEd25519, SignatureThread, type SignatureThreadOptions } from '../src/node/index.js';
import { packSignatures, unpackSignatures } from '../src/node/packed-signatures.js';
import { type SignedMessage, TableMismatchError } from '../src/tables/index.js';
import { seed } from './fixtures.js';

const BUILT = new URL('../dist/node/signature-worker.js', import.meta.url);

/** Signatures of five keys, of which every third was changed in one place. */
const mixed = (count: number): SignedMessage[] =>
  Array.from({ length: count }, (_, i): SignedMessage => {
    const own = seed(`signer ${i % 5}`);
    const message = new Uint8Array((i * 7) % 300).fill(i);
    const item = { publicKey: nodeEd25519.publicKey(own), message, signature: nodeEd25519.sign(own, message) };
    if (i % 3 !== 0) return item;
    const part = i % 2 === 0 ? 'signature' : 'publicKey';
    const changed = item[part].slice();
    changed[i % changed.length] ^= 1 << (i % 8);
    return { ...item, [part]: changed };
  });

const verdictsOf = (items: readonly SignedMessage[]): boolean[] =>
  items.map(({ publicKey, message, signature }) => portableEd25519.verify(publicKey, message, signature));

const all = (thread: SignatureThread, items: readonly SignedMessage[]): Promise<boolean[]> =>
  Promise.all(items.map(({ publicKey, message, signature }) => thread.verify(publicKey, message, signature)));

/** A thread that is ready, and the worker behind it. */
async function ready(options: SignatureThreadOptions = {}): Promise<{ thread: SignatureThread; worker: Worker }> {
  let worker: Worker | undefined;
  let first: Promise<unknown> | undefined;
  const start = (): Worker => {
    worker = options.start?.() ?? new Worker(BUILT, { execArgv: [] });
    // The first message of a worker says that it is ready.
    first = once(worker, 'message');
    return worker;
  };
  const thread = new SignatureThread({ startAfter: 0, ...options, start });
  const item = mixed(2)[1];
  await thread.verify(item.publicKey, item.message, item.signature);
  assert.ok(worker);
  // Nothing else keeps this process alive until then.
  worker?.ref();
  await first;
  worker?.unref();
  return { thread, worker: worker as Worker };
}

test('the verdicts of the thread are the portable ones, in order, with and without tables', async () => {
  const { thread } = await ready();
  const items = mixed(400);
  const expected = verdictsOf(items);
  for (let round = 1; round <= 2; round++) {
    assert.equal(await all(thread, items), expected);
    assert.is(thread.answered, 400 * round);
  }
  for (const index of [1, 3, 4]) assert.equal(await all(thread, items.slice(index, index + 1)), [expected[index]]);
  await thread.close();
});

test('wrong lengths are refused without asking, and an empty message is a message', async () => {
  const { thread } = await ready();
  const own = seed('lengths');
  const item = {
    publicKey: nodeEd25519.publicKey(own),
    message: new Uint8Array(0),
    signature: nodeEd25519.sign(own, new Uint8Array(0)),
  };
  const wrong = [0, 31, 33].map((length) => ({ ...item, publicKey: new Uint8Array(length) }));
  const short = [0, 63, 65].map((length) => ({ ...item, signature: new Uint8Array(length) }));
  assert.equal(await all(thread, [...wrong, item, ...short]), [false, false, false, true, false, false, false]);
  assert.is(thread.answered, 1);
  await thread.close();
});

test('long messages, and calls beyond those that may wait, are answered by the pool', async () => {
  const { thread } = await ready();
  const own = seed('long');
  const message = new Uint8Array(65_537).fill(1);
  const signature = nodeEd25519.sign(own, message);
  assert.is(await thread.verify(nodeEd25519.publicKey(own), message, signature), true);
  assert.is(thread.answered, 0);
  const items = mixed(600);
  assert.equal(await all(thread, items), verdictsOf(items));
  assert.is(thread.answered, 512);
  await thread.close();
});

test('no thread is started for few verifications', async () => {
  let started = 0;
  const start = (): Worker => {
    started++;
    return new Worker(BUILT, { execArgv: [] });
  };
  const thread = new SignatureThread({ startAfter: 20, start });
  const items = mixed(20);
  assert.equal(await all(thread, items), verdictsOf(items));
  assert.is(started, 0);
  assert.equal(await all(thread, items.slice(0, 2)), verdictsOf(items.slice(0, 2)));
  assert.is(started, 1);
  await thread.close();
  assert.equal(await all(thread, items), verdictsOf(items));
  assert.is(started, 1, 'a closed thread is not started again');
});

test('a thread that is killed in the middle: every call is answered, and it is said once', async () => {
  const lost: Error[] = [];
  const { thread, worker } = await ready({ onLost: (error) => lost.push(error) });
  const items = mixed(300);
  const first = all(thread, items);
  const killed = worker.terminate();
  const second = all(thread, items);
  assert.equal(await first, verdictsOf(items));
  assert.equal(await second, verdictsOf(items));
  await killed;
  const before = thread.answered;
  assert.equal(await all(thread, items), verdictsOf(items));
  assert.is(thread.answered, before);
  assert.is(lost.length, 1);
  assert.match(lost[0].message, /verified without tables, their thread is lost: it has ended/);
});

test('a thread that fails, or that cannot be started, is said once, and the calls are answered', async () => {
  const failing =
    "const { parentPort } = require('node:worker_threads'); parentPort.on('message', () => { throw new Error('broken'); }); parentPort.postMessage('ready');";
  const items = mixed(100);
  const messages: string[] = [];
  const onLost = (error: Error): void => {
    messages.push(error.message);
  };
  const { thread } = await ready({ onLost, start: () => new Worker(failing, { eval: true }) });
  assert.equal(await all(thread, items), verdictsOf(items));
  const start = (): Worker => {
    throw new Error('no thread');
  };
  assert.equal(await all(new SignatureThread({ startAfter: 0, onLost, start }), items), verdictsOf(items));
  assert.equal(
    messages.map((message) => message.replace(/^.*: /, '')),
    ['broken', 'no thread'],
  );
});

test('a mismatch is an error of the calls of its group, and the thread is given up', async () => {
  const lying =
    "const { parentPort } = require('node:worker_threads'); parentPort.on('message', () => parentPort.postMessage('mismatch')); parentPort.postMessage('ready');";
  const lost: Error[] = [];
  const { thread } = await ready({ onLost: (error) => lost.push(error), start: () => new Worker(lying, { eval: true }) });
  const items = mixed(64 + 3);
  const settled = await Promise.allSettled(
    items.map(({ publicKey, message, signature }) => thread.verify(publicKey, message, signature)),
  );
  assert.ok(
    settled.slice(0, 64).every((result) => result.status === 'rejected' && result.reason instanceof TableMismatchError),
  );
  assert.equal(
    settled.slice(64).map((result) => result.status === 'fulfilled' && result.value),
    verdictsOf(items.slice(64)),
  );
  assert.is(lost.length, 1);
  assert.ok(lost[0].cause instanceof TableMismatchError);
  assert.equal(await all(thread, items), verdictsOf(items));
});

test('closing answers what waits, says nothing, and may be done twice', async () => {
  const { thread } = await ready({ onLost: () => assert.unreachable('it was closed') });
  const items = mixed(130);
  const verdicts = all(thread, items);
  await thread.close();
  assert.equal(await verdicts, verdictsOf(items));
  await thread.close();
  await new SignatureThread().close();
});

/** Runs statements in a process of its own, where `thread.verify(...item)` holds, and says how it ended. */
function runScript(statements: string): { status: number | null; stdout: string } {
  const script = `
    import { nodeEd25519, SignatureThread } from ${JSON.stringify(new URL('../dist/node/index.js', import.meta.url).href)};
    const thread = new SignatureThread({ startAfter: 0, onLost: () => process.exit(3) });
    const own = new Uint8Array(32);
    const item = [nodeEd25519.publicKey(own), new Uint8Array(9), nodeEd25519.sign(own, new Uint8Array(9))];
    ${statements}
    process.stdout.write('done');
  `;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout };
}

test('a process ends by itself when nothing waits for the thread', () => {
  const untilAnswered = `
    for (let calls = 0; thread.answered === 0 && calls < 1e6; calls++) if (!(await thread.verify(...item))) process.exit(2);
    if (thread.answered === 0) process.exit(4);
  `;
  assert.equal(runScript(untilAnswered), { status: 0, stdout: 'done' });
});

test('a process ends by itself while the thread starts, or before it was asked anything', () => {
  assert.equal(runScript('await thread.verify(...item);'), { status: 0, stdout: 'done' });
  const untilReady = 'await thread.verify(...item); await new Promise((resolve) => setTimeout(resolve, 1000));';
  assert.equal(runScript(untilReady), { status: 0, stdout: 'done' });
});

test('what is packed is unpacked alike', () => {
  for (const count of [0, 1, 7]) assert.equal(unpackSignatures(packSignatures(mixed(count))), mixed(count));
});

test.run();
