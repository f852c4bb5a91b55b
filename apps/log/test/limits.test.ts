import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeStatement, memoryLog, servedLog } from './fixture.js';
import { rawConnection, rawRequest } from './raw-http.js';

const one = await servedLog();
test.after(() => one.close());
const size = (): number => one.served.log.sequencer.head?.size ?? 0;

/** Started first, because it takes longest: what a client gets that never finishes its headers, and after how long. */
const slowHeaders = (async () => {
  const { socket, answer } = rawConnection(one.port);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n');
  let i = 0;
  const drip = setInterval(() => socket.write(`X-${i++}: y\r\n`), 500);
  const limit = setTimeout(() => socket.destroy(), 16_000);
  const started = performance.now();
  const { status } = await answer;
  clearInterval(drip);
  clearTimeout(limit);
  return { status, milliseconds: performance.now() - started };
})();

const head = (lines: string[]): string =>
  ['POST /v1/entries HTTP/1.1', 'Host: x', 'Content-Type: application/cose', ...lines, '', ''].join('\r\n');

test('a chunked body beyond the limit is 413 before it is complete', async () => {
  const before = size();
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const { status, text } = await rawRequest(one.port, head(['Transfer-Encoding: chunked']) + chunk.repeat(5));
  assert.is(status, 413);
  assert.match(text, /request\/too-large/);
  assert.is(size(), before);
});

test('a declared length beyond the limit is 413 before the body is read', async () => {
  const { status } = await rawRequest(one.port, head(['Content-Length: 99999999999']));
  assert.is(status, 413);
});

test('a length that promises too much is not taken for a statement', async () => {
  const { entry } = await one.statement();
  const before = size();
  const { socket, answer } = rawConnection(one.port);
  socket.write(head([`Content-Length: ${entry.length + 10}`]));
  socket.end(entry);
  const { statuses } = await answer;
  assert.not.ok(statuses.some((status) => status < 400));
  assert.is(size(), before);
});

test('a length that promises too little does not make the rest a request', async () => {
  const { entry } = await one.statement();
  const before = size();
  const request = Buffer.concat([Buffer.from(head(['Content-Length: 20'])), entry]);
  const { statuses } = await rawRequest(one.port, request);
  assert.ok(statuses.length > 0 && statuses.every((status) => status === 400), String(statuses));
  assert.is(size(), before);
});

test('requests of two meanings are refused', async () => {
  const smuggled = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
  const cases = [
    `${head(['Content-Length: 5', 'Transfer-Encoding: chunked'])}0\r\n\r\n${smuggled}`,
    `${head(['Content-Length: 5', 'Content-Length: 6'])}abcdef`,
    `${head(['Content-Length: 5, 6'])}abcdef`,
    `${head(['Content-Length: +5'])}abcde`,
    `${head(['Transfer-Encoding: chunked, identity'])}0\r\n\r\n`,
    `${head(['Transfer-Encoding: xchunked'])}0\r\n\r\n`,
    `${head(['Transfer-Encoding: chunked'])}zz\r\n${smuggled}`,
    'GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n',
    'GET /healthz HTTP/1.1\r\n\r\n',
    'GET /healthz HTTP/1.1\nHost: x\n\n',
    'GET /health\0z HTTP/1.1\r\nHost: x\r\n\r\n',
  ];
  for (const request of cases) {
    const { statuses } = await rawRequest(one.port, request, 1000);
    assert.equal(statuses, [400], JSON.stringify(request.slice(0, 120)));
  }
});

test('a compressed body is 415, whatever it holds', async () => {
  const before = size();
  const { status, text } = await rawRequest(
    one.port,
    `${head(['Content-Encoding: gzip', 'Content-Length: 4', 'Connection: close'])}abcd`,
  );
  assert.is(status, 415);
  assert.match(text, /request\/encoding/);
  assert.is(size(), before);
});

