import { createHash } from 'node:crypto';
import type { Issuer, PolicyBody, PolicyRule } from '@treering/record';
import { encodeCoseKey, HEADER, parseStatement, twinOf } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { generateTestKey, slowSigner } from '../../statement/test/ec-keys.js';
import {
  admit,
  authenticate,
  type Candidate,
  checkClock,
  createCandidate,
  type Means,
  type RefusalCode,
  saveState,
} from '../src/index.js';
import { decideForeign, type ForeignParts, foreignOf } from './foreign-statement.js';
import {
  candidateOf,
  type Draft,
  enrolment,
  expectRefusal,
  type GovernedLog,
  governedLog,
  incident,
  NOW,
  ORIGIN,
  party,
  revocation,
} from './governed-log.js';

const ada = party('ada', 1);
const eve = party('eve', 2);
const supplier = party('supplier', 3);
const mallory = party('mallory', 4);
const p256 = slowSigner(generateTestKey('P-256'));
const otherP256 = slowSigner(generateTestKey('P-256'));
const SUPPLIER = 'https://supplier.example';
const ROOT = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x01);

const ISSUER: Issuer = { issuer: SUPPLIER, keys: [encodeCoseKey(p256.key), supplier.key] };
const RULES: PolicyRule[] = [
  { name: 'freezers', who: { roles: ['engineer'] }, may: ['freeze', 'incident'], on: ['freeze/*', 'model/*'] },
  { name: 'imports', who: { roles: ['engineer'] }, may: ['foreign'], on: ['model/*', 'map', 'identity/*'] },
  { name: 'suppliers', who: { issuer: SUPPLIER }, may: ['foreign'], on: ['model/*', 'policy', 'charter'] },
];
const POLICY: PolicyBody = { rules: RULES, issuers: [ISSUER] };
const asEve = { iss: `${ORIGIN}/identity/eve` };

/** A log where eve is an engineer. */
async function supplied(policy: PolicyBody = POLICY): Promise<GovernedLog> {
  const log = await governedLog([ada], policy);
  await log.log(ada, enrolment(eve, ['engineer']));
  return log;
}

/** Fails unless a foreign statement is refused, and nothing changed by it. */
async function refuses(log: GovernedLog, candidate: Candidate, code: RefusalCode, rule: string, means?: Means): Promise<void> {
  const before = saveState(log.state);
  expectRefusal(await decideForeign(log, candidate, means), code, rule);
  assert.equal(saveState(log.state), before);
}

async function admits(log: GovernedLog, candidate: Candidate, rule: string, means?: Means): Promise<void> {
  assert.equal(await decideForeign(log, candidate, means), { admitted: true, rule });
}

async function held(log: GovernedLog, candidate: Candidate, means?: Means): Promise<Candidate> {
  const checked = await authenticate(log.state, candidate, means);
  assert.ok(checked.held, checked.held ? '' : checked.refusal.message);
  return checked.held ? checked.candidate : candidate;
}

const newPolicy = (policy: PolicyBody): Draft => ({ type: 'policy', subject: 'policy', policy });

test('an enrolled key logs foreign statements where a rule lets it', async () => {
  const log = await supplied();
  await admits(log, await foreignOf(eve.signer, asEve), 'policy@0/imports');
  for (const sub of ['system/credit', 'model', 'model/score/1'])
    await refuses(log, await foreignOf(eve.signer, { ...asEve, sub }), 'governance/foreign', 'default deny');
  await refuses(log, await foreignOf(ada.signer, { iss: `${ORIGIN}/identity/ada` }), 'governance/foreign', 'default deny');
  await refuses(log, await foreignOf(eve.signer), 'governance/wrong-issuer', 'header');
});

