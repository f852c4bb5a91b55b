import { encodeRecord, type RecordOf, stateDigest } from '@treering/record';
import { createStatementSigner, type StatementSigner, signStatement } from '@treering/statement';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { author, makeProof, ORIGIN, policyWith, verdicts, witnesses } from '../../evidence/test/fixture.js';
import { type PermitQuestion, type PermitTrust, verifyPermit } from '../src/index.js';

// A permit is believed by the reader's keys alone, for one place, one content and one image.

const NOW = 1_767_225_600;
const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const [model, config, image] = [bytes(1), bytes(2), bytes(3)];

function deployment(change: Partial<RecordOf<'deployment'>> = {}): RecordOf<'deployment'> {
  return {
    v: 1,
    type: 'deployment',
    subject: 'deploy/prod/triage',
    reason: 'The new version goes live.',
    phase: 'intent',
    environment: 'prod',
    service: 'triage',
    model: bytes(11),
    config: bytes(12),
    state: stateDigest(model, config, image),
    approvals: [],
    image,
    ...change,
  };
}

async function permit(
  change: Partial<RecordOf<'deployment'>> = {},
  by: StatementSigner = author,
  proof: Partial<Parameters<typeof makeProof>[0]> = {},
): Promise<Uint8Array> {
  const record = deployment(change);
  const claims = { iss: `${ORIGIN}/identity/robot`, sub: record.subject, iat: NOW };
  const { entry } = await signStatement(claims, encodeRecord(record), by);
  return makeProof({ entry, ...proof });
}

const PLACE: PermitQuestion = { environment: 'prod', service: 'triage' };
const WHOLE: PermitQuestion = { ...PLACE, content: { model, config }, image, fresh: { now: NOW + 60, within: 3600 } };
const TRUST: PermitTrust = { policy: policyWith('both'), signerKeys: [author.key] };

test('a permit that holds says so, claim by claim', async () => {
  const { permitted, claims, record } = verifyPermit(await permit(), WHOLE, TRUST);
  assert.ok(permitted);
  assert.equal(verdicts(claims), {
    'head-signed': 'proved',
    quorum: 'proved',
    included: 'proved',
    'statement-signed': 'proved',
    permits: 'proved',
    state: 'proved',
    image: 'proved',
    fresh: 'proved',
  });
  assert.is(record?.service, 'triage');
  assert.ok(verifyPermit(await permit({ phase: 'active' }), WHOLE, TRUST).permitted);
});

const table: readonly [string, () => Promise<Uint8Array>, Partial<PermitQuestion>, Partial<PermitTrust>, string][] = [
  ['another service', () => permit(), { service: 'billing' }, {}, 'permits'],
  ['another environment', () => permit(), { environment: 'test' }, {}, 'permits'],
  ['an end', () => permit({ phase: 'ended' }), {}, {}, 'permits'],
  ['another model', () => permit(), { content: { model: bytes(9), config } }, {}, 'state'],
  ['another configuration', () => permit(), { content: { model, config: bytes(9) } }, {}, 'state'],
  ['another image', () => permit(), { image: bytes(9) }, {}, 'image'],
  ['no image', () => permit({ image: undefined, state: stateDigest(model, config) }), {}, {}, 'image'],
  ['a state of another image', () => permit({ state: stateDigest(model, config, bytes(9)) }), {}, {}, 'state'],
  ['too old', () => permit(), { fresh: { now: NOW + 3600, within: 3600 } }, {}, 'fresh'],
  ['from the future', () => permit(), { fresh: { now: NOW - 301, within: 3600 } }, {}, 'fresh'],
  ['an unknown signer', () => permit({}, createStatementSigner(bytes(77))), {}, {}, 'statement-signed'],
  ['no known signer', () => permit(), {}, { signerKeys: [] }, 'statement-signed'],
  ['no quorum', () => permit({}, author, { cosigners: [witnesses[0]] }), {}, {}, 'quorum'],
  ['another log', () => permit({}, author, { origin: 'log.test/other' }), {}, {}, 'head-signed'],
  ['a log key that is not trusted', () => permit(), {}, { policy: policyWith('none', []) }, 'head-signed'],
  [
    'an entry that is not in the tree',
    async () => permit({}, author, { entry: Uint8Array.of(1), extra: await entryOf() }),
    {},
    {},
    'included',
  ],
];

async function entryOf(): Promise<Uint8Array> {
  const claims = { iss: `${ORIGIN}/identity/robot`, sub: 'deploy/prod/triage', iat: NOW };
  return (await signStatement(claims, encodeRecord(deployment()), author)).entry;
}

for (const [name, make, question, trust, claim] of table)
  test(`refused: ${name}`, async () => {
    const { permitted, claims } = verifyPermit(await make(), { ...WHOLE, ...question }, { ...TRUST, ...trust });
    assert.is(permitted, false);
    assert.is.not(verdicts(claims)[claim], 'proved', JSON.stringify(claims));
  });

test('what is not asked is not looked at, and anybody whom the log admitted may be let through', async () => {
  const by = createStatementSigner(bytes(77));
  const { permitted, claims } = verifyPermit(await permit({}, by), PLACE, { ...TRUST, signerKeys: 'any' });
  assert.ok(permitted);
  assert.is(verdicts(claims)['statement-signed'], 'not proved');
  assert.is(verdicts(claims).image, undefined);
});

test('a proof of something else is no permit', async () => {
  const claims = { iss: `${ORIGIN}/identity/robot`, sub: 'model/x', iat: NOW };
  const payload = encodeRecord({ v: 1, type: 'freeze', subject: 'freeze/x', reason: 'Nothing goes on here.', on: 'model/*' });
  const { entry } = await signStatement({ ...claims, sub: 'freeze/x' }, payload, author);
  const report = verifyPermit(makeProof({ entry }), PLACE, TRUST);
  assert.equal([report.permitted, report.record], [false, undefined]);
  assert.is(verdicts(report.claims).permits, 'failed');
  assert.throws(
    () => verifyPermit(Uint8Array.of(1, 2, 3), PLACE, TRUST),
    (error: Error) => error.name === 'EvidenceError',
  );
});

test('no flipped bit leaves a permit as it was', async () => {
  const good = await permit();
  const signatures = good.length - 400;
  fc.assert(
    fc.property(fc.nat(signatures - 1), fc.nat(7), (at, bit) => {
      const bad = good.slice();
      bad[at] ^= 1 << bit;
      try {
        assert.is(verifyPermit(bad, WHOLE, TRUST).permitted, false, `byte ${at}`);
      } catch (error) {
        assert.is((error as Error).name, 'EvidenceError');
      }
    }),
    { numRuns: 400 },
  );
});

test.run();
