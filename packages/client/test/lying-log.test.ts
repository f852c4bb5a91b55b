import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createHeadMemory, type HeadMemory } from '../src/index.js';
import { alterJson, codeOf, type Lie, lying, ORIGIN, refusal, startLog } from './fixture.js';

const log = await startLog();
for (let i = 0; i < 8; i++) await log.client().submit(await log.statement({ subject: `model/m${i}` }), 'commit');
await log.served.log.publisher.publish();

test.after(() => log.served.close());

/** A client of the log through a liar; nothing of a lie may enter its memory. */
function deceived(lie: Lie, memory: HeadMemory = createHeadMemory()) {
  return log.client({ fetch: lying(log.url, lie), memory, timeout: 2000 });
}

/** Flips one bit in base64. */
function flip(text: string): string {
  const bytes = Buffer.from(text, 'base64');
  bytes[bytes.length >> 1] ^= 1;
  return bytes.toString('base64');
}

const entryBytes = async (path: string): Promise<Uint8Array> =>
  new Uint8Array(await (await fetch(`${log.url}${path}`)).arrayBuffer());

test('the same client believes the log when it does not lie', async () => {
  const client = deceived(() => undefined);
  assert.is((await client.entry(3)).index, 3);
  assert.ok((await client.submit(await log.statement())).index > 0);
});

// biome-ignore lint/suspicious/noExplicitAny: each alteration looks at its own members
const submissions: Readonly<Record<string, readonly [(json: any) => unknown, string]>> = {
  'a flipped bit in the proof': [
    (j) => ({ ...j, inclusion: [flip(j.inclusion[0]), ...j.inclusion.slice(1)] }),
    'client/not-verified',
  ],
  'a proof that is too short': [(j) => void j.inclusion.pop(), 'client/not-verified'],
  'a proof that is too long': [(j) => void j.inclusion.push(j.inclusion[0]), 'client/not-verified'],
  'a proof without end': [(j) => ({ ...j, inclusion: Array(100_000).fill(j.inclusion[0]) }), 'client/bad-answer'],
  'a hash of 31 bytes': [
    (j) => ({ ...j, inclusion: [Buffer.alloc(31).toString('base64'), ...j.inclusion.slice(1)] }),
    'client/not-verified',
  ],
  'another index': [(j) => ({ ...j, index: j.index - 1 }), 'client/not-verified'],
  'an index beyond the tree': [(j) => ({ ...j, index: j.index + 1000 }), 'client/not-verified'],
  'a negative index': [(j) => ({ ...j, index: -1 }), 'client/bad-answer'],
  'an index with a fraction': [(j) => ({ ...j, index: j.index + 0.5 }), 'client/bad-answer'],
  'an index beyond 2^53': [(j) => ({ ...j, index: 2 ** 53 }), 'client/bad-answer'],
  'an index as text': [(j) => ({ ...j, index: String(j.index) }), 'client/bad-answer'],
  'no index': [(j) => void delete j.index, 'client/bad-answer'],
  'no checkpoint': [(j) => void delete j.checkpoint, 'client/bad-answer'],
  'a checkpoint that is a number': [(j) => ({ ...j, checkpoint: 7 }), 'client/bad-answer'],
  'a checkpoint with another size': [
    (j) => ({ ...j, checkpoint: j.checkpoint.replace(/\n\d+\n/, (size: string) => `\n${Number(size) + 1}\n`) }),
    'client/not-verified',
  ],
  'a checkpoint of another origin': [(j) => ({ ...j, checkpoint: `x${j.checkpoint}` }), 'client/not-verified'],
  'a checkpoint with its signature cut off': [
    (j) => ({ ...j, checkpoint: `${j.checkpoint.split('\n\n')[0]}\n\n` }),
    'client/not-verified',
  ],
  'a proof that is an object': [(j) => ({ ...j, inclusion: { length: 0 } }), 'client/bad-answer'],
  'a proof of numbers': [(j) => ({ ...j, inclusion: j.inclusion.map(() => 1) }), 'client/bad-answer'],
  'no receipt': [(j) => void delete j.receipt, 'client/bad-answer'],
  'a receipt of garbage': [(j) => ({ ...j, receipt: 'AAAA' }), 'client/not-verified'],
  'a receipt with a flipped bit': [(j) => ({ ...j, receipt: flip(j.receipt) }), 'client/not-verified'],
  'an answer that is an array': [(j) => [j], 'client/bad-answer'],
  'an answer that is a text': [() => 'all is well', 'client/bad-answer'],
};