test('a rule that allows everything opens foreign statements to enrolled keys alone', async () => {
  const log = await supplied({
    rules: [
      { name: 'all', who: { roles: ['engineer'] }, may: ['*'], on: ['**'] },
      { name: 'theirs', who: { issuer: SUPPLIER }, may: ['*'], on: ['**'] },
    ],
    issuers: [ISSUER],
  });
  await admits(log, await foreignOf(eve.signer, asEve), 'policy@0/all');
  await refuses(log, await foreignOf(p256), 'governance/foreign', 'default deny');
});

test('the keys of an issuer of the policy log where a rule about the issuer lets them, on both curves', async () => {
  const log = await supplied();
  for (const signer of [p256, supplier.signer]) {
    await admits(log, await foreignOf(signer), 'policy@0/suppliers');
    await refuses(log, await foreignOf(signer, { sub: 'system/credit' }), 'governance/foreign', 'default deny');
    const named = await held(log, await foreignOf(signer, { kid: new TextEncoder().encode('key-1') }));
    const anchor = createHash('sha256').update(encodeCoseKey(signer.key)).digest('hex');
    assert.equal(named.verified, {
      enrolled: false,
      issuer: {
        issuer: SUPPLIER,
        anchor,
        claims: { subject: 'model/score', content_type: 'application/vnd.in-toto+json' },
      },
    });
    assert.ok(admit(log.state, named).admitted);
  }
});

test('a foreign statement is logged in one of the two forms of its signature', async () => {
  const log = await supplied();
  const candidate = await held(log, await foreignOf(p256));
  const twin = createCandidate(parseStatement(twinOf(candidate.statement) as Uint8Array));
  await admits(log, twin, 'policy@0/suppliers');
  log.state.apply(log.size++, candidate);
  await refuses(log, twin, 'statement/twin', 'entry@2');
  await refuses(log, candidate, 'governance/logged-before', 'entry@2');
  await admits(log, await foreignOf(p256), 'policy@0/suppliers');
});

test('the digest of a bundle is taken from an issuer, who speaks for it, and from no enrolled key', async () => {
  const log = await supplied();
  const hashed = (contentType: string): Partial<ForeignParts> => ({
    contentType: null,
    payload: new Uint8Array(32),
    header: [
      [HEADER.payloadHashAlgorithm, -16],
      [HEADER.preimageContentType, contentType],
    ],
  });
  for (const type of [
    'application/vnd.dev.sigstore.bundle.v0.3+json',
    'application/vnd.dsse.envelope.v1+json',
    'Application/vnd.in-toto.provenance+dsse',
  ]) {
    const theirs = await foreignOf(eve.signer, { ...asEve, ...hashed(type) });
    await refuses(log, theirs, 'governance/foreign-not-verified', 'issuers');
    await admits(log, await foreignOf(supplier.signer, hashed(type)), 'policy@0/suppliers');
  }
  await admits(log, await foreignOf(eve.signer, { ...asEve, ...hashed('application/json') }), 'policy@0/imports');
});

test('a rule that names an issuer and people is about people who bring what the issuer signed', async () => {
  for (const who of [{ roles: ['engineer'] }, { ids: ['eve'] }]) {
    const rule: PolicyRule = { name: 'both', who: { ...who, issuer: SUPPLIER }, may: ['foreign'], on: ['**'] };
    const log = await supplied({ rules: [rule], issuers: [ISSUER] });
    await refuses(log, await foreignOf(p256), 'governance/foreign', 'default deny');
    await refuses(log, await foreignOf(eve.signer, asEve), 'governance/foreign', 'default deny');
  }
});

test('whom the policy does not name logs nothing', async () => {
  const log = await supplied();
  for (const iss of ['https://other.example', `${SUPPLIER}/`, 'HTTPS://supplier.example', `${ORIGIN}/identity/eve`])
    await refuses(log, await foreignOf(p256, { iss }), 'governance/unknown-key', 'identities');
});

