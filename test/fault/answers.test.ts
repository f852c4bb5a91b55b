import { randomBytes } from 'node:crypto';
import { createAttachment } from '@treering/record';
import { StorageError } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeStatement, memoryLog } from '../../apps/log/test/fixture.js';
import { openWitness } from '../../apps/witness/test/fixture.js';
import { FiveServers, type Server } from './five-servers.js';
import { exchange } from './raw-exchange.js';

// What every answer of every server carries, and what it never says.

const five = await FiveServers.open();
test.after(() => five.close());
const ATTACHED = { name: 'note.txt', media_type: 'text/plain' } as const;
const blob = (access: 'public' | 'restricted') =>
  createAttachment(new TextEncoder().encode(access), { ...ATTACHED, access }, new Uint8Array(randomBytes(16)));
const open = blob('public');
const { index, leaf } = await five.logged(open);
const addenda = (digest: Uint8Array): string => {
  const hex = Buffer.from(digest).toString('hex');
  return `/addenda/${hex.slice(0, 2)}/${hex.slice(2, 4)}/${hex}`;
};

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** One answer, with all of its headers as they came. */
async function ask(server: Server, target: string, method = 'GET', lines: readonly string[] = []): Promise<Answer> {
  const head = [`${method} ${target} HTTP/1.1`, 'Host: x', 'Connection: close', ...lines];
  const { statuses, text } = await exchange(server, [...head, '', ''].join('\r\n'));
  const end = text.indexOf('\r\n\r\n');
  const headers = new Headers(
    text
      .slice(0, end)
      .split('\r\n')
      .slice(1)
      .map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon), line.slice(colon + 1).trim()];
      }),
  );
  return { status: statuses[0] ?? 0, headers, body: text.slice(end + 4) };
}

const FOREVER = 'public, max-age=31536000, immutable';
const AGAIN = 'no-cache';
const NEVER = 'no-store';
const { hash } = five;

/** Targets of each server with the status and the Cache-Control that they have. */
const TARGETS: Readonly<Record<string, readonly (readonly [string, number, string])[]>> = {
  log: [
    ['/checkpoint', 200, AGAIN],
    ['/tile/0/000.p/2', 200, FOREVER],
    ['/tile/entries/000.p/2', 200, FOREVER],
    ['/tile/0/001', 404, NEVER],
    [addenda(open.ref.digest), 200, FOREVER],
    [addenda(new Uint8Array(32)), 404, NEVER],
    [`/v1/entries/${index}`, 200, FOREVER],
    [`/v1/entries/${leaf}`, 200, FOREVER],
    [`/v1/entries/${index}?view=json`, 200, NEVER],
    ['/v1/entries/77', 404, NEVER],
    ['/v1/checkpoints', 200, AGAIN],
    [`/v1/proof/inclusion?leaf=${leaf}`, 200, NEVER],
    ['/v1/proof/consistency?from=1', 200, NEVER],
    ['/v1/proof/0.tlog-proof', 200, AGAIN],
    ['/v1/receipt/0', 200, AGAIN],
    ['/v1/subjects', 200, NEVER],
    ['/v1/subjects/model/wink', 200, NEVER],
    ['/v1/enrolment', 200, NEVER],
    ['/v1/log', 200, NEVER],
    ['/v1/openapi.json', 200, NEVER],
    ['/ct/v1/get-sth', 200, NEVER],
    ['/entries/0', 200, AGAIN],
    ['/entries/0/statement', 200, FOREVER],
    ['/entries/0/transparent-statement', 200, AGAIN],
    ['/entries/77', 404, NEVER],
    ['/.well-known/scitt-keys', 200, 'public, max-age=300'],
    ['/healthz', 200, NEVER],
    ['/readyz', 200, NEVER],
    ['/metrics', 200, NEVER],
    ['/', 404, NEVER],
    ['/favicon.ico', 404, NEVER],
    ['/v1/log/../healthz', 400, NEVER],
  ],
  witness: [
    ['/v1/witness', 200, NEVER],
    [`/${hash}/checkpoint`, 404, NEVER],
    [`/${hash}/contradictions`, 200, NEVER],
    ['/healthz', 200, NEVER],
    ['/readyz', 200, NEVER],
    ['/metrics', 200, NEVER],
    ['/', 404, NEVER],
  ],
  mirror: [
    [`/mirror/${hash}/checkpoint`, 404, NEVER],
    [`/mirror/${hash}/tile/0/000`, 404, NEVER],
  ],
  monitor: [
    ['/v1/monitor', 200, NEVER],
    ['/v1/alarms', 200, NEVER],
    ['/v1/alarms/1', 404, NEVER],
    [`/gossip/${hash}`, 200, NEVER],
    [`/gossip/${hash}/consistency?from=1`, 200, NEVER],
    ['/healthz', 200, NEVER],
    ['/readyz', 200, NEVER],
    ['/metrics', 200, NEVER],
    ['/', 404, NEVER],
  ],
  admission: [
    ['/healthz', 200, NEVER],
    ['/readyz', 200, NEVER],
    ['/metrics', 200, NEVER],
    ['/', 404, NEVER],
  ],
  recorder: [
    ['/healthz', 200, NEVER],
    ['/', 404, NEVER],
  ],
};

