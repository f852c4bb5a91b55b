import { createPublicKey, X509Certificate } from 'node:crypto';
import { admit, authenticate, type Candidate, type Means, saveState } from '@treering/governance';
import type { Issuer, PolicyBody, PolicyRule } from '@treering/record';
import { ALG, encodeCoseKey, HEADER } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes, vectorJson } from '../../../test/vectors.js';
import { decideForeign, foreignOf } from '../../governance/test/foreign-statement.js';
import {
  enrolment,
  expectRefusal,
  type GovernedLog,
  governedLog,
  NOW,
  ORIGIN,
  party,
} from '../../governance/test/governed-log.js';
import { coseKeyOf, generateTestKey, slowSigner } from '../../statement/test/ec-keys.js';
import { nodeMeans } from '../src/node/index.js';
import { AUTHORITY, CertificateMaker, SIGNER } from './openssl.js';

const ada = party('ada', 1);
const eve = party('eve', 3);
const NOT_VERIFIED = ['governance/foreign-not-verified', 'issuers'] as const;
const NOT_CHECKED = ['governance/not-checked', 'issuers'] as const;

async function logWith(policy: PolicyBody): Promise<GovernedLog> {
  const log = await governedLog([ada], policy);
  await log.log(ada, enrolment(eve, ['engineer']), 'charter/administrators');
  return log;
}

const NOBODY: PolicyRule[] = [{ name: 'nobody', who: { ids: ['nobody'] }, may: ['incident'], on: ['**'] }];

/** Logs a new policy. */
const change = (log: GovernedLog, policy: PolicyBody): Promise<Candidate> =>
  log.log(ada, { type: 'policy', subject: 'policy', policy });

/** Fails unless a statement is refused with this code by this rule, and the log is as before. */
async function refuses(
  log: GovernedLog,
  candidate: Candidate,
  [code, rule]: readonly [Parameters<typeof expectRefusal>[1], string],
  means: Means = nodeMeans,
): Promise<string> {
  const before = saveState(log.state);
  const { message } = expectRefusal(await decideForeign(log, candidate, means), code, rule);
  assert.equal(saveState(log.state), before);
  return message;
}

async function admits(log: GovernedLog, candidate: Candidate, rule: string): Promise<void> {
  const decision = await decideForeign(log, candidate, nodeMeans);
  assert.is(decision.admitted ? decision.rule : decision.message, rule);
}

/** The statement's signatures hold. */
async function held(log: GovernedLog, candidate: Candidate): Promise<Candidate> {
  const checked = await authenticate(log.state, candidate, nodeMeans);
  assert.ok(checked.held, checked.held ? '' : checked.refusal.message);
  return (checked as { candidate: Candidate }).candidate;
}

test('a statement whose certificate leads to a root of its issuer is admitted, under another root it is not', async () => {
  const maker = new CertificateMaker();
  try {
    const root = maker.make({ subject: '/CN=root', extensions: AUTHORITY });
    const stranger = maker.make({ subject: '/CN=root', extensions: AUTHORITY });
    const key = generateTestKey('P-256');
    const names = 'subjectAltName=URI:https://ci.example/build';
    const leaf = maker.make({ subject: '/CN=x', by: root, privateKey: key.privateKey, extensions: [...SIGNER, names] });
    const issuer: Issuer = { issuer: 'https://ci.example', roots: [root.der], identities: ['https://ci.example/*'] };
    const who = { issuer: issuer.issuer, claims: { identity: '*/build', subject: 'model/score' } };
    const policy: PolicyBody = { rules: [{ name: 'ci', who, may: ['foreign'], on: ['model/*'] }], issuers: [issuer] };
    const parts = {
      iss: issuer.issuer,
      iat: Math.floor(Date.now() / 1000) + 3600,
      header: [[HEADER.x5chain, leaf.der]] as [number, Uint8Array][],
    };
    const statement = await foreignOf(slowSigner(key), parts);
    assert.is(key.algorithm, ALG.es256);
    const log = await logWith(policy);
    await admits(log, statement, 'policy@0/ci');
    const early = await foreignOf(slowSigner(key), { ...parts, iat: NOW });
    assert.match(await refuses(log, early, NOT_VERIFIED), /not valid at/);
    const timeless = await foreignOf(slowSigner(key), { ...parts, iat: null });
    assert.match(await refuses(log, timeless, NOT_VERIFIED), /iat/);
    const stolen = await foreignOf(slowSigner(generateTestKey('P-256')), parts);
    assert.match(await refuses(log, stolen, NOT_VERIFIED), /does not hold under its certificate/);
    assert.match(await refuses(log, statement, NOT_CHECKED, {}), /cannot be checked here/);
    await change(log, { ...policy, issuers: [{ ...issuer, identities: ['https://ci.example/release'] }] });
    assert.match(await refuses(log, statement, NOT_VERIFIED), /whom the policy does not name/);
    await change(log, { ...policy, issuers: [{ ...issuer, roots: [stranger.der] }] });
    assert.match(await refuses(log, statement, NOT_VERIFIED), /lead to no root/);
  } finally {
    maker.close();
  }
});