for (const [name, [alter, code]] of Object.entries(submissions)) {
  test(`a submission answered with ${name} is not accepted`, async () => {
    const client = deceived(alterJson(/^\/v1\/entries\?/, alter));
    assert.is(await codeOf(client.submit(await log.statement())), code);
  });
}

test('members of a prototype are no answers', async () => {
  const lie: Lie = async ({ path, honest }) => {
    if (!path.startsWith('/v1/entries?')) return undefined;
    return new Response(`{"__proto__": ${await (await honest()).text()}}`, { status: 201 });
  };
  assert.is(await codeOf(deceived(lie).submit(await log.statement())), 'client/bad-answer');
  assert.is(({} as { index?: unknown }).index, undefined);
  const named: Lie = ({ path }) =>
    path.startsWith('/v1/subjects') ? Response.json({ constructor: 1, toString: 2 }) : undefined;
  assert.is(await codeOf(deceived(named).history('model/m1')), 'client/bad-answer');
});

test('the answer to another submission is not accepted for this one', async () => {
  const first = await (await fetch(`${log.url}/v1/entries`, post((await log.statement()).entry))).text();
  const replay: Lie = ({ path }) => (path.startsWith('/v1/entries?') ? new Response(first, { status: 201 }) : undefined);
  assert.is(await codeOf(deceived(replay).submit(await log.statement())), 'client/not-verified');
});

test('an answer that says nothing but success is not accepted', async () => {
  for (const [status, body] of [
    [200, '{}'],
    [201, ''],
    [204, null],
    [202, '{}'],
  ] as const) {
    const client = deceived(({ method }) => (method === 'POST' ? new Response(body, { status }) : undefined));
    await refusal(client.submit(await log.statement()));
  }
});

test('another entry than was asked for is not accepted', async () => {
  const leaf = Buffer.from((await log.client().entry(2)).leaf).toString('hex');
  const swap: Lie = ({ path, honest }) => (/^\/v1\/entries\/./.test(path) ? honest('/v1/entries/3') : undefined);
  assert.is(await codeOf(deceived(swap).entry(2)), 'client/not-verified');
  assert.is(await codeOf(deceived(swap).entry('2')), 'client/not-verified');
  assert.is(await codeOf(deceived(swap).entry(leaf)), 'client/not-verified');
  const relabelled: Lie = async (exchange) =>
    swap(exchange) ?? alterJson(/^\/v1\/proof\/inclusion/, (j) => ({ ...j, index: 2 }))(exchange);
  assert.is(await codeOf(deceived(relabelled).entry(2)), 'client/not-verified');
});

test('an entry with a flipped bit anywhere is not accepted', async () => {
  const bytes = await entryBytes('/v1/entries/2');
  for (let at = 0; at < bytes.length; at += 23) {
    const changed = new Uint8Array(bytes);
    changed[at] ^= 1;
    const proof = await (await fetch(`${log.url}/v1/proof/inclusion?index=2`)).text();
    const lie: Lie = ({ path }) =>
      path.startsWith('/v1/entries/')
        ? new Response(changed)
        : path.startsWith('/v1/proof/inclusion')
          ? new Response(proof)
          : undefined;
    assert.is(await codeOf(deceived(lie).entry(2)), 'client/not-verified', `byte ${at}`);
  }
});

