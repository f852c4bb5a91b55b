import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { parseEntryBundle } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { openCheckpoint } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../../../test/vectors.js';
import { makeStatement, memoryLog, servedLog } from './fixture.js';
import { rawRequest } from './raw-http.js';

/** RFC 6962 section 2.1. */
const hashNode = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest());

const one = await memoryLog();
await one.grow(299);
await one.log.publisher.publish();
const { app, log } = one;
const get = (path: string, headers: Record<string, string> = {}) => app.request(path, { headers });
const bytesOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());

test('the checkpoint is a signed note that is never kept without asking', async () => {
  const response = await get('/checkpoint');
  assert.is(response.status, 200);
  assert.is(response.headers.get('cache-control'), 'no-cache');
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; charset=utf-8$/);
  const opened = openCheckpoint(await bytesOf(response), log.trust);
  assert.is(opened.checkpoint.size, 300n);
  const etag = response.headers.get('etag') as string;
  const again = await get('/checkpoint', { 'If-None-Match': etag });
  assert.is(again.status, 304);
  assert.is((await bytesOf(again)).length, 0);
  assert.is((await get('/checkpoint', { 'If-None-Match': '"other"' })).status, 200);
});

test('tiles and bundles are immutable, have an ETag and answer 304', async () => {
  for (const path of ['/tile/0/000', '/tile/0/001.p/44', '/tile/1/000.p/1', '/tile/entries/000', '/tile/entries/001.p/44']) {
    const response = await get(path);
    assert.is(response.status, 200, path);
    assert.is(response.headers.get('cache-control'), 'public, max-age=31536000, immutable', path);
    assert.is(response.headers.get('content-type'), 'application/octet-stream', path);
    assert.is(response.headers.get('access-control-allow-origin'), '*', path);
    const etag = response.headers.get('etag') as string;
    assert.match(etag, /^"[^"]+"$/);
    for (const value of [etag, `"x", ${etag}`, `W/${etag}`]) {
      const again = await get(path, { 'If-None-Match': value });
      assert.is(again.status, 304, `${path} with ${value}`);
      assert.is((await bytesOf(again)).length, 0);
      assert.is(again.headers.get('etag'), etag);
    }
    assert.is((await get(path, { 'If-None-Match': '"x"' })).status, 200);
  }
});

test('tiles hold the leaf hashes of the entries in the bundles', async () => {
  const leaves: Uint8Array[] = [];
  for (const [bundle, tile, width] of [
    ['/tile/entries/000', '/tile/0/000', 256],
    ['/tile/entries/001.p/44', '/tile/0/001.p/44', 44],
  ] as const) {
    const entries = parseEntryBundle(await bytesOf(await get(bundle)), width);
    const hashes = entries.map((entry) => nodeHasher.hashLeaf(entry));
    leaves.push(...hashes);
    assert.equal(await bytesOf(await get(tile)), new Uint8Array(Buffer.concat(hashes)));
  }
  let level = leaves.slice(0, 256);
  while (level.length > 1) level = level.filter((_, i) => i % 2 === 0).map((left, i) => hashNode(left, level[2 * i + 1]));
  assert.equal(await bytesOf(await get('/tile/1/000.p/1')), level[0]);
});

test('every width up to the tree is there, and no other', async () => {
  const full = await bytesOf(await get('/tile/0/001.p/44'));
  for (let width = 1; width <= 44; width++) {
    assert.equal(await bytesOf(await get(`/tile/0/001.p/${width}`)), full.slice(0, width * 32), `width ${width}`);
    parseEntryBundle(await bytesOf(await get(`/tile/entries/001.p/${width}`)), width);
  }
  for (const width of [1, 128, 255]) assert.is((await get(`/tile/0/000.p/${width}`)).status, 200);
  const missing = [
    '0/001',
    '0/001.p/45',
    '0/002.p/1',
    '1/000',
    '1/000.p/2',
    '2/000.p/1',
    'entries/001',
    'entries/001.p/45',
    'entries/002.p/1',
  ];
  for (const path of missing) {
    const response = await get(`/tile/${path}`);
    assert.is(response.status, 404, path);
    assert.is(response.headers.get('cache-control'), 'no-store', path);
  }
});