/** What an answer lacks or says too much; empty when nothing. */
function faultsOf({ headers }: Pick<Answer, 'headers'>): string[] {
  const must: readonly (readonly [string, RegExp])[] = [
    ['X-Content-Type-Options', /^nosniff$/],
    ['Content-Security-Policy', /^default-src 'none'; frame-ancestors 'none'; sandbox$/],
    ['Referrer-Policy', /^no-referrer$/],
    ['X-Frame-Options', /^DENY$/],
    ['Access-Control-Allow-Origin', /^\*$/],
    ['Request-Id', /^[0-9a-f-]{36}$/],
    ['Cache-Control', /./],
  ];
  const never = [
    'Set-Cookie',
    'Server',
    'X-Powered-By',
    'Via',
    'Access-Control-Allow-Credentials',
    'Access-Control-Allow-Methods',
  ];
  return [
    ...must.filter(([name, form]) => !form.test(headers.get(name) ?? '')).map(([name]) => `${name}: ${headers.get(name)}`),
    ...never.filter((name) => headers.has(name)).map((name) => `${name} is there`),
    ...(/html|javascript|svg/.test(headers.get('Content-Type') ?? '') ? ['it is for a browser to run'] : []),
  ];
}

for (const server of five.servers)
  test(`${server.name}: every answer has the safe headers, and says how long it may be kept`, async () => {
    for (const [target, status, kept] of TARGETS[server.name]) {
      // The second time an answer may come from those that are kept ready.
      for (const method of ['GET', 'GET', 'HEAD']) {
        const answer = await ask(server, target, method);
        assert.is(answer.status, status, `${method} ${target}`);
        assert.equal(faultsOf(answer), [], `${method} ${target}`);
        assert.is(answer.headers.get('Cache-Control'), kept, `${method} ${target}`);
      }
      const preflight = await ask(server, target, 'OPTIONS', [
        'Origin: https://evil.example',
        'Access-Control-Request-Method: POST',
      ]);
      assert.ok([400, 404].includes(preflight.status), 'a page submits nothing');
      assert.equal(faultsOf(preflight), []);
    }
  });

test('an attachment that is not for everybody is kept by nobody, and not shown to others', async () => {
  const log = five.servers[0];
  const secret = blob('restricted');
  await five.logged(secret);
  const answer = await ask(log, addenda(secret.ref.digest));
  assert.equal([answer.status, answer.headers.get('Cache-Control')], [401, NEVER]);
});