test('an issuer is believed under its own keys alone', async () => {
  const log = await supplied();
  for (const signer of [otherP256, mallory.signer])
    await refuses(log, await foreignOf(signer), 'governance/foreign-not-verified', 'issuers');
  const { statement } = await foreignOf(p256);
  const forged = { ...statement, sign1: { ...statement.sign1, payload: new Uint8Array(1) }, payload: new Uint8Array(1) };
  const candidate = { ...(await foreignOf(p256)), statement: forged };
  await refuses(log, candidate, 'governance/foreign-not-verified', 'issuers');
});

test('whoever names the key of somebody enrolled must have it', async () => {
  const log = await supplied();
  const kid = (await foreignOf(eve.signer)).statement.kid as Uint8Array;
  await refuses(log, await foreignOf(mallory.signer, { ...asEve, kid }), 'cose/bad-signature', 'signature');
  await refuses(log, await foreignOf(supplier.signer, { kid }), 'cose/bad-signature', 'signature');
  const incidentByMallory = await candidateOf({ ...mallory, id: 'eve' }, incident('model/score'));
  const faked = { ...incidentByMallory, statement: { ...incidentByMallory.statement, kid } };
  await refuses(log, faked, 'cose/bad-signature', 'signature');
});

test('a statement that names another algorithm than its key is for is refused, record or not', async () => {
  const log = await supplied();
  const wrong = { ...eve.signer, algorithm: p256.algorithm };
  assert.not.ok((await authenticate(log.state, await foreignOf(wrong, asEve))).held);
  const record = await candidateOf({ ...eve, signer: wrong }, incident('model/score'));
  const outcome = await authenticate(log.state, record).catch((error: Error) => error);
  if (outcome instanceof Error) assert.unreachable(`authenticate threw ${outcome.message}`);
  else assert.not.ok(outcome.held);
});

test('without its signatures checked, nothing foreign is admitted', async () => {
  const log = await supplied();
  for (const candidate of [await foreignOf(p256), await foreignOf(eve.signer, asEve)])
    expectRefusal(admit(log.state, candidate), 'governance/foreign-not-verified', 'default deny');
});

test('a revoked or expired key logs nothing foreign', async () => {
  const log = await supplied();
  const candidate = await held(log, await foreignOf(eve.signer, asEve));
  await log.log(ada, enrolment(eve, ['engineer'], { valid_until: NOW - 1 }));
  expectRefusal(admit(log.state, candidate), 'governance/expired-key', 'identity@2');
  await log.log(ada, revocation('eve'));
  expectRefusal(admit(log.state, candidate), 'governance/revoked-key', 'identity@3');
});

test('a hash envelope stands for what it hashes', async () => {
  const log = await supplied();
  const payload = new Uint8Array(32).fill(1);
  const parts = (contentType: string): ForeignParts => ({
    contentType: null,
    payload,
    header: [
      [258, -16],
      [259, contentType],
      [260, 'https://supplier.example/bom.json'],
    ],
  });
  const candidate = await foreignOf(p256, parts('application/vnd.cyclonedx+json'));
  await admits(log, candidate, 'policy@0/suppliers');
  const { verified } = await held(log, candidate);
  assert.is(verified?.issuer?.claims.content_type, 'application/vnd.cyclonedx+json');
});

test('nothing foreign is about what the log governs itself by, whatever rules say', async () => {
  const log = await supplied();
  for (const sub of ['charter', 'policy', 'identity/eve', 'identity', 'freeze/year-end', 'map', 'map/x']) {
    await refuses(log, await foreignOf(eve.signer, { ...asEve, sub }), 'governance/foreign', 'subject');
    await refuses(log, await foreignOf(p256, { sub }), 'governance/foreign', 'subject');
  }
  const fits = `model/${'é'.repeat(253)}`;
  await admits(log, await foreignOf(p256, { sub: fits }), 'policy@0/suppliers');
  await refuses(log, await foreignOf(p256, { sub: `${fits}x` }), 'governance/foreign', 'subject');
});

