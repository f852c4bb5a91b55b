import { createHash } from 'node:crypto';
import { createCandidate } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import { hex } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { configDigest, createAttachment, type RecordOf } from '@treering/record';
import { encodeCoseKey, parseStatement } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type AttestationEvidence,
  attestationNonce,
  decodeEvidence,
  encodeEvidence,
  type MeasuredEvent,
  parseQuote,
} from '../../attestation/src/index.js';
import { AttestationKey, evidenceOf, HOST, type Said } from '../../attestation/test/made-quote.js';
import { type Claim, examineAttestations, holds, type Question, verifyPack } from '../src/index.js';
import { admin, engineer, hospital, packPolicy, person, START } from './pack-log.js';

const QUESTION: Question = { subjects: ['deploy/prod/triage'], attachments: 'public' };
const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

interface Attest {
  /** Changes the evidence and what the TPM says before it is signed. */
  readonly evidence?: Partial<AttestationEvidence>;
  readonly said?: Said;
  readonly record?: Record<string, unknown>;
  readonly key?: AttestationKey;
  /** The bytes of the attachment. */
  readonly content?: Uint8Array;
  /** Who signs the record. */
  readonly by?: typeof engineer;
  readonly also?: readonly MeasuredEvent[];
}

/** The log of a hospital whose host has an attestation key. */
async function attested() {
  const ward = await hospital();
  const { log, leaves } = ward;
  const enrol = (id: string, key: AttestationKey, roles: readonly string[]): Promise<Uint8Array> =>
    log.add(admin, {
      type: 'identity',
      subject: `identity/${id}`,
      action: 'enrol',
      id,
      key: encodeCoseKey(key.key),
      kind: 'workload',
      roles,
      valid_until: START + 10 * 31_536_000,
    });
  const recordOf = <T extends 'config' | 'deployment'>(leaf: Uint8Array): RecordOf<T> =>
    createCandidate(parseStatement(log.entries[log.index.indexOf(hex(leaf)) as number])).record as RecordOf<T>;
  const events: MeasuredEvent[] = [
    { pcr: 13, digest: new Uint8Array(32).fill(12), kind: 'model', name: 'triage 2.0' },
    { pcr: 13, digest: configDigest(recordOf<'config'>(leaves.config2)), kind: 'config', name: 'triage 2' },
  ];
  const { state } = recordOf<'deployment'>(leaves.active2);
  let clock = 1000n;
  /** Has the TPM quote what was deployed last, for the log as it is now. */
  const quote = (options: Attest = {}): AttestationEvidence => {
    const { note } = log.head();
    const nonce = attestationNonce(log.rootAt(log.entries.length), leaves.active2, state);
    clock += 1000n;
    const loaded = [...(options.also ?? []), ...events];
    return evidenceOf(
      { checkpoint: note, deployment: leaves.active2, state, events: loaded, ...options.evidence },
      { nonce, clock, ...options.said },
      options.key,
    );
  };
  /** Logs evidence, or else that of a new quote. Returns the index of the record, and the bytes of its evidence. */
  const attest = async (
    keyLeaf: Uint8Array,
    options: Attest = {},
    evidence = quote(options),
  ): Promise<{ index: number; content: Uint8Array }> => {
    const content = options.content ?? encodeEvidence(evidence);
    const about = {
      name: 'evidence.trquote',
      media_type: 'application/vnd.treering.attestation+cbor',
      access: 'public',
    } as const;
    const attachment = createAttachment(content, about, sha256(Uint8Array.of(log.entries.length)).slice(0, 16));
    const record = {
      type: 'attestation',
      subject: 'deploy/prod/triage',
      deployment: leaves.active2,
      format: 'tpm2-quote',
      evidence: sha256(content),
      nonce: options.said?.nonce ?? parseQuote(evidence.quote).extraData,
      measured: evidence.value,
      verdict: 'match',
      refs: [{ rel: 'attestation-key', leaf: keyLeaf }],
      ...options.record,
    } as const;
    await log.add(options.by ?? engineer, record, [attachment]);
    return { index: log.entries.length - 1, content };
  };
  const keyLeaf = await enrol('host-1-tpm', HOST, ['attestation']);
  return { ...ward, enrol, events, quote, attest, keyLeaf };
}

type Ward = Awaited<ReturnType<typeof attested>>;

