import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig as parseMonitorConfig, serveMonitor } from '@treering/monitor';
import { createSigner, encodeUtf8, formatNote, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { encodeCbor, signStatement } from '@treering/statement';
import { serveWitness, configSchema as witnessConfig } from '@treering/witness';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pod, review } from '../../apps/admission/test/reviews.js';
import { enrollingLog } from '../../apps/log/test/enrolling.js';
import { ORIGIN, servedLog, signerFrom } from '../../apps/log/test/fixture.js';
import { haveVectors, vectorJson } from '../vectors.js';
import { BadNeighbour, endless, redirectingTo } from './bad-neighbour.js';
import { FiveServers } from './five-servers.js';
import { type Outgoing, watchOutgoing } from './outgoing.js';
import { exchange } from './raw-exchange.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

// No server fetches an address that a client names; of those that operators name, none leads to another one, and none is read without end.

const lure = await BadNeighbour.open((response) => response.end('lured'));
const five = await FiveServers.open();
test.after(async () => {
  lure.close();
  await five.close();
});

const ALL_URLS: readonly string[] = [
  ...(haveVectors ? (vectorJson('synthetic/http/ssrf-urls.json').cases as { url: string }[]).map(({ url }) => url) : []),
  lure.url,
  `${lure.url}/.well-known/openid-configuration`,
  lure.url.replace('127.0.0.1', 'localhost'),
  lure.url.replace('127.0.0.1', '0x7f000001'),
  lure.url.replace('127.0.0.1', '2130706433'),
  lure.url.replace('127.0.0.1', '[::ffff:127.0.0.1]'),
  lure.url.replace('http:', 'https:'),
  lure.url.replace('http:', ''),
  lure.url.replace('http://', 'http://169.254.169.254@'),
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://treering-lure.invalid/',
  'gopher://127.0.0.1:11211/_stats',
  'ldap://127.0.0.1/o=x',
  'unix:/var/run/docker.sock',
  'data:application/json,{}',
];

/** At quick size every second one. */
const URLS = ALL_URLS.filter((_, i) => i % forSize({ quick: 2, full: 1, soak: 1 }) === 0);

const text = (value: unknown): Uint8Array => encodeUtf8(typeof value === 'string' ? value : JSON.stringify(value));
const base64url = (value: unknown): string => Buffer.from(text(value)).toString('base64url');
const now = (): number => Math.floor(Date.now() / 1000);

/** Statements that name an address wherever one can stand. */
async function statementsWith(url: string): Promise<Uint8Array[]> {
  const admin = `${ORIGIN}/identity/admin`;
  const signer = signerFrom();
  const signed = async (iss: string, sub: string, contentType: string, payload: Uint8Array): Promise<Uint8Array> =>
    (await signStatement({ iss, sub, iat: now(), contentType }, payload, signer)).entry;
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      tlogEntries: [{ logId: { url }, canonicalizedBody: url }],
      certificate: { rawBytes: '', url },
      timestampVerificationData: { tsaUrl: url },
    },
    dsseEnvelope: { payload: Buffer.from(url).toString('base64'), payloadType: url, signatures: [{ sig: '', keyid: url }] },
  };
  const header = encodeCbor(
    new Map<number, unknown>([
      [1, -8],
      [3, 'text/uri-list'],
      // x5u (RFC 9360), and the location of a payload that is elsewhere.
      [35, url],
      [260, url],
      [
        15,
        new Map<number, unknown>([
          [1, url],
          [2, 'model/wink'],
          [6, now()],
        ]),
      ],
    ]) as Parameters<typeof encodeCbor>[0],
  );
  const sign1 = encodeCbor([header, new Map([[35, url]]), text(url), await signer.sign(header)] as Parameters<
    typeof encodeCbor
  >[0]);
  return [
    (await five.log.statement({ reason: `See ${url} for it.` })).entry,
    await signed(url, 'model/wink', 'text/uri-list', text(url)),
    await signed(admin, 'model/wink', 'text/uri-list', text(url)),
    await signed(url, 'model/wink', bundle.mediaType, text(bundle)),
    await signed(admin, 'model/wink', 'application/vnd.in-toto+dsse', text(bundle.dsseEnvelope)),
    Uint8Array.of(0xd2, ...sign1),
    text(url),
  ];
}