test('Hosts and headers of proxies that a client makes up stand in no answer', async () => {
  const lies = [
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-For: 192.0.2.66',
    'Forwarded: host=evil.example',
    'X-Original-URL: /metrics',
    'X-HTTP-Method-Override: DELETE',
    'Origin: https://evil.example',
  ];
  for (const server of five.servers)
    for (const [target] of TARGETS[server.name].slice(0, 4)) {
      const { statuses, text } = await exchange(
        server,
        [`GET ${target} HTTP/1.1`, 'Host: evil.example', 'Connection: close', ...lies, '', ''].join('\r\n'),
      );
      assert.is(statuses.length, 1);
      assert.not.match(text, /evil\.example|192\.0\.2\.66/, `${server.name} ${target}`);
    }
});

/** What no client may see: what the system or the language says of a failure. */
const DETAIL = 'ENOENT: /secret/place/keys/log.key at Object.<anonymous> (/app/dist/x.js:1:2)';

/** Lets a method of an object fail while something is done. */
async function whileFailing<T extends object>(object: T, method: keyof T, work: () => Promise<void>): Promise<void> {
  const mine = Object.getOwnPropertyDescriptor(object, method);
  Object.defineProperty(object, method, {
    configurable: true,
    value: () => {
      throw new TypeError(DETAIL);
    },
  });
  try {
    await work();
  } finally {
    if (mine === undefined) delete object[method];
    else Object.defineProperty(object, method, mine);
  }
}

test('what nobody expected is answered with an id, and with nothing of what went wrong', async () => {
  const [log, witness, , monitor, , recorder] = five.servers;
  const check = async (server: Server, target: string): Promise<void> => {
    const answer = await ask(server, target);
    assert.is(answer.status, 500, `${server.name}: ${answer.body}`);
    assert.equal(faultsOf(answer), [], server.name);
    assert.not.match(JSON.stringify([answer.body, ...answer.headers]), /secret|ENOENT|\.js|TypeError|anonymous/, server.name);
    assert.ok(answer.body.includes(answer.headers.get('Request-Id') as string), server.name);
  };
  await whileFailing(five.log.served.log.storage, 'entries', async () => {
    await check(log, '/v1/entries/0');
    await check(log, '/ct/v1/get-entries?start=0&end=0');
    const scitt = await ask(log, '/entries/0/statement');
    assert.is(scitt.status, 500);
    assert.not.match(scitt.body, /secret|ENOENT|\.js|TypeError/);
  });
  await whileFailing(five.witness.witness.store, 'contradictions', () => check(witness, `/${hash}/contradictions`));
  await whileFailing(five.monitor.monitor.store, 'alarms', () => check(monitor, '/v1/alarms?all'));
  await whileFailing(five.recorder.store, 'counts', () => check(recorder, '/healthz'));
});

test('the operator finds the same id, with everything, in the records', async () => {
  const one = await memoryLog();
  await whileFailing(one.log.storage, 'entries', async () => {
    const response = await one.app.request('/v1/entries/0');
    const id = response.headers.get('request-id') as string;
    const record = one.records.find((line) => line.includes(id) && line.includes('"level":50'));
    assert.ok(record?.includes('/secret/place'), 'the detail is in the record');
  });
});