/** What a pack says of its attestations. */
async function examined({ log }: Ward, question: Question = QUESTION): Promise<{ claims: Claim[]; good: boolean }> {
  log.head();
  const { claims, required } = await verifyPack(await log.pack(question), {
    policy: packPolicy(),
    attestations: examineAttestations,
    hasher: nodeHasher,
    ed25519: nodeEd25519,
  });
  return { claims: claims.filter(({ name }) => name === 'attestation'), good: holds(claims, required) };
}

test('an attestation is proved with its key, its checkpoint and its deployment', async () => {
  const ward = await attested();
  await ward.attest(ward.keyLeaf);
  const { claims, good } = await examined(ward);
  assert.ok(good);
  assert.is(claims.length, 1);
  assert.is(claims[0].verdict, 'proved', claims[0].text);
  assert.match(claims[0].text, /had loaded last what entry \d+ deployed, as its TPM signs/);
  assert.ok((claims[0].details ?? []).some((line) => line.startsWith('signature: proved')));
});

test('the next one says what was loaded in between, and that nothing else was', async () => {
  const ward = await attested();
  await ward.attest(ward.keyLeaf);
  await ward.attest(ward.keyLeaf);
  const { claims } = await examined(ward);
  assert.equal(
    claims.map(({ verdict }) => verdict),
    ['proved', 'proved'],
  );
  assert.match(claims[1].text, /its loader loaded nothing/);
});

test('after a reset the interval is broken, and what runs is proved all the same', async () => {
  const ward = await attested();
  await ward.attest(ward.keyLeaf);
  await ward.attest(ward.keyLeaf, { said: { resets: 5 } });
  const { claims } = await examined(ward);
  assert.is(claims[1].verdict, 'proved');
  assert.match(claims[1].text, /the interval is broken/);
});

const other = new AttestationKey();
const stranger = person('stranger', 77);
const refused: [string, Attest, 'failed' | 'not proved', RegExp][] = [
  ['another nonce', { said: { nonce: new Uint8Array(32) } }, 'failed', /does not hold \(nonce\)/],
  ['another nonce in the record', { record: { nonce: new Uint8Array(32) } }, 'failed', /names another nonce/],
  ['another value in the record', { record: { measured: new Uint8Array(32) } }, 'failed', /another value of the register/],
  ['another register', { said: { banks: [[0x000b, [1, 0, 0]]] } }, 'failed', /\(selection\)/],
  ['a key that was not enrolled', { key: other }, 'failed', /\(key-enrolled\)/],
  ['a checkpoint of nobody', { evidence: { checkpoint: new Uint8Array(9) } }, 'failed', /\(checkpoint\)/],
  ['another state', { evidence: { state: new Uint8Array(32) } }, 'failed', /\(deployment\)/],
  ['an event log that was cut', { evidence: { events: [], value: new Uint8Array(32).fill(1) } }, 'failed', /\(event-log\)/],
  ['no key named', { record: { refs: undefined } }, 'failed', /does not name the one record that enrolled its key/],
  ['bytes that are no evidence', { content: new Uint8Array(9) }, 'failed', /cannot be read/],
  ['other evidence than was recorded', { record: { evidence: new Uint8Array(32) } }, 'not proved', /not in the file/],
  ['another format', { record: { format: 'sev-snp' } }, 'not proved', /"sev-snp" is not read/],
  ['a record that says so itself', { record: { verdict: 'mismatch' } }, 'not proved', /says: mismatch/],
];

for (const [what, options, verdict, why] of refused)
  test(`not proved: ${what}`, async () => {
    const ward = await attested();
    await ward.attest(ward.keyLeaf, options);
    const { claims, good } = await examined(ward);
    assert.is(claims[0].verdict, verdict, claims[0].text);
    assert.match(claims[0].text, why);
    assert.is(good, verdict !== 'failed');
  });

test('a quote that is logged again is found to be replayed', async () => {
  const ward = await attested();
  const { index, content } = await ward.attest(ward.keyLeaf);
  await ward.attest(ward.keyLeaf, { content });
  const { claims } = await examined(ward);
  assert.is(claims[1].verdict, 'failed');
  assert.match(claims[1].text, new RegExp(`that of entry ${index} once more`));
});

