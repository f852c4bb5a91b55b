import { randomBytes } from 'node:crypto';
import { type Attachment, createAttachment } from '@treering/record';
import { encodeBase64Url, encodeCbor, RECORD_CONTENT_TYPE, type StatementSigner, signStatement } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ACCESS_CONTENT_TYPE } from '../src/content-types.js';
import { ERASED, tombstoneOf } from '../src/erasure.js';
import { identityRecord, makeStatement, memoryLog, ORIGIN, SEED, signerFrom } from './fixture.js';

let now = Date.now();
const one = await memoryLog({ config: { attachment_bytes: 4096 }, clock: () => now });
const { app, log } = one;
const admin = signerFrom(SEED.admin);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function attachment(access: 'public' | 'restricted' | 'withheld', size = 100): Attachment {
  return createAttachment(
    new Uint8Array(randomBytes(size)),
    { name: 'report.txt', media_type: 'text/plain', access },
    new Uint8Array(randomBytes(16)),
  );
}

/** Index of the entry that a test logged last. */
let last = 0;
const logEntry = async (entry: Uint8Array): Promise<{ index: number }> => {
  const { index } = await log.submit(entry);
  last = index;
  return { index };
};
const put = (digest: string, blob: Uint8Array, query = `?entry=${last}`, type = 'application/octet-stream') =>
  app.request(`/v1/attachments/${digest}${query}`, {
    method: 'PUT',
    headers: { 'Content-Type': type },
    body: blob as Uint8Array<ArrayBuffer>,
  });
const path = (digest: string): string => `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`;
const get = (digest: string, authorization?: string) =>
  app.request(path(digest), authorization === undefined ? {} : { headers: { Authorization: authorization } });

/** Logs a statement that names an attachment and uploads it. */
async function logged(access: 'public' | 'restricted'): Promise<{ digest: string; blob: Uint8Array }> {
  const { ref, blob } = attachment(access);
  await logEntry((await makeStatement({ attachments: [ref], iat: Math.floor(now / 1000) })).entry);
  const digest = hex(ref.digest);
  assert.is((await put(digest, blob)).status, 201);
  return { digest, blob };
}

/** The value of the header Authorization that shows who asks. */
async function token(
  digest: string,
  parts: { signer?: StatementSigner; id?: string; iat?: number; contentType?: string; payload?: Uint8Array } = {},
): Promise<string> {
  const claims = {
    iss: `${ORIGIN}/identity/${parts.id ?? 'admin'}`,
    sub: `access/${digest}`,
    iat: parts.iat ?? Math.floor(now / 1000),
    contentType: parts.contentType ?? ACCESS_CONTENT_TYPE,
  };
  const { entry } = await signStatement(claims, parts.payload ?? new Uint8Array(0), parts.signer ?? admin);
  return `Treering ${encodeBase64Url(entry)}`;
}

