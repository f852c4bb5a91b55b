import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseEvent, parseMapping, RecorderError, RecorderStore, type Waiting, Worker } from '../src/index.js';
import { segmentOf } from '../src/segment.js';
import { body, created, FakeLog, folder, NOW, recorder, silent } from './fixture.js';

/** A store with a worker over a log that is faked, and models in a folder. */
function bench() {
  const root = folder();
  for (const name of ['m-1', 'm-2', 'm-3']) mkdirSync(join(root, name));
  const { store, path } = recorder();
  const log = new FakeLog();
  const at = { now: NOW };
  const over = (store: RecorderStore): Worker =>
    new Worker({
      store,
      publisher: log,
      mappings: [parseMapping(`models:/=${root}`)],
      logger: silent,
      clock: () => at.now,
      pause: 1000,
    });
  let n = 0;
  const receive = (bytes: Uint8Array, to = store): void => {
    assert.is(to.receive(`d-${n++}`, bytes, parseEvent(bytes), at.now), 'new');
  };
  /** Works on everything that is due. */
  const drain = async (worker: Worker, of = store): Promise<void> => {
    for (let due = of.due(at.now); due !== undefined; due = of.due(at.now)) if (!(await worker.work(due as Waiting))) return;
  };
  return { store, path, log, at, over, receive, drain, root };
}

const states = (store: RecorderStore): string[] =>
  store
    .list(99)
    .map(({ state }) => state)
    .reverse();

test('what a delivery announces is hashed where the mapping leads, and recorded under its segment', async () => {
  const { store, log, over, receive, drain, root } = bench();
  receive(created('Wink Triäge', '3', 'models:/m-1'));
  await drain(over(store));
  assert.equal(log.prepared, [
    {
      name: 'Wink Triäge',
      segment: 'wink-tri-ge',
      version: '3',
      source: 'models:/m-1',
      folder: join(root, 'm-1'),
      reason: 'Version 3 of Wink Triäge was registered in MLflow.',
    },
  ]);
  assert.equal(states(store), ['recorded']);
  assert.equal(store.list(1)[0].leaf?.[0], 1);
  store.close();
});

test('an answer that is lost, and a kill behind it, log nothing twice', async () => {
  const { store, path, log, over, receive, drain, at } = bench();
  receive(created('Wink', '1', 'models:/m-1'));
  log.failures.push({ in: 'submit', error: new RecorderError('recorder/unavailable', 'no answer'), after: true });
  await drain(over(store));
  assert.equal([states(store), log.logged.length], [['waiting'], 1]);
  store.close();
  // Another process: it knows only what is on disk.
  const again = RecorderStore.open(path, { mode: 'open' });
  at.now += 3_600_000;
  again.retryAll();
  await drain(over(again), again);
  assert.equal(states(again), ['recorded']);
  assert.equal([log.sent.length, log.logged.length, log.prepared.length], [2, 1, 1]);
  assert.is(log.sent[0], log.sent[1]);
  again.close();
});

test('a statement that the log takes no more is dropped, and another one is signed', async () => {
  const { store, log, over, receive, drain, at } = bench();
  receive(created('Wink', '1', 'models:/m-1'));
  log.failures.push({ in: 'submit', error: new RecorderError('recorder/stale', 'somebody was faster') });
  await drain(over(store));
  assert.equal(states(store), ['waiting']);
  assert.is(store.due(at.now), undefined, 'not at once');
  at.now += 1_000;
  await drain(over(store));
  assert.equal([states(store), log.prepared.length, log.logged.length], [['recorded'], 2, 1]);
  store.close();
});

test('a failure of one delivery holds up no other; its repetitions come later and later', async () => {
  const { store, log, over, receive, drain, at, root } = bench();
  receive(created('Wink', '1', 'models:/not-yet'));
  receive(created('Wink', '2', 'models:/m-2'));
  await drain(over(store));
  assert.equal(states(store), ['waiting', 'recorded']);
  const pauses: number[] = [];
  for (let i = 0; i < 4; i++) {
    const next = store.nextAt() as number;
    pauses.push(next - at.now);
    at.now = next;
    await drain(over(store));
  }
  assert.equal(pauses, [1_000, 2_000, 4_000, 8_000]);
  mkdirSync(join(root, 'not-yet'));
  at.now = store.nextAt() as number;
  await drain(over(store));
  assert.equal([states(store), log.logged.length], [['recorded', 'recorded'], 2]);
  store.close();
});

