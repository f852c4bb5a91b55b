import { createHash } from 'node:crypto';
import { createCandidate, rolesFor } from '@treering/governance';
import { type OidcProvider, openAttachment, type RecordOf } from '@treering/record';
import { encodeBase64Url, parseStatement, signStatement } from '@treering/statement';
import { createMemoryStorage, StorageError } from '@treering/storage';
import { base64url, calculateJwkThumbprint, type JWK } from 'jose';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ACCESS_CONTENT_TYPE } from '../src/content-types.js';
import { isWaitingNote } from '../src/waiting-evidence.js';
import { type Enrolment, enrollingLog } from './enrolling.js';
import { identityRecord, makeStatement, ORIGIN, signerFrom } from './fixture.js';
import { IdentityProvider, provider } from './identity-provider.js';

// What a log keeps of a token, and that a token enrols one key once.

const issuer = await IdentityProvider.start();
test.after(() => issuer.close());

const PERSON = { sub: 'u-4711', email: 'jane.roe@example.com', name: 'Jane Roe', preferred_username: 'jroe' };
const company: OidcProvider = provider(issuer.issuer, {
  name: 'company',
  kind: 'person',
  prefix: 'p',
  grants: [
    { claims: { groups: 'ml-engineers' }, roles: ['engineer'] },
    { claims: { 'org/unit': 'risk*' }, roles: ['approver'] },
    { claims: { groups: 'payroll' }, roles: ['machine'] },
  ],
});
const log = await enrollingLog([company]);

let counter = 0;
function token(kid = 'ec'): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const groups = ['staff', 'ml-engineers'];
  const about = { ...PERSON, groups, org: { unit: 'risk-emea' }, jti: `token-${++counter}` };
  return issuer.sign({ iss: issuer.issuer, aud: 'treering', iat: now, exp: now + 300, ...about }, kid);
}
const enrols = async (text: string): Promise<Enrolment> => log.enrols(text, { provider: 'company' });
const used = (index: number) => ({ status: 409, code: 'governance/token-used', rule: new RegExp(`^identity@${index}$`) });

async function recordAt(index: number): Promise<RecordOf<'identity'>> {
  const [entry] = await log.log.storage.entries(index, index + 1);
  return createCandidate(parseStatement(entry)).record as RecordOf<'identity'>;
}

/** The evidence that an entry names, compared with its digest. */
async function evidenceOf(record: RecordOf<'identity'>): Promise<Record<string, unknown>> {
  const ref = record.attachments?.[0];
  assert.ok(ref);
  assert.equal([ref.access, ref.digest], ['restricted', record.evidence?.digest]);
  const marked = await log.log.storage.attachment(Buffer.from(ref.digest).toString('hex'));
  assert.ok(marked);
  return JSON.parse(Buffer.from(openAttachment(marked.subarray(1), ref)).toString('utf8'));
}

for (const kid of ['ec', 'rsa'])
  test(`the evidence of a token under the key ${kid} re-verifies the enrolment`, async () => {
    const text = await token(kid);
    const record = await recordAt((await enrols(text)).index);
    const evidence = await evidenceOf(record);
    const { format, header, claims, key, token_digest, verified_at } = evidence;
    assert.equal([format, evidence.provider], ['treering/oidc-evidence/v1', 'company']);
    assert.is(`${header}.${claims}`, text.slice(0, text.lastIndexOf('.')));
    const digest = createHash('sha256').update(`${header}.${claims}`).digest();
    assert.is(token_digest, digest.toString('hex'));
    assert.equal(Buffer.from(record.oidc?.token ?? []), digest);
    const said = JSON.parse(Buffer.from(base64url.decode(claims as string)).toString('utf8'));
    assert.equal([said.iss, said.sub], [issuer.issuer, PERSON.sub]);
    assert.equal(rolesFor(company, said), record.roles);
    assert.equal(record.roles, ['approver', 'engineer']);
    assert.ok(Math.abs((verified_at as number) - said.iat) < 10);
    const served = issuer.keys.find((jwk) => jwk.kid === kid) as JWK;
    assert.is(await calculateJwkThumbprint(key as JWK), await calculateJwkThumbprint(served));
    assert.equal(
      Object.keys(key as JWK).filter((name) => ['d', 'p', 'q', 'k'].includes(name)),
      [],
    );
  });

test('the evidence is no token: its signature is nowhere', async () => {
  const text = await token();
  const evidence = await evidenceOf(await recordAt((await enrols(text)).index));
  assert.not(JSON.stringify(evidence).includes(text.split('.')[2]));
  const { header, claims } = evidence;
  await log.refuses(`${header}.${claims}.`, { status: 401, code: 'enrolment/bad-token' }, { provider: 'company' });
});

test('no entry says who somebody is, and the records of the server neither', async () => {
  const text = await token();
  const { index } = await enrols(text);
  const entries = await log.log.storage.entries(0, index + 1);
  const secrets = [...Object.values(PERSON), 'ml-engineers', ...text.split('.'), issuer.issuer];
  for (const entry of entries.slice(1))
    for (const secret of secrets) assert.not(Buffer.from(entry).includes(secret), `${secret} stands in an entry`);
  for (const secret of secrets) assert.not(log.records.join('').includes(secret));
  assert.ok(log.records.length > 0);
});

