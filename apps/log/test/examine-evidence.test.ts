import { createCandidate } from '@treering/governance';
import { type OidcProvider, openAttachment, type RecordOf } from '@treering/record';
import { coseKeyThumbprint, parseStatement } from '@treering/statement';
import { base64url, calculateJwkThumbprint, type JWK } from 'jose';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type EnrolmentEntry, enrolmentNonce, examineEvidence } from '../src/index.js';
import { enrollingLog } from './enrolling.js';
import { ORIGIN, signerFrom } from './fixture.js';
import { IdentityProvider, provider } from './identity-provider.js';

// The evidence of real enrolments, and what differs from it in one thing.

const issuer = await IdentityProvider.start();
const another = await IdentityProvider.start();
test.after(() => {
  for (const server of [issuer, another]) server.close();
});
const providers = [
  provider(issuer.issuer),
  provider(issuer.issuer, { name: 'pinned', jwks: issuer.keys as OidcProvider['jwks'] }),
  provider(issuer.issuer, { name: 'nonce', binding: 'nonce' }),
  provider(issuer.issuer, { name: 'audience', binding: 'audience' }),
  provider(issuer.issuer, { name: 'cnf', binding: 'cnf' }),
];
const log = await enrollingLog(providers);

interface Sample {
  readonly entry: EnrolmentEntry;
  readonly content: Uint8Array;
}

/** Enrols a key under a provider, and reads what the log kept. */
async function enrolled(name: string): Promise<Sample> {
  const signer = signerFrom();
  const nonce = enrolmentNonce(ORIGIN, coseKeyThumbprint(signer.key));
  const jkt = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: base64url.encode(signer.key.x) });
  const bound: Readonly<Record<string, object>> = {
    nonce: { nonce },
    audience: { aud: `treering/${nonce}` },
    cnf: { cnf: { jkt } },
  };
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer.issuer,
    sub: 'ci',
    aud: 'treering',
    iat: now,
    exp: now + 300,
    repository: 'acme/models',
    jti: name,
  };
  const { index } = await log.enrols(await issuer.sign({ ...claims, ...bound[name] }), { provider: name, signer });
  const [bytes] = await log.log.storage.entries(index, index + 1);
  const { record, statement } = createCandidate(parseStatement(bytes));
  const identity = record as RecordOf<'identity'>;
  const [ref] = identity.attachments ?? [];
  const marked = await log.log.storage.attachment(Buffer.from(ref.digest).toString('hex'));
  const known = providers.find((one) => one.name === name) as OidcProvider;
  const entry = { record: identity, iat: statement.iat as number, provider: known, origin: ORIGIN };
  return { entry, content: openAttachment((marked as Uint8Array).subarray(1), ref) };
}

const samples = new Map<string, Sample>();
for (const { name } of providers) samples.set(name, await enrolled(name));
const sample = (name = 'ci'): Sample => samples.get(name) as Sample;

/** What is found when the evidence or the entry is changed. */
async function found(name: string, change: (evidence: Record<string, unknown>) => void, entry: Partial<EnrolmentEntry> = {}) {
  const { content, entry: known } = sample(name);
  const evidence = JSON.parse(Buffer.from(content).toString());
  change(evidence);
  const { mistakes } = await examineEvidence(new TextEncoder().encode(JSON.stringify(evidence)), { ...known, ...entry });
  return mistakes.join('; ');
}
const provided = (change: Partial<OidcProvider>, name = 'ci'): Partial<EnrolmentEntry> => ({
  provider: { ...sample(name).entry.provider, ...change },
});
const recorded = (change: Partial<RecordOf<'identity'>>, name = 'ci'): Partial<EnrolmentEntry> => ({
  record: { ...sample(name).entry.record, ...change },
});
const nothing = (): void => undefined;
/** Other claims in the token, of which the digest is another then. */
const claiming = (change: object) => (evidence: Record<string, unknown>) => {
  const claims = JSON.parse(Buffer.from(base64url.decode(evidence.claims as string)).toString());
  evidence.claims = base64url.encode(JSON.stringify({ ...claims, ...change }));
};

