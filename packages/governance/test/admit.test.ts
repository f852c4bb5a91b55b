import type { PolicyBody } from '@treering/record';
import { encodeCoseKey, signStatement, verifySign1 } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { admit, authenticate, createCandidate, GovernanceError, GovernanceState, keyFor } from '../src/index.js';
import {
  candidateOf,
  charterDraft,
  enrolment,
  expectRefusal,
  GovernedLog,
  governedLog,
  incident,
  NOW,
  ORIGIN,
  party,
  revocation,
} from './governed-log.js';

const ada = party('ada', 1);
const grace = party('grace', 2);
const eve = party('eve', 3);
const mallory = party('mallory', 4);
const NO_RULES: PolicyBody = { rules: [] };
const ENGINEERS: PolicyBody = {
  rules: [
    {
      name: 'engineers',
      who: { roles: ['engineer'] },
      may: ['incident', 'deployment', 'freeze'],
      on: ['model/*', 'deploy/**', 'freeze/*'],
    },
  ],
};

/** A log where eve is an engineer. */
async function engineered(policy: PolicyBody = ENGINEERS): Promise<GovernedLog> {
  const log = await governedLog([ada], policy);
  await log.log(ada, enrolment(eve, ['engineer']), 'charter/administrators');
  return log;
}

test('a log begins with a charter that one of its administrators signed', async () => {
  const log = new GovernedLog();
  await log.refuses(ada, incident('model/wink'), 'governance/no-charter', 'charter');
  await log.refuses(ada, enrolment(eve, ['engineer']), 'governance/no-charter', 'charter');
  const charter = charterDraft([ada, grace], NO_RULES);
  await log.refuses(eve, charter, 'governance/bad-charter', 'charter', { iss: `${ORIGIN}/identity/ada` });
  await log.refuses(ada, charter, 'governance/wrong-issuer', 'charter', { iss: `${ORIGIN}/identity/grace` });
  await log.refuses(ada, charter, 'governance/wrong-issuer', 'charter', { iss: 'other.example/identity/ada' });
  await log.refuses(ada, charter, 'governance/invalid-record', 'header', { sub: 'policy' });
  assert.is(log.state.charter, undefined);
  const candidate = await log.log(grace, charter, 'charter');
  assert.equal(log.state.charter, candidate.record);
  assert.equal(
    log.state
      .identities()
      .map(({ id, administrator, validUntil, enrolledAt }) => ({ id, administrator, validUntil, enrolledAt })),
    ['ada', 'grace'].map((id) => ({ id, administrator: true, validUntil: undefined, enrolledAt: 0 })),
  );
});

test('a foreign statement begins no log', async () => {
  const claims = { iss: `${ORIGIN}/identity/ada`, sub: 'charter', iat: NOW, contentType: 'application/json' };
  const candidate = createCandidate(await signStatement(claims, Uint8Array.of(0x7b, 0x7d), ada.signer));
  expectRefusal(admit(new GovernanceState(), candidate), 'governance/no-charter', 'charter');
});

test('a log has one charter, also when the same is sent again', async () => {
  const log = new GovernedLog();
  const charter = charterDraft([ada], NO_RULES);
  const candidate = await log.log(ada, charter);
  expectRefusal(admit(log.state, candidate), 'governance/logged-before', 'entry@0');
  await log.refuses(ada, charter, 'governance/charter-exists', 'charter');
  await log.refuses(mallory, charterDraft([mallory], NO_RULES), 'governance/charter-exists', 'charter');
});

test('the key of a charter is its own, afterwards that of the enrolled identity', async () => {
  const log = new GovernedLog();
  const charter = await candidateOf(ada, charterDraft([ada, grace], NO_RULES));
  const key = keyFor(log.state, charter);
  assert.equal(key && encodeCoseKey(key), ada.key);
  verifySign1(charter.statement.sign1, key as NonNullable<typeof key>);
  assert.is(keyFor(log.state, await candidateOf(mallory, charterDraft([ada], NO_RULES))), undefined);
  assert.is(keyFor(log.state, await candidateOf(ada, incident('model/wink'))), undefined);
  log.state.apply(0, charter);
  assert.is(keyFor(log.state, await candidateOf(mallory, charterDraft([mallory], NO_RULES))), undefined);
  const known = keyFor(log.state, await candidateOf(grace, incident('model/wink')));
  assert.equal(known && encodeCoseKey(known), grace.key);
});

test('statements of other content types are refused as long as no rule is about them', async () => {
  const log = await engineered();
  const claims = {
    iss: `${ORIGIN}/identity/eve`,
    sub: 'model/wink',
    iat: NOW,
    contentType: 'application/vnd.in-toto+json\u202e',
  };
  const candidate = createCandidate(await signStatement(claims, Uint8Array.of(0x7b, 0x7d), eve.signer));
  assert.is(candidate.record, undefined);
  expectRefusal(admit(log.state, candidate), 'governance/foreign-not-verified', 'default deny');
  const checked = await authenticate(log.state, candidate);
  assert.ok(checked.held);
  if (!checked.held) return;
  const { message } = expectRefusal(admit(log.state, checked.candidate), 'governance/foreign', 'default deny');
  assert.match(message, 'eve');
});

test('a payload that claims to be a record and is none is an error before anything is decided', async () => {
  const claims = { iss: `${ORIGIN}/identity/eve`, sub: 'model/wink', iat: NOW };
  const statement = await signStatement(claims, Uint8Array.of(0xa0), eve.signer);
  assert.throws(
    () => createCandidate(statement),
    (error: { code?: string }) => error.code === 'record/unknown-type',
  );
});