test('one spelling for each tile', async () => {
  const bad = [
    '0/0',
    '0/00',
    '00/000',
    '64/000',
    '-1/000',
    '0/000.p/0',
    '0/000.p/256',
    '0/000.p/01',
    '0/x000/000',
    '0/000/',
    '0/000.p',
    '0//000',
  ];
  bad.push(
    '0/000.p/',
    'entries/0',
    'entries',
    '',
    '0',
    '0/000.p/1/2',
    '0/x001/x000',
    '0/X001/000',
    '0/000%00',
    '0/000.P/1',
    '+0/000',
  );
  for (const path of bad) assert.is((await get(`/tile/${path}`)).status, 404, path);
});

test('bundles are compressed for those who ask, with an ETag of their own', async () => {
  const plain = await get('/tile/entries/000');
  const packed = await get('/tile/entries/000', { 'Accept-Encoding': 'br, gzip' });
  assert.is(packed.headers.get('content-encoding'), 'gzip');
  assert.is(plain.headers.get('content-encoding'), null);
  assert.equal(
    [plain, packed].map((response) => response.headers.get('vary')),
    ['Accept-Encoding', 'Accept-Encoding'],
  );
  const [all, small] = [await bytesOf(plain), await bytesOf(packed)];
  assert.equal(new Uint8Array(gunzipSync(small)), all);
  assert.ok(small.length < all.length);
  const etag = packed.headers.get('etag') as string;
  assert.is.not(etag, plain.headers.get('etag'));
  assert.is((await get('/tile/entries/000', { 'Accept-Encoding': 'gzip', 'If-None-Match': etag })).status, 304);
});

test('a client that refuses gzip gets none', async () => {
  for (const value of ['gzip;q=0', 'identity, gzip; q=0', 'gzip;q=0.000']) {
    assert.is((await get('/tile/entries/000', { 'Accept-Encoding': value })).headers.get('content-encoding'), null, value);
  }
});

test('HEAD answers the headers of GET', async () => {
  const response = await app.request('/tile/0/000', { method: 'HEAD' });
  assert.is(response.status, 200);
  assert.ok(response.headers.get('etag'));
  assert.is((await bytesOf(response)).length, 0);
  for (const method of ['POST', 'PUT', 'DELETE']) assert.is((await app.request('/tile/0/000', { method })).status, 404, method);
});

test('raw request targets never leave the tiles and never fail the server', async () => {
  const served = await servedLog();
  try {
    const statements = await Promise.all(Array.from({ length: 299 }, () => served.statement()));
    await served.served.log.submitBatch(statements.map(({ entry }) => entry));
    const status = async (target: string): Promise<number> =>
      (await rawRequest(served.port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).status;
    const cases: { path: string; expect: number | number[] }[] = haveVectors
      ? vectorJson('synthetic/http/paths.json').cases
      : [];
    cases.push(
      { path: '/tile/0/..%2f..%2fkeys/log.key', expect: [400, 404] },
      { path: '/tile/0/%252e%252e/x', expect: [400, 404] },
    );
    cases.push(
      { path: '//tile/0/000', expect: [400, 404] },
      { path: '/tile/0/%ff', expect: [400, 404] },
      { path: '/tile\\0\\000', expect: [200, 400, 404] },
    );
    cases.push(
      { path: '/../keys/log.key', expect: [400, 404] },
      { path: '/log.db', expect: 404 },
      { path: '/tile/entries/../../log.db', expect: [400, 404] },
    );
    cases.push(
      { path: 'http://other.test/tile/0/000', expect: [200, 400, 404] },
      { path: '/tile/0/000?x=1', expect: 200 },
      { path: '/tile/0/000%', expect: [400, 404] },
    );
    for (const { path, expect } of cases) {
      const actual = await status(path);
      assert.ok([expect].flat().includes(actual), `${path} answered ${actual}, not ${expect}`);
    }
    assert.is((await fetch(`${served.url}/healthz`)).status, 200);
  } finally {
    await served.close();
  }
});

test('the pages of a log that grows: a partial tile stays what it was', async () => {
  const growing = await memoryLog();
  await growing.grow(9);
  const before = await bytesOf(await growing.app.request('/tile/0/000.p/10'));
  await growing.log.submit((await makeStatement()).entry);
  await growing.grow(300);
  assert.equal(await bytesOf(await growing.app.request('/tile/0/000.p/10')), before);
  assert.equal((await bytesOf(await growing.app.request('/tile/0/000'))).slice(0, 320), before);
});

test.run();