for (const [what, contentType] of [
  ['that is no record', 'application/vnd.treering.other+json'],
  ['with parameters', 'application/vnd.treering.record+cbor; v=1'],
  ['in capitals', 'Application/VND.treering.record+cbor'],
]) {
  test(`a content type of our own ${what} is not logged`, async () => {
    const candidate = await foreignOf(supplier.signer, { contentType });
    await refuses(await supplied(), candidate, 'governance/foreign', 'default deny');
  });
}

test('a rule asks for claims by patterns, all of which must fit', async () => {
  const who = (claims: Record<string, string>) => ({ issuer: SUPPLIER, claims });
  const type = 'application/vnd.in-toto+json';
  for (const [claims, fits] of [
    [{}, true],
    [{ content_type: type }, true],
    [{ content_type: 'application/*+json', subject: 'model/*' }, true],
    [{ content_type: '*', subject: '*' }, true],
    [{ content_type: 'application/json' }, false],
    [{ content_type: type, subject: 'model/other' }, false],
    [{ identity: '*' }, false],
    [{ constructor: '*' }, false],
    [{ toString: '*' }, false],
  ] as const) {
    const rule: PolicyRule = { name: 'claims', who: who(claims), may: ['foreign'], on: ['model/*'] };
    const log = await supplied({ rules: [rule], issuers: [ISSUER] });
    if (fits) await admits(log, await foreignOf(p256), 'policy@0/claims');
    else await refuses(log, await foreignOf(p256), 'governance/foreign', 'default deny');
  }
});

test('a policy that drops an issuer, or its key, between the check and the decision counts', async () => {
  const rest = { rules: RULES.slice(0, 2) };
  for (const policy of [
    rest,
    { ...POLICY, issuers: [{ ...ISSUER, keys: [supplier.key] }] },
    { ...rest, issuers: [{ issuer: 'https://other.example', keys: [encodeCoseKey(p256.key)] }] },
  ]) {
    const log = await supplied();
    const candidate = await held(log, await foreignOf(p256));
    await log.log(ada, newPolicy(policy));
    expectRefusal(admit(log.state, candidate), 'governance/foreign-not-verified', 'issuers');
  }
  const log = await supplied();
  const candidate = await held(log, await foreignOf(p256));
  await log.log(ada, newPolicy({ ...POLICY, issuers: [{ ...ISSUER, keys: [encodeCoseKey(p256.key)] }] }));
  assert.ok(admit(log.state, candidate).admitted);
});

const certified: Issuer = { issuer: SUPPLIER, roots: [ROOT], identities: ['https://ci.example/*'] };
const anchor = createHash('sha256').update(ROOT).digest('hex');
const means: Means = { certificates: () => ({ key: p256.key, anchor, identity: 'https://ci.example/build' }) };
const withChain: ForeignParts = { header: [[33, Uint8Array.of(0x30, 0)]] };

test('a certificate counts where it can be checked, and the signature holds under it', async () => {
  const log = await supplied({ ...POLICY, issuers: [certified] });
  await admits(log, await foreignOf(p256, withChain), 'policy@0/suppliers', means);
  const refused = ['governance/foreign-not-verified', 'issuers'] as const;
  await refuses(log, await foreignOf(p256, withChain), 'governance/not-checked', 'issuers');
  await refuses(log, await foreignOf(p256), ...refused, means);
  await refuses(log, await foreignOf(otherP256, withChain), ...refused, means);
  const failing: Means = { certificates: () => Promise.reject(new Error('the chain leads nowhere')) };
  await refuses(log, await foreignOf(p256, withChain), ...refused, failing);
});

test('a policy that narrows whose certificates count, between the check and the decision, counts', async () => {
  const log = await supplied({ ...POLICY, issuers: [certified] });
  const candidate = await held(log, await foreignOf(p256, withChain), means);
  await log.log(ada, newPolicy({ ...POLICY, issuers: [{ ...certified, identities: ['https://other.example/*'] }] }));
  expectRefusal(admit(log.state, candidate), 'governance/foreign-not-verified', 'issuers');
});