test('while the log is away everything waits, and is recorded in its order', async () => {
  const { store, log, over, receive, drain } = bench();
  const away = new RecorderError('recorder/unavailable', 'the log is away');
  for (const i of [1, 2, 3]) receive(created('Wink', String(i), `models:/m-${i}`));
  log.failures.push({ in: 'prepare', error: away }, { in: 'prepare', error: away });
  const worker = over(store);
  await drain(worker);
  await drain(worker);
  assert.equal(states(store), ['waiting', 'waiting', 'waiting']);
  await drain(worker);
  assert.equal(
    log.logged.map((text) => text.split(' ')[1]),
    ['1', '2', '3'],
  );
  store.close();
});

test('two names of the registry that would be one subject: the second one is refused, visibly', async () => {
  const { store, log, over, receive, drain } = bench();
  receive(created('Wink Triage', '1', 'models:/m-1'));
  receive(created('wink-triage', '1', 'models:/m-2'));
  receive(created('Wink Triage', '2', 'models:/m-3'));
  await drain(over(store));
  assert.equal(states(store), ['recorded', 'refused', 'recorded']);
  assert.match(store.list(3)[1].message ?? '', '"wink-triage" would be recorded as model/wink-triage, which is "Wink Triage"');
  assert.equal(
    log.prepared.map(({ name }) => name),
    ['Wink Triage', 'Wink Triage'],
  );
  assert.is(store.counts().refused, 1);
  store.close();
});

test('a source with a password is refused, and the password is neither in the store nor in what is said', async () => {
  const { store, path, log, over, receive, drain } = bench();
  receive(created('Sas', '1', 'https://user:PASSWORD@acct.example/c/m?sig=SECRET'));
  receive(created('Sas', '2', 'https://user:a/SECRET@acct.example/c/m'));
  receive(created('Sas', '3', 'models:/m-1?sig=SECRET'));
  receive(body('model_version_tag.set', { name: 'Wink', version: '1', key: 'token', value: 'SECRET' }));
  await drain(over(store));
  assert.equal([log.prepared, states(store).slice(0, 3)], [[], ['refused', 'refused', 'refused']]);
  assert.match(store.list(9)[3].message ?? '', '"https://acct.example/c/m?…" has no mapping');
  assert.match(store.list(9)[2].message ?? '', 'left out');
  assert.match(store.list(9)[1].message ?? '', 'has a query');
  store.close();
  for (const file of readdirSync(dirname(path)))
    assert.not.match(readFileSync(join(dirname(path), file), 'latin1'), /PASSWORD|SECRET/, file);
});

test('a name becomes a segment, or none', () => {
  for (const [name, segment] of [
    ['wink', 'wink'],
    ['Wink / Triage v2', 'wink-triage-v2'],
    ['catalog.schema.model', 'catalog.schema.model'],
    ['ＷＩＮＫ', 'wink'],
    ['-a-', 'a'],
    ['..', undefined],
    ['日本', undefined],
    ['', undefined],
  ] as const)
    assert.is(segmentOf(name), segment, name);
});

test('an alias leads to the files of its version; of one that never came, to its models:/ source', async () => {
  const { store, log, over, receive, drain, root } = bench();
  mkdirSync(join(root, 'Old', '7'), { recursive: true });
  receive(created('Wink', '1', 'models:/m-1'));
  receive(body('model_version_alias.created', { name: 'Wink', alias: 'champion', version: '1' }));
  receive(body('model_version_tag.set', { name: 'Old', version: '7', key: 'approved', value: 'yes' }));
  receive(body('model_version_tag.set', { name: 'Old', version: '8', key: 'approved', value: 'yes' }));
  await drain(over(store));
  assert.equal(
    log.prepared.map(({ source }) => source),
    ['models:/m-1', 'models:/m-1', 'models:/Old/7'],
  );
  assert.match(log.prepared[1].reason, 'got the alias champion');
  assert.equal(states(store), ['recorded', 'recorded', 'recorded', 'waiting']);
  store.close();
});