test('the evidence is not given to somebody without a key, and is given to who is enrolled', async () => {
  const signer = signerFrom();
  const { index, id } = await log.enrols(await token(), { provider: 'company', signer });
  const record = await recordAt(index);
  const digest = Buffer.from(record.evidence?.digest ?? []).toString('hex');
  const path = `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`;
  const answer = await log.app.request(path);
  assert.equal([answer.status, ((await answer.json()) as { code: string }).code], [401, 'attachment/restricted']);
  const asking = { iss: `${ORIGIN}/identity/${id}`, sub: `access/${digest}`, iat: Math.floor(Date.now() / 1000) };
  const { entry } = await signStatement({ ...asking, contentType: ACCESS_CONTENT_TYPE }, new Uint8Array(), signer);
  const given = await log.app.request(path, { headers: { Authorization: `Treering ${encodeBase64Url(entry)}` } });
  assert.is(given.status, 200, await given.clone().text());
});

test('a token enrols once, whichever key and signature it comes with', async () => {
  const signer = signerFrom();
  const text = await token();
  const { index } = await log.enrols(text, { provider: 'company', signer });
  await log.refuses(text, used(index), { provider: 'company', signer });
  await log.refuses(text, used(index), { provider: 'company' });
  await log.refuses(twin(text), used(index), { provider: 'company' });
});

/** The same token with the other form of its ECDSA signature, (r, n - s). */
function twin(text: string): string {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const [header, payload, signature] = text.split('.');
  const bytes = Buffer.from(base64url.decode(signature));
  const s = n - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  return `${header}.${payload}.${base64url.encode(Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]))}`;
}

test('the other form of a signature holds, so only the digest tells that a token was used', async () => {
  await enrols(twin(await token()));
});

test('of many requests with one token at once, one enrols', async () => {
  const text = await token();
  const before = log.size();
  const answers = await Promise.all(Array.from({ length: 10 }, () => log.ask(text, { provider: 'company' })));
  assert.equal(answers.map(({ status }) => status).sort(), [201, ...Array(9).fill(409)]);
  for (const answer of answers.filter(({ status }) => status === 409))
    assert.is(((await answer.json()) as { code: string }).code, 'governance/token-used');
  assert.is(log.size(), before + 1);
});

test('a token whose enrolment the log refused enrols later', async () => {
  const revoked = signerFrom();
  const { index, id } = await log.enrols(await token(), { provider: 'company', signer: revoked });
  await log.log.submit((await makeStatement({ record: identityRecord('revoke', id, revoked, []) })).entry);
  const text = await token();
  const refused = { status: 403, code: 'governance/revoked-key', rule: /^identity@\d+$/ };
  await log.refuses(text, refused, { provider: 'company', signer: revoked });
  assert.ok(index < (await log.enrols(text, { provider: 'company' })).index);
});

test('a key that somebody else has is not enrolled again', async () => {
  const signer = signerFrom();
  const { index } = await log.enrols(await token(), { provider: 'company', signer });
  const now = Math.floor(Date.now() / 1000);
  const other = { iss: issuer.issuer, sub: 'u-4712', aud: 'treering', iat: now, exp: now + 300, groups: 'ml-engineers' };
  const taken = { status: 403, code: 'governance/key-taken', rule: new RegExp(`^identity@${index}$`) };
  await log.refuses(await issuer.sign(other), taken, { provider: 'company', signer });
});

test('an enrolment whose evidence cannot be kept is not logged', async () => {
  const storage = createMemoryStorage();
  const broken = await enrollingLog([company], Date.now, storage);
  const { putAttachment } = storage;
  storage.putAttachment = () => Promise.reject(new StorageError('storage/full', 'there is no space left'));
  const text = await token();
  await broken.refuses(text, { status: 507, code: 'storage/full' }, { provider: 'company' });
  storage.putAttachment = putAttachment;
  await broken.enrols(text, { provider: 'company' });
});

test('of an enrolment that the log refuses, no evidence is kept', async () => {
  const storage = createMemoryStorage();
  const kept: string[] = [];
  const { putAttachment } = storage;
  storage.putAttachment = (digest, blob) => {
    // Beside evidence stands the note that it waits for its entry.
    if (!isWaitingNote(digest)) kept.push(digest);
    return putAttachment.call(storage, digest, blob);
  };
  const watched = await enrollingLog([company], Date.now, storage);
  const text = await token();
  const { index } = await watched.enrols(text, { provider: 'company' });
  await watched.refuses(text, used(index), { provider: 'company' });
  const [evidence, ...others] = kept;
  assert.ok(await storage.attachment(evidence));
  for (const digest of others) assert.is(await storage.attachment(digest), null);
});

test('a provider that the policy no longer names, and a registrar whose key is revoked, enrol nobody', async () => {
  const ending = await enrollingLog([company]);
  const { policy } = ending.log.admission.state;
  assert.ok(policy);
  const revoked = identityRecord('revoke', 'registrar', signerFrom(), []);
  const { oidc: _, ...body } = policy;
  const without = { v: 1, type: 'policy', subject: 'policy', reason: 'Nobody logs in any more.', policy: body } as const;
  const text = await token();
  const { entry } = await makeStatement({ record: revoked });
  await ending.log.submit(entry);
  await ending.refuses(text, { status: 403, code: 'governance/revoked-key', rule: /^identity@\d+$/ }, { provider: 'company' });
  await ending.log.submit((await makeStatement({ record: without })).entry);
  await ending.refuses(text, { status: 403, code: 'enrolment/unknown-provider' }, { provider: 'company' });
});

test.run();
