import { createPrivateKey, sign } from 'node:crypto';
import { nodeMeans } from '@treering/foreign/node';
import { KEY_TYPE } from '@treering/note';
import type { ChangeRecord, Issuer, PolicyBody } from '@treering/record';
import { dssePae, encodeCoseKey, type SignedStatement, signStatement } from '@treering/statement';
import { createMemoryStorage, type Storage } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fsck, Log, logKeysFrom, STARTING_POLICY } from '../src/index.js';
import { identityRecord, type MemoryLog, makeStatement, memoryLog, ORIGIN, SEED, signerFrom } from './fixture.js';

// Signatures are checked before a statement waits, and the rules under which they were may change until its turn. Whatever is logged has to be
// admitted by everybody who replays the log.

const SUPPLIER = 'https://supplier.example';
const BUILDER = 'https://builder.example';
const BUILDER_SEED = new Uint8Array(32).fill(0x66);
const supplier = signerFrom(new Uint8Array(32).fill(0x44));
const builder = signerFrom(BUILDER_SEED);
const registrar = signerFrom(new Uint8Array(32).fill(0x55));
const issuers: Issuer[] = [
  { issuer: SUPPLIER, keys: [encodeCoseKey(supplier.key)] },
  { issuer: BUILDER, keys: [encodeCoseKey(builder.key)] },
];
const policy: PolicyBody = {
  ...STARTING_POLICY,
  rules: [
    ...STARTING_POLICY.rules,
    { name: 'suppliers', who: { issuer: SUPPLIER }, may: ['foreign'], on: ['model/*'] },
    { name: 'enrollers', who: { roles: ['registrar'] }, may: ['identity'], on: ['identity/*'], grants: ['engineer'] },
  ],
  issuers,
};
const now = (): number => Math.floor(Date.now() / 1000);

/** A statement of the supplier: of itself, or around something that the builder signed. */
function ofSupplier(contentType: string, content: Uint8Array): Promise<SignedStatement> {
  return signStatement({ iss: SUPPLIER, sub: 'model/score', iat: now(), contentType }, content, supplier);
}

/** A DSSE envelope that the builder signed. */
function envelope(): Uint8Array {
  const type = 'application/vnd.in-toto+json';
  const subject = [{ name: 'a', digest: { sha256: 'ab'.repeat(32) } }];
  const body = { _type: 'https://in-toto.io/Statement/v1', subject, predicateType: 'https://example.org/p', predicate: {} };
  const payload = Buffer.from(JSON.stringify(body));
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), BUILDER_SEED]);
  const sig = sign(null, dssePae(type, payload), createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  const signatures = [{ sig: sig.toString('base64') }];
  return Buffer.from(JSON.stringify({ payload: payload.toString('base64'), payloadType: type, signatures }));
}

async function batch(one: MemoryLog, statements: readonly SignedStatement[]): Promise<string[]> {
  const body = new Uint8Array(Buffer.concat(statements.map(({ entry }) => entry)));
  const headers = { 'Content-Type': 'application/cbor-seq' };
  const { results } = await one.json('/v1/entries:batch', { method: 'POST', headers, body });
  return results.map(({ status, code }: { status: number; code?: string }) => `${status} ${code ?? ''}`.trim());
}

/** Starts another log on the store, as after a loss of everything but that, and examines it. */
async function requireReplay(one: MemoryLog, storage: Storage): Promise<void> {
  const anchor = { read: async () => one.log.sequencer.head?.note ?? null, write: async () => undefined };
  const keys = logKeysFrom(
    { name: ORIGIN, type: KEY_TYPE.ed25519, seed: SEED.log },
    { name: ORIGIN, type: KEY_TYPE.mldsa44Cosignature, seed: SEED.publication },
  );
  const again = await Log.open({ storage, anchor, keys, means: nodeMeans });
  assert.is(again.sequencer.head?.size, one.size());
  const { findings } = await fsck({ storage, anchor, trust: one.log.trust });
  assert.equal(findings, []);
}

async function begin() {
  const storage = createMemoryStorage();
  const one = await memoryLog({ storage, policy });
  await one.log.submit((await makeStatement({ record: identityRecord('enrol', 'reg', registrar, ['registrar']) })).entry);
  return { storage, one };
}

const enrolling = (): Promise<SignedStatement> =>
  makeStatement({ record: identityRecord('enrol', 'x', supplier, ['engineer']), signer: registrar, id: 'reg' });
const withoutBuilder: ChangeRecord = {
  v: 1,
  type: 'policy',
  subject: 'policy',
  reason: 'The builder is no issuer any more.',
  policy: { ...policy, issuers: issuers.slice(0, 1) },
};

test('a statement of an issuer whose key is enrolled before its turn is not logged as that of the issuer', async () => {
  const { storage, one } = await begin();
  const statement = await ofSupplier('application/vnd.in-toto+json', new TextEncoder().encode('{"a":1}'));
  assert.equal(await batch(one, [await enrolling(), statement]), ['201', '403 governance/wrong-issuer']);
  await requireReplay(one, storage);
});

test('the same in two requests at once, whichever comes first', async () => {
  const { storage, one } = await begin();
  const statement = await ofSupplier('application/vnd.in-toto+json', new TextEncoder().encode('{"a":1}'));
  const answers = await Promise.all([one.post((await enrolling()).entry), one.post(statement.entry)]);
  assert.is(answers[0].status, 201);
  assert.ok([201, 403].includes(answers[1].status));
  await requireReplay(one, storage);
});

test('what a policy vouches for is checked again when another policy comes before its turn', async () => {
  const { storage, one } = await begin();
  const content = 'application/vnd.dsse.envelope.v1+json';
  const change = await makeStatement({ record: withoutBuilder });
  const before = await ofSupplier(content, envelope());
  assert.equal(await batch(one, [before]), ['201'], 'under the policy that names the builder');
  const statement = await ofSupplier(content, Buffer.concat([envelope(), Buffer.from(' ')]));
  const [changed, refused] = await batch(one, [change, statement]);
  assert.is(changed, '201');
  assert.match(refused, /^403 governance\/foreign-not-verified$/);
  await requireReplay(one, storage);
});

test('a statement that holds under the new rules as well is checked again and logged', async () => {
  const { storage, one } = await begin();
  const statement = await ofSupplier('application/vnd.in-toto+json', new TextEncoder().encode('{"b":2}'));
  assert.equal(await batch(one, [await makeStatement({ record: withoutBuilder }), statement]), ['201', '201']);
  await requireReplay(one, storage);
});

test.run();
