import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { holds, REQUIRED_RECEIPT_CLAIMS, verifyCoseReceipt } from '@treering/evidence';
import { nodeHasher } from '@treering/merkle/node';
import { nodeEd25519 } from '@treering/note/node';
import type { ChangeRecord } from '@treering/record';
import { createStatementSigner } from '@treering/statement';
import { decode, encode, rfc8949EncodeOptions, Tagged } from 'cborg';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { identityRecord, memoryLog, ORIGIN, servedLog } from './fixture.js';
import { removeAtExit } from './tampering.js';

// Everything that a client sends and checks here is made with cborg and node:crypto, as somebody else's client would.

type CborMap = Map<number, unknown>;
type Sign1 = [Uint8Array, CborMap, Uint8Array | null, Uint8Array];

const write = (value: unknown): Uint8Array => encode(value, rfc8949EncodeOptions);
const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const read = (bytes: Uint8Array): unknown => decode(bytes, { useMaps: true, strict: true, tags: Tagged.preserve(18) });
const NONE = new Uint8Array(0);

/** The parts of a tagged COSE_Sign1. */
function partsOf(bytes: Uint8Array): Sign1 {
  const message = read(bytes) as Tagged;
  assert.instance(message, Tagged);
  assert.is(message.tag, 18);
  return message.value as Sign1;
}

const join = (parts: Sign1): Uint8Array => write(new Tagged(18, parts));

/** A vendor with a P-384 key, as in the example of the draft. */
const vendor = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const jwk = vendor.publicKey.export({ format: 'jwk' });
const coordinate = (text: string | undefined): Buffer => Buffer.from(text as string, 'base64url');
const vendorKey = write(
  new Map<number, unknown>([
    [1, 2],
    [-1, 2],
    [-2, coordinate(jwk.x)],
    [-3, coordinate(jwk.y)],
  ]),
);
const kid = sha256(vendorKey);

interface Options {
  readonly algorithm?: number;
  /** Names a header that is critical and unknown. */
  readonly critical?: boolean;
  readonly payload?: Uint8Array | null;
  readonly hash?: number;
  readonly key?: KeyObject;
  readonly kid?: Uint8Array;
}

let counter = 0;

/** A hash envelope with the headers of the draft's example. */
function signedStatement({
  algorithm = -35,
  critical = false,
  hash = -16,
  key = vendor.privateKey,
  kid: id = kid,
  ...rest
}: Options = {}): Uint8Array {
  const content = rest.payload === undefined ? sha256(Buffer.from(`manifest ${++counter}`)) : rest.payload;
  const claims = new Map<number, unknown>([
    [1, `${ORIGIN}/identity/vendor`],
    [2, 'vendor.product.example'],
    [6, Math.floor(Date.now() / 1000)],
  ]);
  const header = write(
    new Map<number, unknown>([
      [1, algorithm],
      ...(critical ? ([[2, [258]]] as [number, unknown][]) : []),
      [4, id],
      [16, 'application/example+cose'],
      [258, hash],
      [259, 'application/spdx+json'],
      [260, 'https://vendor.example/manifest.json'],
      [15, claims],
    ]),
  );
  const signature = sign('sha384', write(['Signature1', header, NONE, content ?? NONE]), { key, dsaEncoding: 'ieee-p1363' });
  return join([header, new Map(), content, signature]);
}

const log = await servedLog();
removeAtExit(log.data);
const stranger = createStatementSigner(new Uint8Array(32).fill(7));
const record = { ...identityRecord('enrol', 'vendor', stranger, ['engineer']), key: vendorKey } as ChangeRecord;
await log.served.log.submit((await log.statement({ record })).entry);

const size = (): number => log.served.log.sequencer.head?.size ?? 0;
const post = (body: Uint8Array, type = 'application/cose', url = log.url): Promise<Response> =>
  fetch(`${url}/entries`, { method: 'POST', headers: { 'Content-Type': type }, body: body as Uint8Array<ArrayBuffer> });
const bytesOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());

/** Registers, and asks again as long as registration runs. */
async function register(statement: Uint8Array): Promise<{ location: string; receipt: Uint8Array }> {
  let response = await post(statement);
  for (let i = 0; i < 20 && (response.status === 302 || response.status === 303); i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    response = await fetch(response.headers.get('location') as string, { redirect: 'manual' });
  }
  assert.ok(response.status === 201 || response.status === 200, `status ${response.status}`);
  assert.is(response.headers.get('content-type'), 'application/cose');
  return { location: response.headers.get('location') as string, receipt: await bytesOf(response) };
}