test('a bundle of an enrolled key gives the issuer whom its own signatures prove', async () => {
  const rule: PolicyRule = { name: 'signed', who: { roles: ['engineer'], issuer: SUPPLIER }, may: ['foreign'], on: ['**'] };
  const log = await supplied({ rules: [rule], issuers: [certified] });
  const bundle = await foreignOf(eve.signer, { ...asEve, contentType: 'application/vnd.dev.sigstore.bundle.v0.3+json' });
  const proves = (issuer: string): Means => ({ bundle: async () => ({ issuer, anchor, claims: {} }) });
  await admits(log, bundle, 'policy@0/signed', proves(SUPPLIER));
  await refuses(log, bundle, 'governance/foreign-not-verified', 'issuers', proves('https://other.example'));
  await refuses(log, bundle, 'governance/not-checked', 'issuers');
  await refuses(log, await foreignOf(eve.signer, asEve), 'governance/foreign', 'default deny', proves(SUPPLIER));
});

test('what an enrolled key signs says when, what an issuer signs may be silent or old, and nothing comes from the future', async () => {
  const log = await supplied();
  await refuses(log, await foreignOf(eve.signer, { ...asEve, iat: null }), 'governance/invalid-record', 'header');
  await admits(log, await foreignOf(p256, { iat: null }), 'policy@0/suppliers');
  const clock = async (by: typeof p256, iat: number | null): Promise<boolean> => {
    const candidate = await foreignOf(by, by === p256 ? { iat } : { ...asEve, iat });
    const decision = checkClock(log.state, candidate, NOW);
    if (!decision.admitted) expectRefusal(decision, 'governance/clock', 'clock');
    return decision.admitted;
  };
  for (const iat of [null, 0, NOW - 301, NOW - 300, NOW, NOW + 300]) assert.ok(await clock(p256, iat), `${iat}`);
  assert.not.ok(await clock(p256, NOW + 301));
  for (const iat of [null, 0, NOW - 301, NOW + 301]) assert.not.ok(await clock(eve.signer, iat), `${iat}`);
  for (const iat of [NOW - 300, NOW, NOW + 300]) assert.ok(await clock(eve.signer, iat), `${iat}`);
});

test('what is frozen takes nothing foreign', async () => {
  const log = await supplied();
  await log.log(eve, { type: 'freeze', subject: 'freeze/a', on: 'model/s*', until: NOW + 10 });
  for (const candidate of [await foreignOf(p256), await foreignOf(eve.signer, asEve)])
    await refuses(log, candidate, 'governance/frozen', 'freeze@2');
  await admits(log, await foreignOf(p256, { sub: 'model/other' }), 'policy@0/suppliers');
  await admits(log, await foreignOf(eve.signer, { ...asEve, iat: NOW + 10 }), 'policy@0/imports');
});

test('the size that the policy allows an entry holds for foreign statements', async () => {
  const of = (size: number) => foreignOf(p256, { payload: new Uint8Array(size) });
  const { length } = (await of(500)).statement.entry;
  const log = await supplied();
  await log.log(ada, newPolicy({ ...POLICY, limits: { entry_bytes: length } }));
  await admits(log, await of(500), 'policy@2/suppliers');
  await refuses(log, await of(501), 'governance/limit', 'policy@2/limits');
});

test('a foreign statement becomes the newest of its subject, and governs nothing', async () => {
  const log = await supplied();
  const candidate = await held(log, await foreignOf(p256));
  const before = saveState(log.state);
  const undo = log.state.apply(log.size, candidate);
  assert.equal(log.state.latest('model/score'), { index: log.size, leaf: candidate.leaf });
  assert.equal(log.state.version('foreign', 'model/score')?.authors, [SUPPLIER]);
  assert.is(log.state.version('model', 'model/score'), undefined);
  undo();
  assert.equal(saveState(log.state), before);
});

test.run();