test('a history with entries of another subject, twice the same or in another order is not accepted', async () => {
  const client = log.client();
  const first = await client.submit(await log.statement({ subject: 'model/h' }));
  await client.submit(await log.statement({ subject: 'model/h', prev: first.leaf }), 'witnessed');
  const other = await client.submit(await log.statement({ subject: 'model/i' }), 'witnessed');
  const history = /^\/v1\/subjects\//;
  const reads = (alter: (json: { records: { index: number }[] }) => unknown) =>
    codeOf(deceived(alterJson(history, alter)).history('model/h'));
  assert.is((await deceived(() => undefined).history('model/h')).length, 2);
  assert.is(await reads((j) => void j.records.unshift({ index: other.index })), 'client/not-verified');
  assert.is(await reads((j) => void j.records.reverse()), 'client/bad-answer');
  assert.is(await reads((j) => void j.records.push(j.records[0])), 'client/bad-answer');
  assert.is(await reads((j) => void j.records.push({} as never)), 'client/bad-answer');
  assert.is(await reads((j) => void j.records.push(null as never)), 'client/bad-answer');
  assert.is(await reads(() => ({ records: { length: 1 } })), 'client/bad-answer');
});

test('a history that never ends is given up', async () => {
  let requests = 0;
  const endless: Lie = ({ path }) => {
    if (!path.startsWith('/v1/subjects/')) return undefined;
    // An answer of another kind ends a client that goes on for ever, so that this test can fail.
    if (++requests > 200) return new Response('enough', { status: 418 });
    return Response.json({ records: [], next: 5 });
  };
  const error = await refusal(deceived(endless).history('model/m1'));
  assert.is(error.code, 'client/bad-answer', `it was given up only by the answer to request ${requests}`);
});

test('answers that are no JSON are not accepted', async () => {
  const bodies = ['', 'null', 'true', '[]', '"x"', '{', '<html>', '\ufeff{}', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])];
  for (const bytes of bodies) {
    const client = deceived(({ path }) => (path.startsWith('/v1/') ? new Response(bytes) : undefined));
    assert.is(await codeOf(client.submit(await log.statement())), 'client/bad-answer', String(bytes));
    assert.is(await codeOf(client.history('model/m1')), 'client/bad-answer', String(bytes));
  }
});

test('checkpoints of garbage are not accepted', async () => {
  for (const text of ['', '\n\n', 'hello', `${ORIGIN}\n5\n`, '\u0000', '{"size": 5}']) {
    const client = deceived(({ path }) => (path === '/checkpoint' ? new Response(text) : undefined));
    assert.is(await codeOf(client.head()), 'client/not-verified', JSON.stringify(text));
  }
});

test('an answer without end is cut off, and the memory that it takes is bounded', async () => {
  let sent = 0;
  const chunk = new Uint8Array(1024 * 1024);
  const body = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += chunk.length;
        controller.enqueue(chunk);
      },
    });
  const client = deceived(({ path }) => (path === '/checkpoint' ? new Response(body()) : undefined));
  const error = await refusal(client.head());
  assert.is(error.code, 'client/bad-answer');
  assert.ok(sent < 80 * 1024 * 1024, `${sent} bytes were read`);
});

test('redirects are not followed, and answers that never come are given up', async () => {
  let followed = false;
  const server = createServer((request, response) => {
    if (request.url === '/checkpoint') response.writeHead(302, { Location: '/elsewhere' }).end();
    else if (request.url?.startsWith('/v1/entries/')) {
      response.writeHead(200);
      response.write('the first bytes, and no more');
    } else if (request.url === '/elsewhere') {
      followed = true;
      response.end('x');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = log.client({ url, timeout: 300 });
  const started = performance.now();
  assert.is(await codeOf(client.head()), 'client/unreachable');
  assert.not(followed);
  assert.is(await codeOf(client.history('model/silence')), 'client/unreachable');
  assert.is(await codeOf(client.entry(1)), 'client/unreachable');
  assert.ok(performance.now() - started < 3000);
  server.closeAllConnections();
  server.close();
});

test('what a refusal says is made printable before it is told', async () => {
  const problem = { detail: 'no\u001b[2Jthing \u202etfel', code: 'x\u0007y', rule: 'a\u001bb' };
  const client = deceived(({ path }) => (path === '/checkpoint' ? Response.json(problem, { status: 403 }) : undefined));
  const error = await refusal(client.head());
  assert.is(error.code, 'client/refused');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in it
  assert.not.match(`${error.message}${error.problem}`, /[\u0000-\u001f\u202e]/);
});

function post(body: Uint8Array): RequestInit {
  return { method: 'POST', headers: { 'Content-Type': 'application/cose' }, body: body as Uint8Array<ArrayBuffer> };
}

test.run();