test('a public attachment is stored once, and read by everybody', async () => {
  const { digest, blob } = await logged('public');
  const again = await put(digest, blob);
  assert.is(again.status, 200);
  assert.equal(await again.json(), { digest, url: path(digest) });
  const response = await get(digest);
  assert.is(response.status, 200);
  assert.is(response.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  assert.equal(new Uint8Array(await response.arrayBuffer()), blob);
  assert.is((await app.request(`/addenda/00/00/${digest}`)).status, 404);
  assert.is((await app.request(`/addenda/zz/zz/${'z'.repeat(64)}`)).status, 400);
  assert.is((await get('0'.repeat(64))).status, 404);
});

/** Stores something else in the place of an attachment. */
async function damage(digest: string, change: (stored: Uint8Array) => void): Promise<Uint8Array> {
  const stored = (await log.storage.attachment(digest)) as Uint8Array;
  change(stored);
  await log.storage.replaceAttachment(digest, stored);
  return stored;
}

test('a damaged attachment is whole again after it was uploaded again', async () => {
  const { digest, blob } = await logged('public');
  const changes: ((stored: Uint8Array) => void)[] = [
    (stored) => {
      stored[20] ^= 1;
    },
    (stored) => {
      stored[0] ^= 1;
    },
  ];
  for (const change of changes) {
    await damage(digest, change);
    assert.is.not((await get(digest)).status, 200);
    assert.is((await put(digest, blob)).status, 201);
    assert.equal(new Uint8Array(await (await get(digest)).arrayBuffer()), blob);
    assert.is((await put(digest, blob)).status, 200, 'it is whole, and stays as it is');
  }
});

test('what is stored as restricted does not become public by an upload for another entry', async () => {
  const { ref, blob } = attachment('restricted');
  const digest = hex(ref.digest);
  await logEntry((await makeStatement({ attachments: [ref], iat: Math.floor(now / 1000) })).entry);
  assert.is((await put(digest, blob)).status, 201);
  await logEntry((await makeStatement({ attachments: [{ ...ref, access: 'public' }], iat: Math.floor(now / 1000) })).entry);
  assert.is((await put(digest, blob)).status, 200);
  assert.is((await get(digest)).status, 401);
});

test('a damaged attachment that is erased while it is uploaded does not come back', async () => {
  const { ref, blob } = attachment('public');
  const digest = hex(ref.digest);
  const { index } = await logEntry((await makeStatement({ attachments: [ref], iat: Math.floor(now / 1000) })).entry);
  assert.is((await put(digest, blob)).status, 201);
  await damage(digest, (stored) => {
    stored[20] ^= 1;
  });
  const { storage } = log;
  const { putAttachment } = storage;
  storage.putAttachment = async (name, bytes) => {
    storage.putAttachment = putAttachment;
    const created = await putAttachment.call(storage, name, bytes);
    await putAttachment.call(storage, tombstoneOf(digest), Uint8Array.from([ERASED, ...Buffer.from(String(index))]));
    return created;
  };
  assert.is((await put(digest, blob)).status, 410);
  const stored = (await storage.attachment(digest)) as Uint8Array;
  assert.is.not(Buffer.compare(stored.subarray(1), blob), 0);
});

test('only bytes that hash to a name which an entry gives are kept', async () => {
  const { ref, blob } = attachment('public');
  const digest = hex(ref.digest);
  const unnamed = await put(digest, blob);
  assert.is(unnamed.status, 404);
  assert.is((await unnamed.json()).code, 'attachment/not-named');
  const { index } = await logEntry((await makeStatement({ attachments: [ref], iat: Math.floor(now / 1000) })).entry);
  const altered = blob.slice();
  altered[20] ^= 1;
  assert.is((await put(digest, new Uint8Array(blob.length + 1))).status, 413, 'no more is read than the entry says');
  assert.is((await put(digest, blob, '')).status, 401, 'an upload without an entry is signed');
  for (const bytes of [altered, blob.subarray(1), new Uint8Array(0)]) {
    const response = await put(digest, bytes);
    assert.is(response.status, 422);
    assert.is((await response.json()).code, 'attachment/wrong-digest');
  }
  assert.is((await get(digest)).status, 404, 'nothing was kept');
  assert.is((await put(digest, blob, `?entry=${index - 1}`)).status, 404);
  assert.is((await put(digest, blob, '?entry=999')).status, 404);
  assert.is((await put(digest, blob, '?entry=x')).status, 400);
  assert.is((await put(digest, blob, `?entry=${index}`, 'text/plain')).status, 415);
  assert.is((await put('abc', blob)).status, 400);
  assert.is((await put(digest.toUpperCase(), blob)).status, 400);
  assert.equal(await log.storage.attachments('', 1000).then((all) => all.includes(digest)), false);
  assert.is((await put(digest, blob, `?entry=${index}`)).status, 201);
});

test('who may read is what the entry says under which it was uploaded, and stays so', async () => {
  const { ref, blob } = attachment('restricted');
  const digest = hex(ref.digest);
  const { index } = await logEntry((await makeStatement({ attachments: [ref], iat: Math.floor(now / 1000) })).entry);
  assert.is((await put(digest, blob)).status, 201);
  const looser = await makeStatement({ attachments: [{ ...ref, access: 'public' }], iat: Math.floor(now / 1000) });
  await logEntry(looser.entry);
  assert.is((await put(digest, blob)).status, 200);
  assert.is((await get(digest)).status, 401);
  assert.ok(index < last);
});

test('withheld content is never taken, large content refused', async () => {
  const { ref, blob } = attachment('withheld');
  await logEntry((await makeStatement({ attachments: [ref], iat: Math.floor(now / 1000) })).entry);
  const response = await put(hex(ref.digest), blob);
  assert.is(response.status, 403);
  assert.is((await response.json()).code, 'attachment/withheld');
  assert.is((await get(hex(ref.digest))).status, 404);
});

test('a refused statement names nothing', async () => {
  const { ref, blob } = attachment('public');
  const refused = await makeStatement({ attachments: [ref], signer: signerFrom() });
  assert.is((await one.post(refused.entry)).status, 401);
  assert.is((await put(hex(ref.digest), blob)).status, 404);
});

test('a restricted attachment is read by enrolled identities with a fresh statement about it, and by nobody else', async () => {
  const { digest, blob } = await logged('restricted');
  const other = (await logged('restricted')).digest;
  const seconds = Math.floor(now / 1000);
  const good = await get(digest, await token(digest));
  assert.is(good.status, 200);
  assert.is(good.headers.get('cache-control'), 'private, no-store');
  assert.equal(new Uint8Array(await good.arrayBuffer()), blob);
  const valid = await token(digest);
  const broken = `${valid.slice(0, -3)}${valid.endsWith('AAA') ? 'BBB' : 'AAA'}`;
  const refused: Record<string, string | undefined> = {
    'no header': undefined,
    'another scheme': valid.replace('Treering', 'Bearer'),
    'no token': 'Treering ',
    garbage: 'Treering AAAA',
    'not base64url': 'Treering a+b/',
    'broken signature': broken,
    'too old': await token(digest, { iat: seconds - 301 }),
    'too early': await token(digest, { iat: seconds + 301 }),
    'another digest': await token(other),
    'another key': await token(digest, { signer: signerFrom() }),
    'another issuer': await token(digest, { id: 'somebody' }),
    'another content type': await token(digest, { contentType: 'text/plain' }),
    'a record that is none': await token(digest, { contentType: RECORD_CONTENT_TYPE, payload: encodeCbor(1) }),
  };
  for (const [what, authorization] of Object.entries(refused)) {
    const response = await get(digest, authorization);
    assert.is(response.status, 401, what);
    assert.is(response.headers.get('www-authenticate'), 'Treering', what);
    assert.is((await response.json()).code, 'attachment/restricted', what);
  }
});

test('a key that was revoked, or whose time is over, reads no more', async () => {
  const { digest } = await logged('restricted');
  const reader = signerFrom();
  const record = identityRecord('enrol', 'reader', reader, ['engineer']);
  await logEntry((await makeStatement({ record, iat: Math.floor(now / 1000) })).entry);
  const ask = async () => (await get(digest, await token(digest, { signer: reader, id: 'reader' }))).status;
  assert.is(await ask(), 200);
  const start = now;
  now += 2 * 86_400_000;
  assert.is(await ask(), 401, 'after valid_until');
  now = start;
  assert.is(await ask(), 200);
  const revocation = identityRecord('revoke', 'reader', reader, []);
  await logEntry((await makeStatement({ record: revocation, iat: Math.floor(now / 1000) })).entry);
  assert.is(await ask(), 401, 'after the revocation');
});

test('the statement that opens an attachment cannot be logged as a record', async () => {
  const authorization = await token('0'.repeat(64));
  const before = one.size();
  const response = await one.post(new Uint8Array(Buffer.from(authorization.slice('Treering '.length), 'base64url')));
  assert.is(response.status, 403);
  assert.is(one.size(), before);
});

test('the first entry to bring content decides who reads it', async () => {
  const { digest, blob } = await logged('restricted');
  const ref = {
    name: 'copy',
    media_type: 'text/plain',
    size: blob.length - 16,
    digest: new Uint8Array(Buffer.from(digest, 'hex')),
    access: 'public' as const,
  };
  await logEntry((await makeStatement({ attachments: [ref], iat: Math.floor(now / 1000) })).entry);
  assert.is((await put(digest, blob)).status, 200);
  assert.is((await get(digest)).status, 401);
});

test.run();
