import { parseVerifierKey } from '@treering/note';
import { parseCoseKey } from '@treering/statement';
import { createMemoryStorage, StorageError } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openApi } from '../src/index.js';
import { makeStatement, memoryLog, ORIGIN, SEED, signerFrom } from './fixture.js';

test('healthz, readyz and the log itself', async () => {
  const one = await memoryLog();
  await one.grow(3);
  await one.log.publisher.publish();
  await one.grow(2);
  assert.equal(await one.json('/healthz'), { status: 'alive' });
  assert.equal(await one.json('/readyz'), { status: 'ready', committed: 6, published: 4 });
  const log = await one.json('/v1/log');
  assert.is(log.origin, ORIGIN);
  assert.is(log.committed.size, 6);
  assert.is(log.published.size, 4);
  assert.equal(
    log.vkeys.map((vkey: string) => parseVerifierKey(vkey).id),
    [one.log.signer.key.id, one.log.publicationSigner.key.id],
  );
  assert.equal(parseCoseKey(new Uint8Array(Buffer.from(log.receipt_key, 'base64'))), one.log.receiptKey);
  assert.equal(log.administrators, ['admin']);
  assert.is(log.policy.index, 0);
  assert.is(log.policy.body.rules[0].name, 'administrators');
  assert.is(log.limits.statement_bytes, 65_535);
});

test('readyz fails when the storage cannot be written', async () => {
  const storage = createMemoryStorage();
  let failure: Error | undefined;
  const one = await memoryLog({
    storage: {
      ...storage,
      async checkWritable() {
        if (failure !== undefined) throw failure;
      },
    },
  });
  for (const code of ['storage/full', 'storage/io', 'storage/locked'] as const) {
    failure = new StorageError(code, 'the disk at /secret/place is broken');
    const response = await one.app.request('/readyz');
    assert.ok([503, 507].includes(response.status), `${code}: ${response.status}`);
    assert.ok(response.headers.get('retry-after'));
    assert.not.match(await response.text(), /secret/);
    assert.is((await one.app.request('/healthz')).status, 200);
  }
  failure = undefined;
  assert.is((await one.app.request('/readyz')).status, 200);
});

test('readyz fails while the log is in trouble, and a submission is 503 with nothing acknowledged', async () => {
  const storage = createMemoryStorage();
  let broken = false;
  const one = await memoryLog({
    storage: {
      ...storage,
      async commit(batch, expected) {
        if (broken) throw new StorageError('storage/io', 'EIO at /secret/place');
        return storage.commit(batch, expected);
      },
    },
  });
  broken = true;
  const response = await one.post((await makeStatement()).entry);
  assert.is(response.status, 503);
  assert.ok(response.headers.get('retry-after'));
  assert.not.match(await response.text(), /secret/, 'no detail of the disk reaches a client');
  assert.is((await one.app.request('/readyz')).status, 503);
  assert.is(one.size(), 1);
  assert.is((await one.app.request('/v1/entries/0')).status, 200, 'reading goes on');
});

test('readyz fails when the published checkpoint is old although the log has grown', async () => {
  let now = Date.now();
  const one = await memoryLog({ clock: () => now });
  await one.log.publisher.publish();
  now += 120_000;
  assert.is((await one.app.request('/readyz')).status, 200, 'nothing is new');
  await one.grow(1, { iat: Math.floor(now / 1000) });
  assert.is((await one.app.request('/readyz')).status, 200, 'it grew this very moment');
  now += 62_000;
  await one.grow(1, { iat: Math.floor(now / 1000) });
  assert.is((await one.json('/readyz')).code, 'log/stale');
  await one.log.publisher.publish();
  assert.is((await one.app.request('/readyz')).status, 200);
});

test('metrics count submissions, sizes and requests, also those for which there is no route', async () => {
  const one = await memoryLog();
  const { entry } = await makeStatement();
  for (const body of [entry, entry, (await makeStatement({ signer: signerFrom() })).entry]) await one.post(body);
  await one.app.request('/nothing/here');
  const text = await (await one.app.request('/metrics')).text();
  assert.match(text, /^treering_committed_size 2$/m);
  assert.match(text, /^treering_published_size 0$/m);
  assert.match(text, /^treering_healthy 1$/m);
  assert.match(text, /^treering_submissions_total\{outcome="logged"\} 1$/m);
  assert.match(text, /^treering_submissions_total\{outcome="duplicate"\} 1$/m);
  assert.match(text, /^treering_submissions_total\{outcome="governance\/unknown-key"\} 1$/m);
  assert.match(text, /^treering_http_request_seconds_count\{method="POST",route="\/v1\/entries",status="201"\} 1$/m);
  assert.match(text, /^treering_http_request_seconds_count\{method="POST",route="\/v1\/entries",status="401"\} 1$/m);
  assert.match(text, /^treering_http_request_seconds_count\{method="GET",route="other",status="404"\} 1$/m);
});

