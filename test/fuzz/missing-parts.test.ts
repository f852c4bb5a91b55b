import { decodeEvidence, encodeEvidence, verifyQuote } from '@treering/attestation';
import { holds, REQUIRED_CLAIMS, REQUIRED_RECEIPT_CLAIMS, verifyCoseReceipt, verifyTlogProof } from '@treering/evidence';
import { portableHasher } from '@treering/merkle';
import { checkSignature, issueReceipt, parseStatement, signatureCheck } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { permit } from '../../apps/admission/test/permits.js';
import { evidenceOf, TRUST } from '../../packages/attestation/test/made-quote.js';
import { verifyPermit } from '../../packages/deployment/src/index.js';
import { makeProof, makeStatement, policyWith, author as signer } from '../../packages/evidence/test/fixture.js';
import { verifyBundle } from '../../packages/foreign/src/node/index.js';
import { reportOutcome } from '../fault/results.js';
import { haveVectors, vectorBytes } from '../vectors.js';
import { ALL_TARGETS } from './all-targets.js';
import { corpusTargets } from './corpus.js';
import { type Changed, changedItems, changedLines, changedMembers } from './parts.js';
import { Random } from './random.js';
import { Session } from './session.js';
import { bytesOf, type Form } from './target.js';
import { author, statement, TIME } from './targets/samples.js';

// Whatever is left out, null, empty or there twice: it is refused with a code, and nothing holds any more that rested on it.

const PARTS: Readonly<Partial<Record<Form, (bytes: Uint8Array) => Changed[]>>> = {
  cbor: changedItems,
  json: (bytes) => changedMembers(Buffer.from(bytes).toString('utf8')),
  lines: (bytes) => changedLines(Buffer.from(bytes).toString('utf8')),
};
/** Inputs of each target, in bytes: each part of them is changed in four ways. */
const LONGEST = 4096;

let inputs = 0;
for (const target of ALL_TARGETS.filter(({ form, slow }) => PARTS[form] !== undefined && slow !== true)) {
  test(`${target.name}: every part in turn`, async () => {
    const session = new Session(target, new Random(1));
    const seeds = target.seeds.map(bytesOf).filter(({ length }) => length <= LONGEST);
    for (const seed of seeds.slice(0, 4))
      for (const { bytes } of seedParts(target.form, seed)) {
        await session.examine(bytes);
        inputs++;
      }
  });
}

/** JSON Lines, and what else is no single value, has no parts of this kind. */
function seedParts(form: Form, seed: Uint8Array): Changed[] {
  try {
    return PARTS[form]?.(seed) ?? [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

const policy = policyWith('both');
const signed = await makeStatement();
const leaf = portableHasher.hashLeaf(statement.entry);
const own = await issueReceipt({ iss: 'log.test/receipts', sub: statement.sub }, { size: 1, index: 0, path: [] }, leaf, author);

/** Something that is verified: whether it holds, or an error with a code. */
interface Verified {
  readonly name: string;
  readonly parts: readonly Changed[];
  readonly holds: (bytes: Uint8Array) => boolean | Promise<boolean>;
  readonly whole: Uint8Array;
  /** Parts that prove nothing: what holds without them holds for the same reasons. */
  readonly idle?: RegExp;
}

const lines = (whole: Uint8Array) => ({ whole, parts: changedLines(Buffer.from(whole).toString('utf8')) });
const items = (whole: Uint8Array) => ({ whole, parts: changedItems(whole) });
/** A bundle of the Sigstore project that holds under its trusted root. */
function sigstore(): Verified[] {
  if (!haveVectors) return [];
  const whole = vectorBytes('sigstore-bundles/js/bundleV03-dsse.sigstore');
  const issuer = {
    issuer: 'sigstore',
    trusted_root: vectorBytes('sigstore-bundles/trusted_root_public_good.json'),
    identities: ['brian@dehamer.com'],
  };
  const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
  return [
    {
      name: 'a Sigstore bundle',
      whole,
      parts: changedMembers(Buffer.from(whole).toString('utf8')),
      holds: (bytes) => verifyBundle(type, bytes, [issuer], undefined).issuer === 'sigstore',
      // Root and size are those of the signed checkpoint, whatever stands beside it; a key id is a hint.
      idle: /\/(?:rootHash|treeSize|keyid) /,
    },
  ];
}

/** Name and verdict of each claim of an attestation, none of which failed. */
function verdicts(bytes: Uint8Array): string {
  return verifyQuote(decodeEvidence(bytes), TRUST)
    .claims.map(({ name, verdict }) => `${name} ${verdict}`)
    .join(', ');
}
const attestation = encodeEvidence(evidenceOf());

const VERIFIED: readonly Verified[] = [
  {
    name: 'a proof file',
    ...lines(makeProof({ entry: signed.entry })),
    holds: (bytes) =>
      holds(verifyTlogProof(bytes, { policy, signerKeys: [signer.key] }).claims, [...REQUIRED_CLAIMS, 'statement-signed']),
  },
  {
    name: 'a permit',
    ...lines(await permit({ iat: TIME })),
    holds: (bytes) =>
      verifyPermit(bytes, { environment: 'prod', service: 'triage' }, { policy, signerKeys: [signer.key] }).permitted,
  },
  {
    name: 'a receipt',
    ...items(own),
    holds: (bytes) =>
      holds(
        verifyCoseReceipt(bytes, { logs: [{ origin: 'log.test/receipts', key: author.key }], entry: statement.entry }).claims,
        REQUIRED_RECEIPT_CLAIMS,
      ),
  },
  {
    name: 'a statement',
    ...items(statement.entry),
    holds: (bytes) => checkSignature(signatureCheck(parseStatement(bytes).sign1, author.key)),
  },
  { name: 'an attestation', ...items(attestation), holds: (bytes) => verdicts(bytes) === verdicts(attestation) },
];

for (const { name, whole, parts, holds: verify, idle = /^$/ } of [...VERIFIED, ...sigstore()]) {
  test(`${name} does not hold without any of its parts`, async () => {
    assert.ok(await verify(whole), 'it holds');
    for (const { what, lost, bytes } of parts) {
      const stillHolds = await outcomeOf(() => verify(bytes));
      inputs++;
      // What is there twice may count once.
      if (lost && stillHolds && Buffer.compare(bytes, whole) !== 0 && !idle.test(what)) assert.unreachable(`without ${what}`);
    }
  });
}

/** Whether it holds; an error with a code says that it does not. */
async function outcomeOf(verify: () => boolean | Promise<boolean>): Promise<boolean> {
  try {
    return await verify();
  } catch (error) {
    assert.match(String((error as { code?: unknown }).code), /^[a-z0-9]+\/[a-z-]+$/, String((error as Error).stack));
    return false;
  }
}

test('every folder of the corpus is that of a target', () => {
  const names = ALL_TARGETS.map(({ name }) => name);
  assert.is(new Set(names).size, names.length);
  assert.equal(
    corpusTargets().filter((name) => !names.includes(name)),
    [],
  );
});

test('what was lost was looked for in every part', () => {
  reportOutcome({
    name: 'missing-parts',
    group: 'input',
    scenario: 'every part of an input removed, null, empty or twice',
    runs: inputs,
    unit: 'inputs',
  });
});

test.run();