/** The root that an inclusion path leads to, after RFC 9162 section 2.1.3.2. */
function rootOf(leaf: Uint8Array, index: number, count: number, path: readonly Uint8Array[]): Uint8Array {
  let [fn, sn, r] = [index, count - 1, leaf];
  for (const p of path) {
    assert.ok(sn > 0);
    if (fn % 2 === 1 || fn === sn) {
      r = sha256(Uint8Array.of(1), p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else r = sha256(Uint8Array.of(1), r, p);
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  assert.is(sn, 0);
  return r;
}

/** Checks a receipt for a statement under the keys that the log gives out; returns where the statement stands. */
async function check(receipt: Uint8Array, statement: Uint8Array): Promise<{ index: number; size: number }> {
  const response = await fetch(`${log.url}/.well-known/scitt-keys`, { headers: { Accept: 'application/cbor' } });
  assert.is(response.headers.get('content-type'), 'application/cbor');
  const keys = read(await bytesOf(response)) as CborMap[];
  const [header, unprotected, payload, signature] = partsOf(receipt);
  const claims = read(header) as CborMap;
  assert.is(payload, null);
  assert.is(claims.get(395), 1);
  assert.equal(
    [...(claims.get(15) as CborMap)],
    [
      [1, ORIGIN],
      [2, 'vendor.product.example'],
    ],
  );
  const key = keys.find((one) => Buffer.compare(one.get(2) as Uint8Array, claims.get(4) as Uint8Array) === 0) as CborMap;
  assert.ok(key, 'the key set has the key of the receipt');
  assert.equal([key.get(1), key.get(-1), key.get(3)], [1, 6, claims.get(1)]);
  const proofs = (unprotected.get(396) as CborMap).get(-1) as Uint8Array[];
  assert.is(proofs.length, 1);
  const [count, index, path] = read(proofs[0]) as [number, number, Uint8Array[]];
  const root = rootOf(sha256(Uint8Array.of(0), statement), index, count, path);
  const x = Buffer.from(key.get(-2) as Uint8Array).toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  assert.ok(verify(null, write(['Signature1', header, NONE, root]), publicKey, signature), 'the signature of the receipt');
  return { index, size: count };
}

/** A refusal as RFC 9290 writes it. */
async function problem(response: Response): Promise<{ status: number; title: string; detail: string }> {
  assert.is(response.headers.get('content-type'), 'application/concise-problem-details+cbor', `status ${response.status}`);
  const details = read(await bytesOf(response)) as CborMap;
  const [title, detail] = [details.get(-1), details.get(-2)];
  assert.type(title, 'string');
  assert.type(detail, 'string');
  assert.ok((detail as string).length > 0);
  return { status: response.status, title: title as string, detail: detail as string };
}

/** Fails unless a registration is refused so, and nothing was logged. */
async function refused(response: Promise<Response>, status: number, title: string | RegExp): Promise<string> {
  const before = size();
  const { detail, ...answer } = await problem(await response);
  assert.is(answer.status, status, detail);
  if (typeof title === 'string') assert.is(answer.title, title, detail);
  else assert.match(answer.title, title);
  assert.is(size(), before);
  return detail;
}

test('a statement goes in, a receipt comes out and holds by the key set alone', async () => {
  const statement = signedStatement();
  const before = size();
  const { location, receipt } = await register(statement);
  assert.is(size(), before + 1);
  assert.equal((await check(receipt, statement)).index, before);
  assert.is(location, `${log.url}/entries/${sha256(Uint8Array.of(0), statement).toString('hex')}`);
});

test('its address answers with a receipt under the newest head, and with the statement as it was sent', async () => {
  const statement = signedStatement();
  const { location, receipt } = await register(statement);
  const first = await check(receipt, statement);
  await register(signedStatement());
  const fresh = await fetch(location, { headers: { Accept: 'application/cose' } });
  assert.equal([fresh.status, fresh.headers.get('content-type')], [200, 'application/cose']);
  const second = await check(await bytesOf(fresh), statement);
  assert.equal(second, { index: first.index, size: first.size + 1 });
  assert.equal(await bytesOf(await fetch(`${location}/statement`)), statement);
});

test('the receipt in header 394 makes a transparent statement, which verifies offline', async () => {
  const statement = signedStatement();
  const { location, receipt } = await register(statement);
  const [header, , payload, signature] = partsOf(statement);
  const transparent = join([header, new Map([[394, [receipt]]]), payload, signature]);
  const [key] = log.served.log.receiptKeys;
  const trust = { logs: [{ origin: ORIGIN, key }], hasher: nodeHasher, ed25519: nodeEd25519 };
  for (const bytes of [transparent, await bytesOf(await fetch(`${location}/transparent-statement`))]) {
    const report = verifyCoseReceipt(bytes, trust);
    assert.ok(holds(report.claims, REQUIRED_RECEIPT_CLAIMS), JSON.stringify(report.claims));
    assert.is(report.statement.sub, 'vendor.product.example');
  }
  const other = join([header, new Map([[394, [receipt]]]), sha256(NONE), signature]);
  assert.not(holds(verifyCoseReceipt(other, trust).claims, REQUIRED_RECEIPT_CLAIMS));
});

test('registered again, with or without its receipt, it keeps its place', async () => {
  const statement = signedStatement();
  const { location, receipt } = await register(statement);
  const { index } = await check(receipt, statement);
  const [header, , payload, signature] = partsOf(statement);
  const before = size();
  for (const again of [statement, join([header, new Map([[394, [receipt]]]), payload, signature])]) {
    const answer = await register(again);
    assert.is(answer.location, location);
    assert.is((await check(answer.receipt, statement)).index, index);
  }
  assert.is(size(), before);
});

test('each key of the set has an address, and the thumbprint is its id', async () => {
  const keys = read(await bytesOf(await fetch(`${log.url}/.well-known/scitt-keys`))) as CborMap[];
  assert.ok(keys.length > 0);
  for (const key of keys) {
    const id = Buffer.from(key.get(2) as Uint8Array);
    const members = [1, -1, -2].map((label): [number, unknown] => [label, key.get(label)]);
    assert.is(id.toString('hex'), sha256(write(new Map(members))).toString('hex'));
    const response = await fetch(`${log.url}/.well-known/scitt-keys/${id.toString('base64url')}`);
    assert.is(response.headers.get('content-type'), 'application/cbor');
    assert.equal(read(await bytesOf(response)), key);
  }
  await refused(fetch(`${log.url}/.well-known/scitt-keys/nobody`), 404, 'No such key');
});

test('what the policy does not let in is rejected with the rule that decided', async () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  assert.match(await refused(post(signedStatement({ kid: new Uint8Array(32) })), 400, 'Rejected'), 'identities');
  assert.match(await refused(post(signedStatement({ key: other })), 400, 'Rejected'), 'signature');
});

test('a statement that cannot be read is malformed', async () => {
  for (const body of [NONE, Uint8Array.of(0xd2), write('text'), write(new Tagged(18, [NONE, new Map(), NONE]))])
    await refused(post(body), 400, 'Malformed request');
});

test('a statement without payload is told so, and nothing else is', async () => {
  await refused(post(signedStatement({ payload: null })), 400, 'Payload Missing');
  await refused(post(signedStatement({ hash: -999 })), 400, 'Malformed request');
});

test('an algorithm that is not supported is told so, and critical headers are not called one', async () => {
  await refused(post(signedStatement({ critical: true })), 400, /^(?!Bad Signature Algorithm)/);
  await refused(post(signedStatement({ algorithm: -260 })), 400, 'Bad Signature Algorithm');
});

test('another content type and a body that is too large are refused', async () => {
  for (const type of ['application/json', 'application/cbor', 'text/plain'])
    await refused(post(signedStatement(), type), 415, /^(?:Malformed request|Unsupported media type)$/);
  const large = /^(?:Malformed request|Too large)$/;
  await refused(post(new Uint8Array(65_535 * 4 + 1)), 413, large);
  await refused(post(signedStatement({ payload: new Uint8Array(65_535) })), 413, large);
});

test('an operation that is not known is not found', async () => {
  for (const path of ['', '/statement', '/transparent-statement'])
    await refused(fetch(`${log.url}/entries/${'0'.repeat(64)}${path}`), 404, 'Not Found');
  for (const id of ['tmp123', '0123', 'F'.repeat(64)]) {
    const { status } = await problem(await fetch(`${log.url}/entries/${id}`));
    assert.ok(status === 400 || status === 404, `${id}: ${status}`);
  }
});

test('a method or a path that the reference API does not have is not there', async () => {
  const asked: [string, string][] = [
    ['GET', '/entries'],
    ['PUT', '/entries'],
    ['DELETE', `/entries/${'0'.repeat(64)}`],
    ['GET', `/entries/${'0'.repeat(64)}/nothing`],
    ['POST', '/.well-known/scitt-keys'],
  ];
  for (const [method, path] of asked) {
    const response = await fetch(`${log.url}${path}`, { method });
    assert.ok(response.status === 404 || response.status === 405, `${method} ${path}: ${response.status}`);
    assert.match(response.headers.get('content-type') ?? '', /^application\/(?:concise-problem-details\+cbor|problem\+json)$/);
  }
});

test('too many registrations are answered with 429 and a time to wait', async () => {
  const { app } = await memoryLog({ config: { rate: 1, burst: 1 } });
  const ask = () => app.request('/entries', { method: 'POST', headers: { 'Content-Type': 'application/cose' }, body: 'x' });
  await ask();
  const response = await ask();
  assert.match(response.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  const { status, title } = await problem(response);
  assert.is(status, 429);
  assert.match(title, /^too many requests$/i);
});

test.after(() => log.close());

test.run();
