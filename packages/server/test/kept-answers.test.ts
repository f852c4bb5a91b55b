import { type IncomingHttpHeaders, request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { Hono } from 'hono';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { acceptsGzip, type Env, immutable, KeptAnswers, type Listening, listen } from '../src/index.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function ask(url: string, headers: Record<string, string> = {}, method = 'GET', path?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // A path of its own is sent as it is; a URL would be normalised.
    const sent = request(url, { headers, method, ...(path === undefined ? {} : { path }) }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode as number, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** A server that says what reached its app, and what was observed in front of it. */
async function serve(bytes: number): Promise<Listening & { reached: string[]; observed: string[] }> {
  const reached: string[] = [];
  const observed: string[] = [];
  const app = new Hono<Env>();
  app.use(async (c, next) => {
    reached.push(`${c.req.method} ${c.req.path}`);
    c.header('X-Frame-Options', 'DENY');
    await next();
  });
  app.get('/tile/missing', (c) => c.text('not yet', 404));
  app.get('/tile/changing', (c) => c.text(String(reached.length)));
  app.get('/tile/:name', async (c) => {
    const text = new TextEncoder().encode(c.req.param('name').repeat(100));
    if (!acceptsGzip(c)) return immutable(c, text, 'application/octet-stream', c.req.path);
    c.header('Content-Encoding', 'gzip');
    const { gzipSync } = await import('node:zlib');
    return immutable(c, new Uint8Array(gzipSync(text)), 'application/octet-stream', `${c.req.path};gzip`);
  });
  app.get('/other/:name', (c) => immutable(c, new Uint8Array(3), 'application/octet-stream', 'other'));
  const kept = new KeptAnswers({
    bytes,
    isKept: (target) => /^\/tile\/[a-z]+$/.test(target),
    observe: ({ method, path, status }) => observed.push(`${method} ${path} ${status}`),
  });
  const listening = await listen(app.fetch, { listen: '127.0.0.1:0', connections: 10, kept });
  return { ...listening, reached, observed };
}

test('an immutable answer is built once, and is the same every time but for its number', async () => {
  const server = await serve(100_000);
  const first = await ask(`${server.url}/tile/a`);
  const second = await ask(`${server.url}/tile/a`);
  assert.equal(server.reached, ['GET /tile/a']);
  assert.equal(server.observed, ['GET /tile/a 200']);
  assert.is(second.status, 200);
  assert.is(second.body.toString(), 'a'.repeat(100));
  const stable = ({ headers: { date: _, 'request-id': __, ...rest } }: Answer) => rest;
  assert.equal(stable(second), stable(first));
  assert.is(second.headers['x-frame-options'], 'DENY');
  assert.match(second.headers['request-id'] as string, /^[0-9a-f-]{36}$/);
  await server.close();
});

test('compressed and plain answers are kept apart', async () => {
  const server = await serve(100_000);
  for (let i = 0; i < 2; i++) {
    for (const accepted of ['gzip', 'br;q=1.0, gzip;q=0.5']) {
      const packed = await ask(`${server.url}/tile/b`, { 'Accept-Encoding': accepted });
      assert.is(packed.headers['content-encoding'], 'gzip');
      assert.is(gunzipSync(packed.body).toString(), 'b'.repeat(100));
    }
    const plain = await ask(`${server.url}/tile/b`, { 'Accept-Encoding': 'gzip;q=0' });
    assert.is(plain.headers['content-encoding'], undefined);
    assert.is(plain.body.toString(), 'b'.repeat(100));
  }
  assert.is(server.reached.length, 2);
  await server.close();
});

test('what is no plain request for an immutable answer reaches the app every time', async () => {
  const server = await serve(100_000);
  const etag = (await ask(`${server.url}/tile/c`)).headers.etag as string;
  assert.is((await ask(`${server.url}/tile/c`, { 'If-None-Match': etag })).status, 304);
  assert.is((await ask(`${server.url}/tile/c`, {}, 'HEAD')).body.length, 0);
  await ask(`${server.url}/tile/c?x=1`);
  await ask(`${server.url}/tile/c`, { Range: 'bytes=0-1' });
  // Other spellings of an address, and ways to one that may be withdrawn.
  for (const target of ['/tile/../tile/c', '/tile/../other/c', '/tile/%2e%2e/other/c', '/tile/./c', '/tile\\c'])
    for (let i = 0; i < 2; i++) assert.is((await ask(server.url, {}, 'GET', target)).status, 400, target);
  for (let i = 0; i < 2; i++) await ask(server.url, {}, 'GET', '/tile/C');
  for (let i = 0; i < 2; i++) {
    assert.is((await ask(`${server.url}/tile/missing`)).status, 404);
    await ask(`${server.url}/tile/changing`);
    await ask(`${server.url}/other/c`);
  }
  assert.is(server.reached.length, 1 + 4 + 2 + 6);
  assert.equal(server.observed, []);
  await server.close();
});

test('what was asked for longest ago goes when there is no room', async () => {
  const server = await serve(2 * 2048 + 250);
  const names = (): string => server.reached.map((line) => line.slice(-1)).join('');
  for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await ask(`${server.url}/tile/${name}`);
  assert.is(names(), 'abcb', 'a was used again and stayed, b went for c');
  await ask(`${server.url}/tile/${'long'.repeat(30)}`);
  await ask(`${server.url}/tile/${'long'.repeat(30)}`);
  assert.is(names(), 'abcbgg', 'what is larger than the room is not kept');
  await server.close();
});

test.run();
