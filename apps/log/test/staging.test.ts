import { randomBytes } from 'node:crypto';
import { type Attachment, type AttachmentRef, type ChangeRecord, createAttachment } from '@treering/record';
import { encodeBase64Url, type StatementSigner, signStatement } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ACCESS_CONTENT_TYPE } from '../src/content-types.js';
import { STARTING_POLICY } from '../src/index.js';
import { Staging } from '../src/staging.js';
import { identityRecord, makeStatement, memoryLog, ORIGIN, SEED, type StatementParts, signerFrom } from './fixture.js';

const MINUTE = 60_000;
const MOST = 2000;
const DAILY = 5000;
let now = Date.now();
const limits = { attachment_bytes: MOST, attachment_quota: DAILY, clock_skew: 120 };
const one = await memoryLog({
  config: { attachment_bytes: 4096 },
  clock: () => now,
  policy: { ...STARTING_POLICY, limits },
});
const { app, log } = one;
test.before.each(() => {
  // Every test has a day of its own, and with it the whole quota.
  now += 86_400_000;
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const seconds = (): number => Math.floor(now / 1000);
const admin = signerFrom(SEED.admin);

/** Somebody whom the log knows for the time of these tests. */
async function enrolled(id: string): Promise<StatementSigner> {
  const signer = signerFrom();
  const record = { ...identityRecord('enrol', id, signer, ['engineer']), valid_until: seconds() + 40 * 86_400 };
  await log.submit((await makeStatement({ record, iat: seconds() } as StatementParts)).entry);
  return signer;
}
const eve = await enrolled('eve');

interface Content extends Attachment {
  readonly digest: string;
}

function content(size = 100, access: AttachmentRef['access'] = 'public'): Content {
  const salt = new Uint8Array(randomBytes(16));
  const made = createAttachment(
    new Uint8Array(randomBytes(size)),
    { name: 'report.txt', media_type: 'text/plain', access },
    salt,
  );
  return { ...made, digest: hex(made.ref.digest) };
}

/** The value of the header Authorization for one request. */
async function token(
  sub: string,
  { signer = eve, id = 'eve', iat = seconds(), contentType = ACCESS_CONTENT_TYPE } = {},
): Promise<string> {
  const claims = { iss: `${ORIGIN}/identity/${id}`, sub, iat, contentType };
  return `Treering ${encodeBase64Url((await signStatement(claims, new Uint8Array(0), signer)).entry)}`;
}

const send = (digest: string, blob: Uint8Array, authorization?: string) =>
  app.request(`/v1/attachments/${digest}`, {
    method: 'PUT',
    headers: {
      'Content-Type': 'application/octet-stream',
      ...(authorization === undefined ? {} : { Authorization: authorization }),
    },
    body: blob as Uint8Array<ArrayBuffer>,
  });
const upload = async ({ digest, blob }: Content) => send(digest, blob, await token(`upload/${digest}`));
const get = (digest: string, authorization?: string) =>
  app.request(
    `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`,
    authorization === undefined ? {} : { headers: { Authorization: authorization } },
  );
const record = async (parts: StatementParts) =>
  one.post((await makeStatement({ signer: eve, id: 'eve', iat: seconds(), ...parts })).entry);

/** Uploads, which has to be taken. */
async function staged(size?: number, access?: AttachmentRef['access']): Promise<Content> {
  const made = content(size, access);
  assert.is((await upload(made)).status, 202);
  return made;
}

async function fails(response: Response, status: number, code: string, rule?: string): Promise<void> {
  assert.is(response.status, status);
  const problem = await response.json();
  assert.equal([problem.code, problem.rule], [code, rule], problem.detail);
}

test('an upload waits unread until an entry names it, and is then read as that entry says', async () => {
  const made = content();
  const { digest, blob, ref } = made;
  const response = await upload(made);
  assert.is(response.status, 202);
  const url = `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`;
  assert.equal(await response.json(), { digest, url, waiting: true });
  assert.is((await upload(made)).status, 202, 'it may be sent again');
  await fails(await get(digest), 404, 'attachment/missing');
  assert.is(await log.storage.attachment(digest), null);
  assert.is((await record({ attachments: [ref] })).status, 201);
  assert.equal(new Uint8Array(await (await get(digest)).arrayBuffer()), blob);
});

test('somebody else who names it as withheld does not take it from the entry that it is for', async () => {
  const { ref, digest, blob } = await staged();
  const mallory = await enrolled('mallory-withholds');
  const by = { signer: mallory, id: 'mallory-withholds' };
  assert.is((await record({ attachments: [{ ...ref, access: 'withheld' }], ...by })).status, 201);
  await fails(await get(digest), 404, 'attachment/missing');
  assert.is((await record({ attachments: [ref] })).status, 201);
  assert.equal(new Uint8Array(await (await get(digest)).arrayBuffer()), blob);
});

test('it is stored for a statement that comes in a batch or by the reference API of SCITT, too', async () => {
  for (const path of ['/v1/entries:batch', '/entries']) {
    const { ref, digest } = await staged();
    const { entry } = await makeStatement({ signer: eve, id: 'eve', iat: seconds(), attachments: [ref] });
    const type = path === '/entries' ? 'application/cose' : 'application/cbor-seq';
    const body = entry as Uint8Array<ArrayBuffer>;
    const response = await app.request(path, { method: 'POST', headers: { 'Content-Type': type }, body });
    assert.ok(response.ok, await response.text());
    assert.is((await get(digest)).status, 200, path);
  }
});

test('a restricted one is read with a signed request by enrolled identities, and by nobody else', async () => {
  const { ref, digest, blob } = await staged(100, 'restricted');
  assert.is((await record({ attachments: [ref] })).status, 201);
  const about = `access/${digest}`;
  for (const id of ['eve', 'admin']) {
    const response = await get(digest, await token(about, { id, signer: id === 'eve' ? eve : admin }));
    assert.equal(new Uint8Array(await response.arrayBuffer()), blob, id);
  }
  const refused: Record<string, string | undefined> = {
    'no request': undefined,
    'a key that nobody enrolled': await token(about, { signer: signerFrom() }),
    "somebody else's name": await token(about, { id: 'admin' }),
    'the request that uploaded it': await token(`upload/${digest}`),
    'a request for something else': await token(`access/${'0'.repeat(64)}`),
  };
  for (const [what, authorization] of Object.entries(refused)) {
    const response = await get(digest, authorization);
    assert.is(response.headers.get('www-authenticate'), 'Treering', what);
    await fails(response, 401, 'attachment/restricted');
  }
});

test('a request that is sent again later than the clock skew allows is refused', async () => {
  const { ref, digest } = await staged(100, 'restricted');
  assert.is((await record({ attachments: [ref] })).status, 201);
  const other = content();
  const [reading, uploading] = [await token(`access/${digest}`), await token(`upload/${other.digest}`)];
  now += 119_000;
  assert.is((await get(digest, reading)).status, 200);
  assert.is((await send(other.digest, other.blob, uploading)).status, 202);
  now += 3000;
  await fails(await get(digest, reading), 401, 'attachment/restricted');
  await fails(await send(other.digest, other.blob, uploading), 401, 'attachment/restricted');
  const early = await token(`access/${digest}`, { iat: seconds() + 123 });
  await fails(await get(digest, early), 401, 'attachment/restricted');
});

test('an upload is refused to whoever has not signed for exactly it, and nothing waits', async () => {
  const { digest, blob, ref } = content();
  const about = `upload/${digest}`;
  const refused: Record<string, string | undefined> = {
    'no request': undefined,
    'a request to read': await token(`access/${digest}`),
    'another digest': await token(`upload/${'0'.repeat(64)}`),
    'a key that nobody enrolled': await token(about, { signer: signerFrom() }),
    "somebody else's name": await token(about, { id: 'admin' }),
    'another content type': await token(about, { contentType: 'text/plain' }),
  };
  for (const authorization of Object.values(refused))
    await fails(await send(digest, blob, authorization), 401, 'attachment/restricted');
  assert.is((await record({ attachments: [ref] })).status, 201);
  await fails(await get(digest), 404, 'attachment/missing');
});

test('a revoked key uploads and reads no more', async () => {
  const mallory = await enrolled('mallory');
  const { digest, blob, ref } = content(100, 'restricted');
  const by = { signer: mallory, id: 'mallory' };
  assert.is((await send(digest, blob, await token(`upload/${digest}`, by))).status, 202);
  assert.is((await record({ attachments: [ref] })).status, 201);
  assert.is((await get(digest, await token(`access/${digest}`, by))).status, 200);
  await log.submit((await makeStatement({ record: identityRecord('revoke', 'mallory', mallory, []), iat: seconds() })).entry);
  await fails(await get(digest, await token(`access/${digest}`, by)), 401, 'attachment/restricted');
  const next = content();
  const late = await send(next.digest, next.blob, await token(`upload/${next.digest}`, by));
  await fails(late, 401, 'attachment/restricted');
});

test('bytes that do not hash to their name, or are too many, do not wait', async () => {
  const { digest, blob, ref } = content();
  for (const bytes of [blob.subarray(1), new Uint8Array(0), Uint8Array.of(...blob, 0)])
    await fails(await send(digest, bytes, await token(`upload/${digest}`)), 422, 'attachment/wrong-digest');
  await fails(await upload(content(4097)), 413, 'request/too-large');
  assert.is((await record({ attachments: [ref] })).status, 201);
  await fails(await get(digest), 404, 'attachment/missing');
});

test('a statement that names more than the policy allows is refused, and its upload stays unread', async () => {
  const { ref, digest } = await staged(MOST + 1);
  const size = one.size();
  await fails(await record({ attachments: [ref] }), 403, 'governance/limit', 'policy@0/limits');
  assert.is(one.size(), size);
  await fails(await get(digest), 404, 'attachment/missing');
  const fits = await staged(MOST);
  assert.is((await record({ attachments: [fits.ref] })).status, 201);
  assert.is((await get(fits.digest)).status, 200);
});

test('the quota of an identity is for a day: another has its own, and a new day brings a new one', async () => {
  const parts = await Promise.all([2000, 2000, 1000].map((bytes) => staged(bytes)));
  for (const { ref } of parts) assert.is((await record({ attachments: [ref] })).status, 201);
  const more = await staged(1);
  const size = one.size();
  await fails(await record({ attachments: [more.ref] }), 403, 'governance/limit', 'policy@0/limits');
  assert.is(one.size(), size);
  await fails(await get(more.digest), 404, 'attachment/missing');
  assert.is((await record({})).status, 201, 'without attachments eve goes on');
  assert.is((await record({ attachments: [more.ref], signer: admin, id: 'admin' })).status, 201);
  assert.is((await get(more.digest)).status, 200);
  now += 86_400_000;
  const tomorrow = await staged(2000);
  assert.is((await record({ attachments: [tomorrow.ref] })).status, 201);
});

test('what is withheld is not stored although it was uploaded', async () => {
  const { ref, digest } = await staged(100, 'withheld');
  assert.is((await record({ attachments: [ref] })).status, 201);
  await fails(await get(digest), 404, 'attachment/missing');
  assert.is(await log.storage.attachment(digest), null);
});

test('an upload waits ten minutes, and no longer', async () => {
  const [early, late] = [await staged(), await staged()];
  now += 10 * MINUTE - 1000;
  assert.is((await record({ attachments: [early.ref] })).status, 201);
  assert.is((await get(early.digest)).status, 200);
  now += 2000;
  assert.is((await record({ attachments: [late.ref] })).status, 201);
  await fails(await get(late.digest), 404, 'attachment/missing');
});

test('an upload that is sent again waits ten minutes from then on', async () => {
  const made = await staged();
  now += 9 * MINUTE;
  assert.is((await upload(made)).status, 202);
  now += 2 * MINUTE;
  await staged();
  assert.is((await record({ attachments: [made.ref] })).status, 201);
  assert.is((await get(made.digest)).status, 200);
});

test('an upload that was erased while it waited is not stored, and the answer does not hide that the entry is logged', async () => {
  const made = content();
  const { leaf } = (await (await record({ attachments: [made.ref] })).json()) as { leaf: string };
  assert.is((await upload(made)).status, 202);
  const erased: ChangeRecord = {
    v: 1,
    type: 'correction',
    subject: 'model/wink',
    reason: 'It was attached by mistake.',
    supersedes: new Uint8Array(Buffer.from(leaf, 'hex')),
    erased: [made.ref.digest],
  };
  assert.is((await record({ record: erased, signer: admin, id: 'admin' })).status, 201);
  const index = one.size();
  const response = await record({ attachments: [made.ref] });
  assert.is(one.size(), index + 1);
  assert.is((await response.json()).index, index, `status ${response.status}`);
  await fails(await get(made.digest), 410, 'attachment/erased');
});

test('one identity may have a quarter of what waits, and all together no more than there is room for', () => {
  const staging = new Staging(400);
  const put = (name: string, bytes: number, by: string, at = 0): void => staging.put(name, new Uint8Array(bytes), by, at);
  const full = (error: Error & { code?: string; status?: number; details?: { retryAfter?: number } }): boolean =>
    error.status === 503 && error.code === 'attachment/too-many' && (error.details?.retryAfter ?? 0) > 0;
  put('a1', 60, 'a');
  put('a2', 40, 'a');
  assert.throws(() => put('a3', 1, 'a'), full);
  for (const by of ['b', 'c', 'd']) put(by, 100, by);
  assert.throws(() => put('e', 1, 'e'), full);
  assert.is(staging.take('a3', 1, 0), undefined);
  assert.is(staging.take('a2', 40, 0)?.length, 40);
  put('e', 40, 'e');
  assert.throws(() => put('a3', 1, 'a', 10 * MINUTE - 1), full);
  put('a3', 100, 'a', 10 * MINUTE);
  assert.is(staging.take('b', 100, 10 * MINUTE), undefined, 'what expired makes room');
});

test.run();