for (const { name } of providers)
  test(`the evidence of an enrolment by ${name} fits`, async () => {
    const { content, entry } = sample(name);
    assert.equal(await examineEvidence(content, entry), { mistakes: [], pinned: name === 'pinned' });
  });

const later = (seconds: number) => (evidence: Record<string, unknown>) => {
  evidence.verified_at = (evidence.verified_at as number) + seconds;
};
const ROWS: readonly [string, string, (evidence: Record<string, unknown>) => void, Partial<EnrolmentEntry>, RegExp][] = [
  ['other claims', 'ci', claiming({ sub: 'somebody else' }), {}, /of another token than the entry names/],
  ['another digest', 'ci', (e) => (e.token_digest = '00'.repeat(32)), {}, /another digest/],
  [
    'another token in the entry',
    'ci',
    nothing,
    recorded({ oidc: { provider: 'ci', token: new Uint8Array(32) } }),
    /another token/,
  ],
  ['another provider', 'ci', (e) => (e.provider = 'cd'), {}, /of another provider/],
  ['an algorithm that the policy does not take', 'ci', nothing, provided({ algorithms: ['RS256'] }), /algorithm/],
  ['another issuer', 'ci', nothing, provided({ issuer: another.issuer }), /of another issuer/],
  ['another audience', 'ci', nothing, provided({ audience: 'payroll' }), /another audience/],
  ['more audiences', 'ci', claiming({ aud: ['treering', 'payroll'], azp: 'payroll' }), {}, /several audiences/],
  ['more roles than the claims give', 'ci', nothing, recorded({ roles: ['machine', 'approver'] }), /its claims give machine/],
  ['claims that give nothing', 'ci', claiming({ repository: 'evil/models' }), {}, /its claims give no role/],
  ['a token that had expired', 'ci', claiming({ exp: 1_767_225_600 }), {}, /not valid when it was verified/],
  ['a token from the future', 'ci', claiming({ nbf: 4_000_000_000 }), {}, /not valid when it was verified/],
  ['an old token', 'ci', nothing, provided({ token_age: -100 }), /older than the policy takes/],
  ['a verification at another time', 'ci', nothing, { iat: sample().entry.iat + 301 }, /at another time/],
  ['a verification much later', 'ci', later(10_000), {}, /not valid when.*at another time/],
  ['an enrolment that lasts too long', 'ci', nothing, provided({ valid_for: 60 }), /lasts too long/],
  ['a nonce for another key', 'nonce', nothing, recorded({ key: sample().entry.record.key }, 'nonce'), /not bound.*nonce/],
  ['an audience for another key', 'audience', nothing, recorded({ key: sample().entry.record.key }, 'audience'), /not bound/],
  ['a confirmation of another key', 'cnf', nothing, recorded({ key: sample().entry.record.key }, 'cnf'), /not bound.*cnf/],
  ['a nonce for another log', 'nonce', nothing, { origin: 'log.test/other' }, /not bound/],
  ['a key that is not pinned', 'pinned', (e) => (e.key = another.keys[0] as JWK), {}, /none of those that the policy names/],
  ['a key that is none', 'pinned', (e) => (e.key = { kty: 'XY' }), {}, /none of those that the policy names/],
  ['a member more', 'ci', (e) => (e.signature = 'x'), {}, /cannot be read/],
  ['another format', 'ci', (e) => (e.format = 'treering/oidc-evidence/v2'), {}, /cannot be read/],
  ['claims that are none', 'ci', (e) => (e.claims = '*'), {}, /cannot be read/],
];
for (const [what, name, change, entry, message] of ROWS)
  test(`evidence with ${what} does not fit`, async () => assert.match(await found(name, change, entry), message));

test('evidence that is no JSON cannot be read', async () => {
  assert.equal(await examineEvidence(new Uint8Array(3), sample().entry), {
    mistakes: ['the evidence cannot be read'],
    pinned: false,
  });
});

test.run();