test('headers have a limit', async () => {
  const { status } = await rawRequest(one.port, `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`);
  assert.is(status, 431);
  const long = await rawRequest(one.port, `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
  assert.ok([414, 431].includes(long.status));
});

test('garbage is answered with 400 or nothing, and the server lives', async () => {
  for (const bytes of [
    Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3]),
    Buffer.alloc(3000, 0xff),
    Buffer.from('\r\n\r\nhello\r\n\r\n'),
  ]) {
    assert.ok([0, 400].includes((await rawRequest(one.port, bytes, 1000)).status));
  }
  assert.is((await fetch(`${one.url}/healthz`)).status, 200);
});

test('when all connections are taken, the one that has been idle for the longest makes way', async () => {
  const few = await servedLog({ connections: 5 });
  const held: ReturnType<typeof rawConnection>[] = [];
  for (let i = 0; i < 5; i++) {
    held.push(rawConnection(few.port));
    await new Promise((resolve) => held[i].socket.once('connect', resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  const request = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  assert.is((await rawRequest(few.port, request)).status, 200);
  assert.is((await held[0].answer).status, 0);
  for (const { socket } of held.slice(1)) assert.not.ok(socket.closed);
  for (const { socket } of held) socket.destroy();
  await few.close();
});

test('an address that submits too fast gets 429 with Retry-After, nothing is logged, and reading goes on', async () => {
  const limited = await servedLog({ rate: 1, burst: 3 });
  const statements = await Promise.all(Array.from({ length: 6 }, () => limited.statement()));
  const statuses: number[] = [];
  for (const { entry } of statements) {
    const response = await limited.post(entry);
    statuses.push(response.status);
    if (response.status !== 429) continue;
    assert.ok(Number(response.headers.get('retry-after')) >= 1);
    assert.is(((await response.json()) as { code: string }).code, 'request/rate');
  }
  assert.equal(statuses, [201, 201, 201, 429, 429, 429]);
  assert.is(limited.served.log.sequencer.head?.size, 4);
  assert.is((await fetch(`${limited.url}/v1/entries/0`)).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.is((await limited.post(statements[5].entry)).status, 201);
  await limited.close();
});

test('a batch costs as many submissions as it has statements', async () => {
  const limited = await memoryLog({ config: { rate: 1, burst: 4 } });
  const statements = await Promise.all(Array.from({ length: 3 }, () => makeStatement()));
  const send = () =>
    limited.app.request('/v1/entries:batch', {
      method: 'POST',
      headers: { 'Content-Type': 'application/cbor-seq' },
      body: new Uint8Array(Buffer.concat(statements.map(({ entry }) => entry))),
    });
  assert.is((await send()).status, 200);
  const second = await send();
  assert.is(second.status, 429);
  assert.is(second.headers.get('retry-after'), '2');
});

test('a body of a million small items is refused at the first of them that is too many', async () => {
  const { app } = await memoryLog();
  // {"a": [[], [], ...]}: each item is one byte there, and dozens in memory.
  const body = new Uint8Array(8 + 2 ** 20).fill(0x80);
  body.set([0xa1, 0x61, 0x61, 0x9a, 0, 0x10, 0, 0]);
  const response = await app.request('/v1/entries', { method: 'POST', headers: { 'Content-Type': 'application/cbor' }, body });
  assert.is(response.status, 400);
  const { code, detail } = (await response.json()) as { code: string; detail: string };
  assert.is(code, 'cbor/not-in-profile');
  assert.match(detail, /more than 261 items/);
});

test('a full pool is 503 with Retry-After, and nothing of what was refused is logged', async () => {
  const small = await memoryLog({ config: { pool_entries: 2 } });
  const statements = await Promise.all(Array.from({ length: 80 }, () => makeStatement()));
  const answers = await Promise.all(statements.map(({ entry }) => small.post(entry)));
  const refused = answers.filter((response) => response.status === 503);
  assert.ok(refused.length > 0);
  assert.is(answers.filter((response) => response.status === 201).length, 80 - refused.length);
  assert.is(small.size(), 1 + 80 - refused.length);
  for (const response of refused) {
    assert.is(response.headers.get('retry-after'), '1');
    assert.is((await response.json()).code, 'sequencer/overloaded');
  }
});

test('of more submissions than may be under way, the rest is 503 at once, and later ones are taken again', async () => {
  const small = await memoryLog({ config: { under_way: 5 } });
  const statements = await Promise.all(Array.from({ length: 20 }, () => makeStatement()));
  const answers = await Promise.all(statements.map(({ entry }) => small.post(entry)));
  const statuses = answers.map(({ status }) => status);
  assert.is(statuses.filter((status) => status === 201).length, 5);
  assert.is(statuses.filter((status) => status === 503).length, 15);
  assert.is(answers.find(({ status }) => status === 503)?.headers.get('retry-after'), '1');
  assert.equal(
    small.records.filter((line) => line.includes('"level":50')),
    [],
    'no record of an error for each, which would add to the load',
  );
  for (const { entry } of statements) assert.ok((await small.post(entry)).status <= 201);
  assert.is(small.size(), 21);
  // A statement that is refused leaves its place as well.
  for (let i = 0; i < 10; i++) assert.is((await small.post(new Uint8Array([1, 2, 3]))).status, 400);
  assert.is((await small.post((await makeStatement()).entry)).status, 201);
});

test('while there is no room a submission is refused before its body has come, and reading goes on', async () => {
  const small = await servedLog({ under_way: 1 });
  try {
    const statements = await Promise.all(Array.from({ length: 40 }, () => small.statement()));
    const answers = await Promise.all(statements.map(({ entry }) => small.post(entry)));
    const refused = answers.filter(({ status }) => status === 503);
    assert.ok(refused.length > 0 && refused.length < 40, `${refused.length} of 40`);
    for (const response of refused) {
      assert.is(response.headers.get('retry-after'), '1');
      assert.is(response.headers.get('content-type'), 'application/problem+json');
      const { code, instance } = await response.json();
      assert.is(code, 'sequencer/overloaded');
      assert.ok(instance.endsWith(response.headers.get('request-id') as string));
    }
    assert.is((await fetch(`${small.url}/checkpoint`)).status, 200);
    // The connections of those who were refused go on.
    for (const { entry } of statements) assert.ok((await small.post(entry)).status <= 201);
  } finally {
    await small.close();
  }
});

test('headers that never end are cut off after about ten seconds', async () => {
  const { status, milliseconds } = await slowHeaders;
  assert.ok(milliseconds < 15_000, `after ${Math.round(milliseconds)} ms the connection was still open`);
  assert.ok([0, 408].includes(status));
});

test.run();