if (haveVectors) {
  const FILE = 'sigstore-bundles/js/bundleV03-intoto.sigstore';
  const { mediaType } = vectorJson(FILE);
  const sigstore: Issuer = {
    issuer: 'sigstore',
    trusted_root: vectorBytes('sigstore-bundles/trusted_root_public_good.json'),
    identities: ['brian@*'],
  };
  const staging = { ...sigstore, trusted_root: vectorBytes('sigstore-bundles/trusted_root_staging.json') };
  const statement = JSON.parse(Buffer.from(vectorJson(FILE).dsseEnvelope.payload, 'base64').toString());
  const CLAIMS = {
    identity: 'brian@dehamer.com',
    oidc_issuer: 'https://github.com/*',
    payload_type: 'application/vnd.in-toto+json',
    predicate_type: statement.predicateType,
    subject_name: statement.subject[0].name,
  };
  const ruleWith = (claims: Record<string, string> | undefined, role = 'engineer'): PolicyRule => {
    const who = { roles: [role], issuer: 'sigstore', ...(claims === undefined ? {} : { claims }) };
    return { name: 'built', who, may: ['foreign'], on: ['model/*'] };
  };
  const policyWith = (claims: Record<string, string> | undefined, issuer = sigstore): PolicyBody => ({
    rules: [ruleWith(claims)],
    issuers: [issuer],
  });
  /** The bundle in a statement that eve signed. */
  const wrapped = (payload = vectorBytes(FILE), contentType = mediaType, sub = 'model/score'): Promise<Candidate> =>
    foreignOf(eve.signer, { iss: `${ORIGIN}/identity/eve`, sub, contentType, payload });

  test('a Sigstore bundle in a statement of an enrolled key is admitted, and logged as it came', async () => {
    const log = await logWith(policyWith(CLAIMS));
    const candidate = await wrapped();
    await admits(log, candidate, 'policy@0/built');
    const { verified } = await held(log, candidate);
    assert.is(verified?.enrolled, true);
    assert.is(verified?.issuer?.issuer, 'sigstore');
    for (const name of Object.keys(CLAIMS)) assert.ok(verified?.issuer?.claims[name], name);
    assert.equal(candidate.statement.payload, vectorBytes(FILE));
    log.state.apply(log.size++, candidate);
  });

  test('it is refused once the policy drops the issuer, or what the issuer was known by', async () => {
    const changes: Readonly<Record<string, PolicyBody>> = {
      'no issuer': { rules: NOBODY },
      'another issuer': { rules: NOBODY, issuers: [{ ...staging, issuer: 'staging' }] },
      'another trusted root': policyWith(CLAIMS, staging),
      'a key instead': policyWith(CLAIMS, { issuer: 'sigstore', keys: [encodeCoseKey(generateTestKey('P-256').key)] }),
    };
    for (const [what, policy] of Object.entries(changes)) {
      const log = await logWith(policyWith(CLAIMS));
      const checked = await held(log, await wrapped());
      assert.ok(admit(log.state, checked).admitted, what);
      await change(log, policy);
      await refuses(log, await wrapped(), NOT_VERIFIED);
      expectRefusal(admit(log.state, checked), ...NOT_VERIFIED);
    }
  });

  test('it is refused when the policy names somebody else', async () => {
    const log = await logWith(policyWith(CLAIMS, { ...sigstore, identities: ['ada@*'] }));
    assert.match(await refuses(log, await wrapped(), NOT_VERIFIED), /brian@dehamer\.com/);
  });

  test('it is refused when a claim does not fit, is none, or the signer has another role', async () => {
    for (const [name, value] of Object.entries(CLAIMS)) {
      const log = await logWith(policyWith({ ...CLAIMS, [name]: `${value}x` }));
      await refuses(log, await wrapped(), ['governance/foreign', 'default deny']);
    }
    const others = [ruleWith({ key: '*' }), ruleWith({ toString: '*' }), ruleWith(CLAIMS, 'auditor')];
    for (const rule of others) {
      const log = await logWith({ rules: [rule], issuers: [sigstore] });
      await refuses(log, await wrapped(), ['governance/foreign', 'default deny']);
    }
    const log = await logWith(policyWith(CLAIMS));
    await refuses(log, await wrapped(undefined, undefined, 'dataset/score'), ['governance/foreign', 'default deny']);
    await refuses(log, await wrapped(undefined, undefined, 'policy'), ['governance/foreign', 'subject']);
  });

  test('it is refused where bundles cannot be checked', async () => {
    const log = await logWith(policyWith(CLAIMS));
    const { bundle: _, ...rest } = nodeMeans;
    for (const means of [{}, rest])
      assert.match(await refuses(log, await wrapped(), NOT_CHECKED, means), /cannot be checked here/);
  });

  test('a changed bundle, and one under the type of another, is refused', async () => {
    const log = await logWith(policyWith(undefined));
    await admits(log, await wrapped(), 'policy@0/built');
    const json = vectorJson(FILE);
    json.dsseEnvelope.payload = Buffer.from(JSON.stringify({ ...statement, predicateType: 'x' })).toString('base64');
    const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
    await refuses(log, await wrapped(utf8(json)), NOT_VERIFIED);
    await refuses(log, await wrapped(Uint8Array.of(0x7b)), NOT_VERIFIED);
    await refuses(log, await wrapped(undefined, 'application/vnd.dsse.envelope.v1+json'), NOT_VERIFIED);
    await refuses(
      log,
      await wrapped(utf8(vectorJson(FILE).dsseEnvelope), 'application/vnd.dsse.envelope.v1+json'),
      NOT_VERIFIED,
    );
    await refuses(log, await wrapped(undefined, 'application/json'), ['governance/foreign', 'default deny']);
  });

  test('the signature of the statement around it has to hold as well', async () => {
    const log = await logWith(policyWith(CLAIMS));
    const forger = { ...eve.signer, sign: party('mallory', 4).signer.sign };
    const forged = await foreignOf(forger, {
      iss: `${ORIGIN}/identity/eve`,
      contentType: mediaType,
      payload: vectorBytes(FILE),
    });
    await refuses(log, forged, ['cose/bad-signature', 'signature']);
  });

  test('model signing with a key and with certificates is admitted by what it claims', async () => {
    const folder = 'sigstore-model-signing';
    const pem = (name: string): Buffer => Buffer.from(vectorBytes(`${folder}/keys/${name}.pem`));
    const issuers: readonly [string, Issuer][] = [
      ['elliptic-key', { issuer: 'sigstore', keys: [encodeCoseKey(coseKeyOf(createPublicKey(pem('signing-key-pub'))))] }],
      [
        'certificate',
        {
          issuer: 'sigstore',
          roots: [new Uint8Array(new X509Certificate(pem('ca-cert')).raw)],
          identities: ['intermediate-ca'],
        },
      ],
    ];
    for (const [kind, issuer] of issuers) {
      const bytes = vectorBytes(`${folder}/v1.0.1-${kind}/model.sig`);
      const payload = Buffer.from(JSON.parse(Buffer.from(bytes).toString()).dsseEnvelope.payload, 'base64').toString();
      const claims = { subject_digest: JSON.parse(payload).subject[0].digest.sha256 };
      await admits(await logWith(policyWith(claims, issuer)), await wrapped(bytes), 'policy@0/built');
      const other = await logWith(policyWith({ subject_digest: '00*' }, issuer));
      await refuses(other, await wrapped(bytes), ['governance/foreign', 'default deny']);
      await refuses(await logWith(policyWith(claims)), await wrapped(bytes), NOT_VERIFIED);
    }
  });
}

test.run();