/** Everything that makes a log or a witness say "later", and how it is brought about. */
const LATER: Readonly<Record<string, () => Promise<Response>>> = {
  'an address that submits too often': async () => {
    const { post } = await memoryLog({ config: { rate: 1, burst: 1 } });
    await post('x');
    return post('x');
  },
  'an address that uploads too often': async () => {
    const { app } = await memoryLog({ config: { rate: 1, burst: 1 } });
    const put = async () => app.request(`/v1/attachments/${'ab'.repeat(32)}`, { method: 'PUT' });
    await put();
    return put();
  },
  'an address that enrols too often': async () => {
    const { app } = await memoryLog({ config: { rate: 1, burst: 1 } });
    const enrol = async () => app.request('/v1/enrolment', { method: 'POST' });
    await enrol();
    return enrol();
  },
  'an identity that submits too often': async () => {
    const { post } = await memoryLog({ config: { identity_rate: 1, identity_burst: 1 } });
    await post((await makeStatement()).entry);
    return post((await makeStatement()).entry);
  },
  'more submissions than may be under way': async () => {
    const { post } = await memoryLog({ config: { under_way: 1 } });
    const statements = await Promise.all([makeStatement(), makeStatement()]);
    return (await Promise.all(statements.map(({ entry }) => post(entry))))[1];
  },
  'more bodies than there is room for': async () => {
    const { app } = await memoryLog({ config: { body_bytes: 16 * 1024 * 1024, attachment_bytes: 1024 } });
    const headers = { 'Content-Type': 'application/cbor-seq' };
    let end: (value: unknown) => void = () => undefined;
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(16 * 1024 * 1024));
        void new Promise((resolve) => {
          end = resolve;
        }).then(() => controller.close());
      },
    });
    const first = app.request('/v1/entries:batch', { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
    await new Promise((resolve) => setImmediate(resolve));
    const second = await app.request('/v1/entries:batch', { method: 'POST', headers, body: 'x' });
    end(undefined);
    await first;
    return second;
  },
  'a full disk': async () => {
    const one = await memoryLog();
    one.log.storage.commit = () => Promise.reject(new StorageError('storage/full', DETAIL));
    return one.post((await makeStatement()).entry);
  },
  'a disk that fails': async () => {
    const one = await memoryLog();
    one.log.storage.commit = () => Promise.reject(new StorageError('storage/io', DETAIL));
    return one.post((await makeStatement()).entry);
  },
  'the same, asked by a SCITT client': async () => {
    const one = await memoryLog();
    one.log.storage.commit = () => Promise.reject(new StorageError('storage/io', DETAIL));
    return one.app.request('/entries', {
      method: 'POST',
      headers: { 'Content-Type': 'application/cose' },
      body: (await makeStatement()).entry as Uint8Array<ArrayBuffer>,
    });
  },
  'a disk that cannot be written, seen by /readyz': async () => {
    const one = await memoryLog();
    one.log.storage.checkWritable = () => Promise.reject(new StorageError('storage/full', DETAIL));
    return one.app.request('/readyz');
  },
  'a witness with too much to do': async () => {
    const { add } = openWitness(undefined, undefined, undefined, { pending: 0 });
    return add('x');
  },
  'a witness without room for a body': async () => {
    const { add } = openWitness(undefined, undefined, undefined, { bodyBytes: 1 });
    return add('more than one byte');
  },
};

for (const [what, happen] of Object.entries(LATER))
  test(`${what}: 429, 503 or 507 with Retry-After`, async () => {
    const response = await happen();
    assert.ok([429, 503, 507].includes(response.status), `${response.status}: ${await response.clone().text()}`);
    assert.match(response.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
    assert.equal(faultsOf({ headers: response.headers }), []);
    assert.not.match(await response.text(), /secret|ENOENT/);
  });

test('a monitor that one address shows too many heads: 429 with Retry-After for that address, and others go on', async () => {
  const server = five.servers.find(({ name }) => name === 'monitor') as Server;
  const show = 'POST /gossip/checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n';
  // At once, so that the rate gives back nothing meanwhile; one connection may have 64 requests under way.
  const requests = `${`${show}\r\n`.repeat(49)}${show}Connection: close\r\n\r\n`;
  const exchanges = await Promise.all(Array.from({ length: 8 }, () => exchange(server, requests)));
  const statuses = exchanges.flatMap((one) => one.statuses);
  const text = exchanges.map((one) => one.text).join('');
  const refused = statuses.filter((status) => status === 429).length;
  assert.ok(refused > 0 && statuses.length === 400, `${refused} of ${statuses.length}`);
  assert.is([...text.matchAll(/^retry-after: [1-9]\d*\r$/gim)].length, refused);
  const others = await Promise.all(
    Array.from({ length: 50 }, () =>
      ask({ ...server, from: '127.0.0.2' }, '/gossip/checkpoint', 'POST', ['Content-Length: 0']),
    ),
  );
  assert.equal([...new Set(others.map(({ status }) => status))], [400], 'they are heard');
});

test.run();