test('what the log has already is known, and what it refuses is not tried again before the recorder starts anew', async () => {
  const { store, log, over, receive, drain, at } = bench();
  receive(created('Wink', '1', 'models:/m-1'));
  log.failures.push({ in: 'submit', error: new RecorderError('recorder/refused', 'nobody may do that') });
  await drain(over(store));
  at.now += 1e9;
  await drain(over(store));
  assert.equal([states(store), log.logged.length], [['refused'], 0]);
  store.retryAll();
  log.prepare = async () => ({ known: new Uint8Array(32).fill(9) });
  await drain(over(store));
  assert.equal([states(store), store.list(1)[0].leaf?.[0]], [['known'], 9]);
  store.close();
});

test('attachments that the log does not take after it has the statement are kept, and tried again', async () => {
  const { store, log, over, receive, drain, at } = bench();
  const failing = (code: 'recorder/refused' | 'recorder/unavailable' | 'recorder/stale', where: 'submit' | 'upload') =>
    log.failures.push({ in: where, error: new RecorderError(code, 'not now') });
  receive(created('Wink', '1', 'models:/m-1'));
  failing('recorder/unavailable', 'upload');
  await drain(over(store));
  assert.equal([states(store), store.notUploaded(), store.list(1)[0].leaf?.[0]], [['waiting'], 1, 1]);
  at.now = store.nextAt() as number;
  failing('recorder/refused', 'upload');
  await drain(over(store));
  const [{ state, notUploaded, message, leaf }] = store.list(1);
  assert.equal([state, notUploaded, message, leaf?.[0]], ['recorded', true, 'not now', 1]);
  // Whatever becomes of the statement when it is sent again: the log has it.
  for (const code of ['recorder/refused', 'recorder/stale'] as const) {
    store.retryAll();
    failing(code, 'submit');
    await drain(over(store));
    assert.equal([store.notUploaded(), store.prepared(1)?.attachments.length], [1, 1], code);
  }
  store.retryAll();
  await drain(over(store));
  assert.equal([states(store), store.notUploaded(), store.prepared(1)], [['recorded'], 0, undefined]);
  assert.equal([log.uploaded, log.logged.length, log.prepared.length], [['ab'.repeat(32)], 1, 1]);
  assert.equal([store.list(1)[0].notUploaded, store.list(1)[0].message], [false, null]);
  store.close();
});

test('a running worker is woken by what arrives, and ends when it is told to', async () => {
  const { store, log, over, receive } = bench();
  const worker = over(store);
  worker.start();
  await wait(20);
  receive(created('Wink', '1', 'models:/m-1'));
  worker.wake();
  for (let i = 0; i < 100 && store.counts().recorded === 0; i++) await wait(10);
  assert.equal(states(store), ['recorded']);
  log.failures.push({ in: 'prepare', error: new RecorderError('recorder/unavailable', 'the log is away') });
  receive(created('Wink', '2', 'models:/m-2'));
  worker.wake();
  await wait(50);
  const asked = performance.now();
  await worker.stop();
  assert.ok(performance.now() - asked < 500, 'it does not wait until a pause is over');
  assert.equal(states(store), ['recorded', 'waiting']);
  store.close();
});

test('a store is for one process, and its names stay', async () => {
  const { store, path } = recorder();
  assert.throws(
    () => RecorderStore.open(path, { mode: 'open' }),
    (error: { code: string }) => error.code === 'storage/locked',
  );
  assert.is(store.segment('Wink'), 'wink');
  assert.is(store.segment('Wink'), 'wink');
  assert.throws(
    () => store.segment('WINK'),
    (error: RecorderError) => error.code === 'recorder/refused',
  );
  store.close();
});

test.run();