test('the header and the record are about the same', async () => {
  const log = await engineered();
  for (const sub of ['model/wonk', 'model/wink/', 'Model/wink', 'identity/eve', 'charter']) {
    await log.refuses(eve, incident('model/wink'), 'governance/invalid-record', 'header', { sub });
  }
  await log.refuses(mallory, enrolment(mallory, ['administrator']), 'governance/invalid-record', 'header', {
    sub: 'model/wink',
  });
});

test('an unknown key may nothing, whoever it says it is', async () => {
  const log = await engineered();
  for (const id of ['mallory', 'eve', 'ada']) {
    const header = { iss: `${ORIGIN}/identity/${id}` };
    await log.refuses(mallory, incident('model/wink'), 'governance/unknown-key', 'identities', header);
    await log.refuses(mallory, enrolment(mallory, []), 'governance/unknown-key', 'identities', header);
  }
});

test('a key speaks for its own identity at this log alone', async () => {
  const log = await engineered();
  const issuers = [
    `${ORIGIN}/identity/ada`,
    `${ORIGIN}/identity/Eve`,
    `${ORIGIN}/identity/eve/`,
    'other.example/identity/eve',
    'eve',
    `${ORIGIN}/identity/eve\n`,
  ];
  for (const iss of issuers) await log.refuses(eve, incident('model/wink'), 'governance/wrong-issuer', 'header', { iss });
  await log.log(eve, incident('model/wink'), 'policy@0/engineers');
});

test('an expired key may nothing from the second after its end', async () => {
  const log = await governedLog([ada], ENGINEERS);
  await log.log(ada, enrolment(eve, ['engineer'], { valid_until: NOW + 100 }));
  await log.log(eve, incident('model/wink'), undefined, { iat: NOW + 100 });
  await log.refuses(eve, incident('model/wink'), 'governance/expired-key', 'identity@1', { iat: NOW + 101 });
  await log.refuses(eve, incident('model/wink'), 'governance/expired-key', 'identity@1', { iat: Number.MAX_SAFE_INTEGER });
  await log.log(ada, enrolment(eve, ['engineer'], { valid_until: NOW + 200 }));
  await log.log(eve, incident('model/wink'), undefined, { iat: NOW + 101 });
  await log.log(ada, enrolment(mallory, []), 'charter/administrators', { iat: Number.MAX_SAFE_INTEGER });
});

test('a revocation counts from its entry on, for all keys of an id', async () => {
  const second = party('eve', 5);
  const log = await engineered();
  await log.log(ada, enrolment(second, ['engineer']));
  await log.log(eve, incident('model/wink'));
  await log.log(second, incident('model/wink'));
  await log.log(ada, revocation('eve'));
  for (const key of [eve, second]) {
    for (const iat of [NOW - 1000, NOW, NOW + 1000]) {
      await log.refuses(key, incident('model/wink'), 'governance/revoked-key', 'identity@5', { iat });
    }
  }
  await log.log(ada, enrolment(party('eve', 6), ['engineer']));
  await log.log(party('eve', 6), incident('model/wink'), 'policy@0/engineers');
  await log.refuses(eve, incident('model/wink'), 'governance/revoked-key', 'identity@5');
});

test('one key of several can be revoked, and a later revocation does not move the first', async () => {
  const second = party('eve', 5);
  const log = await engineered();
  await log.log(ada, enrolment(second, ['engineer']));
  await log.log(ada, revocation('eve', eve.key));
  await log.refuses(eve, incident('model/wink'), 'governance/revoked-key', 'identity@3');
  await log.log(second, incident('model/wink'));
  await log.log(ada, revocation('eve'));
  await log.refuses(eve, incident('model/wink'), 'governance/revoked-key', 'identity@3');
  await log.refuses(second, incident('model/wink'), 'governance/revoked-key', 'identity@5');
});

test('a revoked key is never enrolled again, for nobody', async () => {
  const log = await engineered();
  await log.log(ada, revocation('eve'));
  await log.refuses(ada, enrolment(eve, ['engineer']), 'governance/revoked-key', 'identity@2');
  await log.refuses(ada, enrolment(eve, ['engineer'], { id: 'other' }), 'governance/key-taken', 'identity@1');
});

test('a key belongs to one identity', async () => {
  const log = await engineered();
  await log.refuses(ada, enrolment(eve, ['engineer'], { id: 'other' }), 'governance/key-taken', 'identity@1');
  await log.refuses(ada, enrolment(ada, [], { id: 'other' }), 'governance/key-taken', 'identity@0');
  await log.refuses(ada, revocation('other', eve.key), 'governance/key-taken', 'identity@1');
});

test('what is no key is not enrolled and not revoked', async () => {
  const log = await engineered();
  for (const key of [Uint8Array.of(1), new Uint8Array(256), Uint8Array.of(...eve.key, 0), Uint8Array.of(0xa1, 1, 1)]) {
    await log.refuses(ada, enrolment(mallory, [], { key }), 'governance/invalid-record', 'identity');
    await log.refuses(ada, revocation('eve', key), 'governance/invalid-record', 'identity');
  }
});

test('an error says its code and its class', () => {
  const error = new GovernanceError('governance/clock', 'a sentence');
  assert.instance(error, Error);
  assert.equal([error.name, error.code, error.message], ['GovernanceError', 'governance/clock', 'a sentence']);
});

test.run();