const verdictsOf = (claims: readonly Claim[]): string[] => claims.map(({ verdict }) => verdict);
const renamed = (evidence: AttestationEvidence): AttestationEvidence => ({
  ...evidence,
  events: evidence.events.map((event) => ({ ...event, name: 'renamed' })),
});

for (const [what, said] of [
  ['within one boot', {}],
  ['after a reset', { resets: 5 }],
  ['after a restart', { restarts: 1 }],
] as const)
  test(`a quote in evidence that reads otherwise is found to be replayed: ${what}`, async () => {
    const ward = await attested();
    const { index, content } = await ward.attest(ward.keyLeaf);
    await ward.attest(ward.keyLeaf, { said });
    await ward.attest(ward.keyLeaf, {}, renamed(decodeEvidence(content)));
    const { claims, good } = await examined(ward);
    assert.equal(verdictsOf(claims), ['proved', 'proved', 'failed']);
    assert.match(claims[2].text, new RegExp(`its quote is that of entry ${index} once more`));
    assert.not(good);
  });

test('of several quotes for one checkpoint one is used: the others were kept for later', async () => {
  const ward = await attested();
  const kept = ward.quote({ said: { clock: 900_000n } });
  const { index } = await ward.attest(ward.keyLeaf);
  await ward.attest(ward.keyLeaf, {}, kept);
  const { claims } = await examined(ward);
  assert.equal(verdictsOf(claims), ['proved', 'failed']);
  assert.match(claims[1].text, new RegExp(`its nonce is that of entry ${index} once more`));
});

for (const [what, said] of [
  ['within one boot', { clock: 900_000n }],
  ['of another boot', { resets: 5, clock: 1n }],
] as const)
  test(`a quote for an older checkpoint than the one before was held back: ${what}`, async () => {
    const ward = await attested();
    const kept = ward.quote({ said });
    await ward.enrol('host-2', other, ['attestation']);
    const { index } = await ward.attest(ward.keyLeaf);
    await ward.attest(ward.keyLeaf, {}, kept);
    const { claims } = await examined(ward);
    assert.equal(verdictsOf(claims), ['proved', 'failed']);
    assert.match(claims[1].text, new RegExp(`its checkpoint of \\d+ entries is older than that of entry ${index},`));
  });

test('a boot that is over does not come again', async () => {
  const ward = await attested();
  const { index } = await ward.attest(ward.keyLeaf);
  await ward.attest(ward.keyLeaf, { said: { resets: 5 } });
  await ward.attest(ward.keyLeaf);
  await ward.attest(ward.keyLeaf, { said: { resets: 5 } });
  const { claims } = await examined(ward);
  assert.equal(verdictsOf(claims), ['proved', 'proved', 'failed', 'proved']);
  assert.match(claims[2].text, new RegExp(`it is of the boot of entry ${index}, which was over`));
});

test('within one boot the clock does not fall, whatever the register', async () => {
  const ward = await attested();
  const { index } = await ward.attest(ward.keyLeaf);
  const elsewhere = (clock: bigint): Attest => {
    const events = ward.events.map((event) => ({ ...event, pcr: 14 }));
    return { evidence: { pcr: 14, events }, said: { clock } };
  };
  await ward.attest(ward.keyLeaf, elsewhere(1999n));
  await ward.attest(ward.keyLeaf, elsewhere(2000n));
  const { claims } = await examined(ward);
  assert.equal(verdictsOf(claims), ['proved', 'failed', 'proved']);
  assert.match(claims[1].text, new RegExp(`the clock of the TPM went back since entry ${index}`));
});

test('quotes of two keys have nothing to do with each other', async () => {
  const ward = await attested();
  const second = await ward.enrol('host-2', other, ['attestation']);
  const theirs = ward.quote({ key: other, said: { clock: 1n } });
  await ward.attest(ward.keyLeaf);
  await ward.attest(second, {}, theirs);
  const { claims } = await examined(ward);
  assert.equal(verdictsOf(claims), ['proved', 'proved']);
});