/** Lets a client say an address wherever a server listens to one. */
async function sayEverywhere(url: string): Promise<number> {
  const { log, witness, monitor, cluster, recorder } = five;
  const post = (
    to: string,
    body: Uint8Array,
    type: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> =>
    fetch(to, { method: 'POST', headers: { 'Content-Type': type, ...headers }, body: body as Uint8Array<ArrayBuffer> });
  const statements = await statementsWith(url);
  const key = createSigner('x', KEY_TYPE.ed25519, new Uint8Array(32).fill(9), nodeEd25519);
  const head = `${url.replace(/[^!-~]/g, '')}\n1\n${Buffer.alloc(32).toString('base64')}\n`;
  const note = formatNote({ text: head, signatures: [{ ...key.sign(head) }] });
  const event = text({ entity: 'model_version', action: 'created', data: { name: 'x', version: '1', source: url } });
  const answers = await Promise.all([
    ...statements.map((entry) => post(`${log.url}/v1/entries`, entry, 'application/cose')),
    ...statements.map((entry) => post(`${log.url}/entries`, entry, 'application/cose')),
    post(`${log.url}/v1/entries:batch`, Buffer.concat(statements.slice(1, 4)), 'application/cbor-seq'),
    fetch(`${log.url}/v1/subjects?prefix=${encodeURIComponent(url)}`),
    fetch(`${log.url}/v1/log?url=${encodeURIComponent(url)}`),
    post(`${witness.url}/add-checkpoint`, Buffer.concat([text('old 0\n\n'), note]), 'text/plain'),
    post(
      `${witness.url}/add-entries`,
      Buffer.concat([Uint8Array.of(0, url.length), text(url), Buffer.alloc(18)]),
      'application/octet-stream',
    ),
    post(`${monitor.url}/gossip/checkpoint`, note, 'text/plain'),
    post(`${recorder.url}/mlflow`, event, 'application/json', five.signed(`ssrf-${URLS.indexOf(url)}`, event)),
  ]);
  for (const answer of answers) assert.ok(answer.status < 500, `${answer.url}: ${answer.status}`);
  const annotations = Object.fromEntries(['permit', 'model', 'config', 'service'].map((name) => [`treering.dev/${name}`, url]));
  assert.is((await cluster.decide(review(pod({ annotations, image: `${url}/x@sha256:${'c3'.repeat(32)}` })))).allowed, false);
  const lines = ['Host', 'Referer', 'Origin', 'Link', 'X-Forwarded-Host', 'Forwarded', 'Proxy', 'Callback-URL'].map(
    (name) => `${name}: ${url}`,
  );
  const targets = [url, `/v1/log?callback=${url}`, `//${url.replace(/^[a-z]+:\/*/, '')}`].filter((target) =>
    /^[!-~]+$/.test(target),
  );
  for (const server of five.servers)
    for (const target of targets)
      await exchange(
        server,
        [`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close', ...lines.slice(1), '', ''].join('\r\n'),
      );
  return answers.length + 1 + targets.length * five.servers.length;
}

const { key } = signerFrom();
const jwk = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: Buffer.from(key.x).toString('base64url'),
  kid: 'known',
  alg: 'EdDSA',
  use: 'sig',
};
const provider = {
  name: 'ci',
  prefix: 'ci',
  issuer: 'https://issuer.invalid',
  audience: 'treering',
  kind: 'workload',
  binding: 'possession',
  valid_for: 600,
  grants: [{ claims: { a: 'b' }, roles: ['engineer'] }],
  jwks: [jwk],
};
const enrolling = await enrollingLog([provider as unknown as Parameters<typeof enrollingLog>[0][number]]);

/** Tokens that name addresses in every header and claim that could be fetched, brought to a log that enrols. */
async function bringTokens(url: string): Promise<number> {
  const token = (header: object, claims: object): string =>
    `${base64url({ alg: 'EdDSA', kid: 'known', ...header })}.${base64url({ iss: provider.issuer, sub: 'x', aud: 'treering', iat: now(), exp: now() + 60, ...claims })}.${Buffer.alloc(64, 1).toString('base64url')}`;
  const tokens = [
    token({}, { iss: url }),
    token({ jku: url }, {}),
    token({ jku: url, kid: 'unknown' }, { iss: url }),
    token({ x5u: url, x5c: [url] }, {}),
    token({ jwk: { ...jwk, x5u: url } }, {}),
    token({ crit: ['jku'], jku: url }, {}),
    token({ alg: 'dir', enc: 'A256GCM', jku: url }, {}),
  ];
  for (const one of tokens) assert.ok([400, 401].includes((await enrolling.ask(one)).status));
  for (const name of [url, 'ci']) await enrolling.ask(tokens[0], { provider: name });
  return tokens.length + 2;
}

/** What was reached beside the servers under test themselves. */
function elsewhere({ connections, names }: Outgoing, own: readonly string[]): readonly string[] {
  const known = new Set(own.map((url) => new URL(url).port));
  return [
    ...connections.filter((to) => !/^127\.0\.0\.1:\d+$/.test(to) || !known.has(to.slice(10))),
    ...names.filter((name) => !/^(?:127\.0\.0\.1|localhost)$/.test(name)),
  ];
}

test('no server connects to an address that a client names, or looks up its name', async () => {
  const own = [five.log.url, five.witness.url, five.monitor.url, five.cluster.served.url, five.recorder.url];
  const watch = watchOutgoing();
  let said = 0;
  try {
    for (const url of URLS) said += (await sayEverywhere(url)) + (await bringTokens(url));
    await five.log.served.log.publisher.publish();
    await five.monitor.monitor.poll();
    assert.ok(watch.connections.length > URLS.length, 'connections are noticed');
    assert.equal(elsewhere(watch, own), []);
    assert.is(lure.requests.length, 0);
    // The same eyes see it when somebody does fetch such an address.
    await fetch(lure.url);
    await fetch('http://treering-lure.invalid/').catch(() => undefined);
    assert.equal(elsewhere(watch, own), [
      lure.url.slice('http://'.length),
      'treering-lure.invalid:80',
      'treering-lure.invalid',
    ]);
    lure.requests.length = 0;
  } finally {
    watch.stop();
  }
  reportOutcome({
    name: 'ssrf',
    group: 'input',
    scenario: 'addresses of this machine, of private networks and of strangers, wherever a client can write one',
    runs: said,
    unit: 'requests',
    also: '0 connections and 0 names looked up',
  });
});

/** Neighbours that an operator may name by mistake, or that are taken over. */
const folder = mkdtempSync(join(tmpdir(), 'treering-ssrf-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;

/** Lets log, witness and monitor ask a neighbour for everything that they ask anybody for. */
async function askedBy(neighbour: BadNeighbour): Promise<void> {
  const data = join(folder, String(made++));
  const key = createSigner('log.test/elsewhere', KEY_TYPE.ed25519, new Uint8Array(32).fill(7), nodeEd25519);
  const vkey = formatVerifierKey(key.key);
  const w = createSigner('w.test', KEY_TYPE.ed25519Cosignature, new Uint8Array(32).fill(8), nodeEd25519);
  const policy = `log ${vkey} ${neighbour.url}\nwitness w ${formatVerifierKey(w.key)} ${neighbour.url}\ngroup all all w\nquorum all\n`;
  const quiet = { listen: '127.0.0.1:0', log_level: 'silent' } as const;
  writeFileSync(`${data}.logs`, `log ${vkey} ${neighbour.url}\n`);
  writeFileSync(`${data}.policy`, policy);
  const before = neighbour.requests.length;
  const witness = await serveWitness(
    witnessConfig.parse({ data: `${data}-w`, logs: `${data}.logs`, name: 'w.test/1', ...quiet }),
  );
  assert.ok(neighbour.requests.length > before, 'the witness asks');
  await witness.close();
  const asked = neighbour.requests.length;
  const config = {
    name: 'm.test/1',
    logs: [{ keys: [vkey], url: neighbour.url, policy: 'p' }],
    peers: [neighbour.url],
    webhooks: [neighbour.url],
    timeout: 3000,
    ...quiet,
  };
  const monitor = await serveMonitor(`${data}-m`, await parseMonitorConfig(JSON.stringify(config), async () => policy));
  await monitor.monitor.poll();
  await monitor.close();
  assert.ok(neighbour.requests.length >= asked + 3, 'the monitor asks log, witness and peer');
  const told = neighbour.requests.length;
  const log = await servedLog({ witnesses: `${data}.policy`, witness_timeout: 1000 });
  await log.served.log.publisher.publish().catch(() => undefined);
  await log.close();
  assert.ok(neighbour.requests.length > told, 'the log asks');
}

const REDIRECTS = (
  [
    [301, lure.url],
    [302, `${lure.url}/x`],
    [303, lure.url],
    [307, lure.url],
    [308, 'http://169.254.169.254/latest/meta-data/'],
  ] as const
).slice(-forSize({ quick: 2, full: 5, soak: 5 }));

test('redirects of neighbours that an operator names are not followed, and nothing is sent that could be a secret', async () => {
  for (const [status, target] of REDIRECTS) {
    const watch = watchOutgoing();
    const neighbour = await BadNeighbour.open(redirectingTo(target, status));
    try {
      await askedBy(neighbour);
      assert.is(lure.requests.length, 0, String(status));
      assert.equal(
        watch.connections.filter((to) => to.startsWith('169.254')),
        [],
      );
      for (const { headers } of neighbour.requests)
        assert.equal(
          ['authorization', 'cookie', 'proxy-authorization', 'referer'].filter((name) => headers[name] !== undefined),
          [],
        );
    } finally {
      watch.stop();
      neighbour.close();
    }
  }
});

test('of an answer that never ends no more is read than such an answer may have', async () => {
  const neighbour = await BadNeighbour.open(endless);
  try {
    await askedBy(neighbour);
    // Half a MiB is the largest note; the rest lies in the buffers of sockets.
    const each = neighbour.sent / neighbour.requests.length;
    assert.ok(each < 16 * 1024 * 1024, `${neighbour.sent} bytes in ${neighbour.requests.length} answers`);
  } finally {
    neighbour.close();
  }
});

test('a monitor takes no address with a password in it, which it would show', async () => {
  const { vkey } = five.log.served;
  for (const address of ['http://user:pass@127.0.0.1/', 'http://user@127.0.0.1/', 'http://:pass@127.0.0.1/']) {
    for (const more of [{ logs: [{ keys: [vkey], url: address }] }, { peers: [address] }, { webhooks: [address] }]) {
      const file = { name: 'm.test/1', logs: [{ keys: [vkey], url: 'http://127.0.0.1/' }], ...more };
      let message = '';
      await parseMonitorConfig(JSON.stringify(file), async () => '').catch((error: Error) => {
        message = error.message;
      });
      assert.match(message, /no user and no password/);
      assert.not.match(message, /pass@/);
    }
  }
});

test.run();
