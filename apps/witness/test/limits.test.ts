import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openWitness, WITNESS_SIGNERS } from './fixture.js';
import { monitoringPath, TestLog } from './test-log.js';

const log = new TestLog();

function opened(options: { pending?: number; bodyBytes?: number } = {}) {
  const witness = openWitness(undefined, () => 1_790_000_000_000, WITNESS_SIGNERS.slice(0, 1), options);
  witness.store.addLogs([{ origin: log.origin, keys: [log.signer.key] }]);
  return witness;
}

test('429: more checkpoints than may wait for the store', async () => {
  const { add, store } = opened({ pending: 3 });
  const answers = await Promise.all(Array.from({ length: 10 }, () => add(log.add(0, 5))));
  const statuses = answers.map(({ status }) => status).sort();
  assert.is(statuses.filter((status) => status === 429).length, 7);
  assert.is(statuses.filter((status) => status === 200).length, 1);
  const [busy] = answers.filter(({ status }) => status === 429);
  assert.is(busy.headers.get('retry-after'), '1');
  assert.is(((await busy.json()) as { code: string }).code, 'witness/busy');
  assert.is(store.head(log.origin)?.size, 5n);
  // Nothing is held back by what was refused.
  for (let size = 6; size < 16; size++) assert.is((await add(log.add(size - 1, size))).status, 200);
});

test('503: more bytes of bodies than there is room for', async () => {
  const { app } = opened({ bodyBytes: 2_000 });
  const declared = (body: Uint8Array) =>
    app.request('/add-checkpoint', {
      method: 'POST',
      body: body as Uint8Array<ArrayBuffer>,
      headers: { 'Content-Length': String(body.length) },
    });
  const undeclared = await app.request('/add-checkpoint', { method: 'POST', body: new Uint8Array(2_001) });
  assert.is(undeclared.status, 503, 'a body of unknown length takes room as it comes');
  assert.is(undeclared.headers.get('retry-after'), '1');
  const answers = await Promise.all(Array.from({ length: 40 }, () => declared(log.add(0, 5))));
  const statuses = new Set(answers.map(({ status }) => status));
  assert.equal([...statuses].sort(), [200, 409, 503]);
  assert.is((await declared(log.add(5, 6))).status, 200, 'there is room again');
});

test('/healthz, /readyz and /v1/witness of a witness that works', async () => {
  const { app, add } = opened();
  const get = async (path: string) => {
    const response = await app.request(path);
    assert.is(response.status, 200, path);
    return response.json();
  };
  assert.equal(await get('/healthz'), { status: 'alive' });
  assert.equal(await get('/readyz'), { status: 'ready' });
  const about = (size: string, time: number | null) => ({
    name: 'witness.test/one',
    locked: null,
    logs: [{ origin: log.origin, hash: monitoringPath(log.origin).split('/')[1], size, time }],
    mirror: null,
  });
  const { vkeys, ...rest } = (await get('/v1/witness')) as { vkeys: string[] };
  assert.match(vkeys.join(), /^witness\.test\/one\+[0-9a-f]{8}\+/);
  assert.equal(rest, about('0', null));
  await add(log.add(0, 5));
  const { vkeys: _, ...after } = (await get('/v1/witness')) as { vkeys: string[] };
  assert.equal(after, about('5', 1_790_000_000));
});

test('/metrics tell of sizes, ages, contradictions, the lock and every route', async () => {
  const { app, add, store } = opened();
  const scrape = async (): Promise<string> => (await app.request('/metrics')).text();
  assert.not.match(await scrape(), /treering_witness_size\{/);
  await add(log.add(0, 5));
  await add(log.add(0, 5));
  await add('junk');
  await app.request(monitoringPath(log.origin));
  await app.request('/somewhere/else');
  const text = await scrape();
  for (const line of [
    'treering_witness_size{origin="log.test/one"} 5',
    'treering_witness_age_seconds{origin="log.test/one"} 0',
    'treering_witness_contradictions{origin="log.test/one"} 0',
    'treering_witness_locked 0',
    'treering_http_request_seconds_count{route="/add-checkpoint",status="200"} 1',
    'treering_http_request_seconds_count{route="/add-checkpoint",status="409"} 1',
    'treering_http_request_seconds_count{route="/add-checkpoint",status="400"} 1',
    'treering_http_request_seconds_count{route="/<log>",status="200"} 1',
    'treering_http_request_seconds_count{route="other",status="404"} 1',
  ])
    assert.ok(text.includes(`${line}\n`), line);
  store.lock('a test');
  assert.match(await scrape(), /^treering_witness_locked 1$/m);
  assert.is((await app.request('/readyz')).status, 503);
  assert.is((await app.request('/healthz')).status, 200);
  assert.is((await app.request(monitoringPath(log.origin))).status, 200, 'what was cosigned is still served');
});

test('sizes beyond 2^53 are exact everywhere but in metrics, which are floating point', async () => {
  const { app, add, store } = opened();
  const size = 2n ** 63n + 1n;
  const root = new Uint8Array(32).fill(7);
  const body = (old: bigint) => `old ${old}\n\n${new TextDecoder().decode(log.head(size, { root }))}`;
  assert.is((await add(body(0n))).status, 200);
  assert.is(store.head(log.origin)?.size, size);
  const conflict = await add(body(0n));
  assert.is(conflict.status, 409);
  assert.is(await conflict.text(), '9223372036854775809\n');
  assert.is((await add(body(size))).status, 200);
  const { logs } = (await (await app.request('/v1/witness')).json()) as { logs: { size: string }[] };
  assert.is(logs[0].size, '9223372036854775809');
  assert.match(
    await (await app.request('/metrics')).text(),
    /treering_witness_size\{origin="log.test\/one"\} 9223372036854776000\n/,
  );
});

test.run();