test('what failed has failed, whatever the record says itself', async () => {
  for (const verdict of ['mismatch', 'inconclusive'] as const) {
    const ward = await attested();
    const { content } = await ward.attest(ward.keyLeaf);
    const forged = { ...decodeEvidence(content), signature: HOST.sign(new Uint8Array(1)) };
    await ward.attest(ward.keyLeaf, { record: { verdict } }, renamed(decodeEvidence(content)));
    await ward.attest(ward.keyLeaf, { record: { verdict }, content });
    await ward.attest(ward.keyLeaf, { record: { verdict } }, forged);
    const { claims, good } = await examined(ward);
    assert.equal(verdictsOf(claims), ['proved', 'failed', 'failed', 'failed']);
    assert.match(claims[3].text, new RegExp(`\\(signature\\)\\. The record itself says: ${verdict}`));
    assert.not(good);
  }
});

test('that something else was loaded is what a record of a mismatch says, and its quote counts as used', async () => {
  const ward = await attested();
  const another: MeasuredEvent = { pcr: 13, digest: new Uint8Array(32).fill(9), kind: 'model', name: 'another' };
  const unloaded = ward.quote({ evidence: { events: [another] } });
  const { index } = await ward.attest(ward.keyLeaf, { record: { verdict: 'mismatch' } }, unloaded);
  await ward.attest(ward.keyLeaf, {}, renamed(unloaded));
  await ward.attest(ward.keyLeaf, { evidence: { events: [another] } });
  const { claims } = await examined(ward);
  assert.equal(verdictsOf(claims), ['not proved', 'failed', 'failed']);
  assert.match(claims[0].text, /what the host had loaded last is not what was deployed\. The record itself says: mismatch/);
  assert.match(claims[1].text, new RegExp(`that of entry ${index} once more`));
  assert.match(claims[2].text, /\(loaded\)/);
});

test('who may not attest does not use up the evidence of others', async () => {
  const ward = await attested();
  const evidence = ward.quote();
  await ward.attest(ward.keyLeaf, { by: stranger }, evidence);
  await ward.attest(ward.keyLeaf, { record: { prev: ward.leaves.active2 } }, evidence);
  const { claims } = await examined(ward);
  assert.equal(verdictsOf(claims), ['failed', 'proved'], claims[1].text);
  assert.match(claims[0].text, /the rules do not admit it/);
});

test('a checkpoint from before the deployment says nothing of it', async () => {
  const ward = await attested();
  const [first] = ward.log.heads;
  const { leaves, log } = ward;
  const state = (
    createCandidate(parseStatement(log.entries[log.index.indexOf(hex(leaves.active2)) as number]))
      .record as RecordOf<'deployment'>
  ).state;
  const nonce = attestationNonce(log.rootAt(first.size), leaves.active2, state);
  await ward.attest(ward.keyLeaf, { evidence: { checkpoint: first.note }, said: { nonce }, record: { nonce } });
  const { claims } = await examined(ward);
  assert.is(claims[0].verdict, 'failed');
  assert.match(claims[0].text, /does not lie between the deployment and the attestation/);
});

test('a key without the role, or that was revoked before, attests nothing; one revoked later has attested', async () => {
  const ward = await attested();
  const plain = await ward.enrol('host-2', other, ['engineer']);
  await ward.attest(plain, { key: other });
  await ward.attest(ward.keyLeaf);
  const revocation = { type: 'identity', subject: 'identity/host-1-tpm', action: 'revoke', id: 'host-1-tpm' } as const;
  await ward.log.add(admin, revocation);
  const at = ward.log.entries.length - 1;
  await ward.attest(ward.keyLeaf);
  const { claims } = await examined(ward);
  assert.equal(
    claims.map(({ verdict }) => verdict),
    ['failed', 'proved', 'failed'],
  );
  assert.match(claims[0].text, /does not have the role attestation/);
  assert.match(claims[2].text, new RegExp(`entry ${at} had revoked`));
});

test('without its evidence, or without the means, nothing is proved and nothing fails', async () => {
  const ward = await attested();
  await ward.attest(ward.keyLeaf);
  const { claims, good } = await examined(ward, { ...QUESTION, attachments: 'none' });
  assert.is(claims[0].verdict, 'not proved');
  assert.ok(good);
  const { claims: all } = await verifyPack(await ward.log.pack(QUESTION), { policy: packPolicy(), hasher: nodeHasher });
  const unexamined = all.find(({ name }) => name === 'attestation');
  assert.is(unexamined?.verdict, 'not proved');
  assert.match(unexamined?.text ?? '', /not examined here; "treering verify" does/);
});

test.run();