test('what there is not is a problem that names the description', async () => {
  const one = await memoryLog();
  for (const [method, path] of [
    ['GET', '/'],
    ['POST', '/checkpoint'],
    ['DELETE', '/v1/entries/0'],
    ['GET', '/v1/entries:batch'],
    ['GET', '/.git/config'],
  ]) {
    const response = await one.app.request(path, { method });
    assert.is(response.status, 404, path);
    assert.is(response.headers.get('content-type'), 'application/problem+json');
    assert.ok(response.headers.get('request-id'));
    assert.match((await response.json()).detail, /openapi\.json/);
  }
});

test('neither seeds nor Authorization appear in records, answers or metrics', async () => {
  const one = await memoryLog();
  const secret = 'Treering c2VjcmV0LXRva2Vu';
  const digest = 'ab'.repeat(32);
  await one.app.request(`/addenda/ab/ab/${digest}`, { headers: { Authorization: secret } });
  await one.post((await makeStatement()).entry, { Authorization: secret, Cookie: 'c2VjcmV0LXRva2Vu' });
  await one.post('not a statement', { Authorization: secret });
  const answers = await Promise.all(
    ['/v1/log', '/metrics', '/readyz', '/v1/openapi.json'].map(async (path) => (await one.app.request(path)).text()),
  );
  const everything = [...one.records, ...answers].join('\n');
  assert.ok(one.records.length >= 3, 'requests are recorded');
  assert.not.ok(everything.includes('c2VjcmV0LXRva2Vu'));
  for (const seed of Object.values(SEED)) {
    const bytes = Buffer.from(seed);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      assert.not.ok(everything.includes(bytes.toString(encoding)), encoding);
    assert.not.ok(everything.includes([...seed].join(',')));
  }
  assert.not.ok(everything.includes('PRIVATE+KEY'));
});

test('the description names every route that there is, and every route in it answers', async () => {
  const one = await memoryLog();
  const document = await one.json('/v1/openapi.json');
  assert.equal(document, JSON.parse(JSON.stringify(openApi())));
  assert.match(document.openapi, /^3\.1\./);
  assert.ok(document.info.title && document.info.version);
  const ids = new Set<string>();
  for (const [path, operations] of Object.entries<
    Record<string, { parameters: { name: string; in: string }[]; responses: object; requestBody?: object }>
  >(document.paths)) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const [method, operation] of Object.entries(operations)) {
      assert.equal(
        operation.parameters.filter((p) => p.in === 'path').map((p) => p.name),
        inPath,
        path,
      );
      assert.ok(
        Object.keys(operation.responses).some((status) => status.startsWith('2')),
        path,
      );
      const response = await one.app.request(path.replace(/\{index\}/g, '0').replace(/\{\w+\}/g, 'x'), {
        method: method.toUpperCase(),
        ...(operation.requestBody === undefined ? {} : { body: 'x' }),
      });
      if (response.headers.get('content-type')?.startsWith('application/problem')) {
        assert.is.not((await response.json()).code, 'request/no-route', `${method} ${path}`);
      } else await response.body?.cancel();
      ids.add(`${method} ${path.replace(/\{\w+\}/g, '*')}`);
    }
  }
  // The description need not describe itself.
  const routes = one.app.routes.filter((route) => route.method !== 'ALL' && route.path !== '/v1/openapi.json');
  for (const { method, path } of routes) {
    const id = `${method.toLowerCase()} ${path.replace(/:file\{[^}]+\}/, '*.tlog-proof').replace(/\/:\w+(\{[^}]+\})?/g, '/*')}`;
    assert.ok(ids.has(id), `${id} is not described`);
  }
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, pointer]) => pointer);
  for (const pointer of references) {
    const target = pointer.split('/').reduce((node, key) => node?.[key], document);
    assert.ok(target, `nothing is at ${pointer}`);
  }
});

test.run();
