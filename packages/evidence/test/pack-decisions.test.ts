import { portableHasher } from '@treering/merkle';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Claim,
  type Decision,
  type DecisionItem,
  decisionRoot,
  decodeDecision,
  EvidenceError,
  encodeDecision,
  findDecision,
  holds,
  type ProvedDecision,
  proveDecision,
  type Question,
  verifyPack,
} from '../src/index.js';
import { itemsOf, packOf } from './pack-items.js';
import { decisionItem, engineer, hospital, packPolicy, verified } from './pack-log.js';

const SINGLE: Question = { subjects: [], attachments: 'none' };
const ward = await hospital();
const salt = new Uint8Array(16).fill(7);

async function decided(item: DecisionItem, from = ward): Promise<{ claim: Claim; good: boolean }> {
  const { claims, required } = await verified(await from.log.pack(SINGLE, [item]));
  const claim = claims.find(({ name }) => name === 'decision') as Claim;
  return { claim, good: holds(claims, required) };
}

test('a single decision is proved to be made by what was in service, and no other is shown', async () => {
  const pack = await ward.log.pack(SINGLE, [decisionItem(ward, 4)]);
  const { claim, good } = await decided(decisionItem(ward, 4));
  assert.is(claim.verdict, 'proved', claim.text);
  assert.match(
    claim.text,
    /decision "case-4" of 2026-04-01T.*, "urgent", is one of those that entry 35, signed at 2026-04-01T\S+, says were made by model triage version "2.0" \(entry 29\) in configuration triage version "2" \(entry 32\), which entry 34 had put into service. That nothing/,
  );
  assert.ok(good);
  const text = Buffer.from(pack).toString('latin1');
  assert.match(text, /case-4/);
  assert.not.match(text, /case-[0-35-9]/);
});

test('the listener gets what was proved', async () => {
  const seen: ProvedDecision[] = [];
  const pack = await ward.log.pack(SINGLE, [decisionItem(ward, 1), decisionItem(ward, 4)]);
  await verifyPack(pack, { policy: packPolicy() }, { onDecision: (decision) => seen.push(decision) });
  assert.equal(
    seen.map(({ decision, deployment, model, config }) => [
      decision.id,
      deployment,
      model?.record.version,
      config?.record.parameters,
    ]),
    [
      ['case-1', 34, '2.0', { confidence: '0.65' }],
      ['case-4', 34, '2.0', { confidence: '0.65' }],
    ],
  );
});

test('another outcome, time, id, place or path is in no batch', async () => {
  const honest = decisionItem(ward, 4);
  const decision = ward.decisions[4];
  const as = (change: Partial<Decision>): DecisionItem => ({ ...honest, leaf: encodeDecision({ ...decision, ...change }) });
  const flipped = honest.hashes.map((hash, i) => (i === 1 ? hash.map((byte) => byte ^ 1) : hash));
  for (const item of [
    as({ outcome: 'not urgent' }),
    as({ at: decision.at + 1 }),
    as({ id: 'case-5' }),
    as({ salt }),
    { ...honest, position: 5 },
    { ...honest, hashes: flipped },
    { ...honest, hashes: honest.hashes.slice(1) },
  ]) {
    const { claim, good } = await decided(item);
    assert.is(claim.verdict, 'failed');
    assert.match(claim.text, /is not in the batch of entry 35/);
    assert.not(good);
  }
});

test('a decision of an entry that holds no batch is none', async () => {
  const items = await itemsOf(await ward.log.pack(SINGLE, [decisionItem(ward, 4)]));
  const moved = items.map((item) => (item.kind === 'decision' ? { ...item, index: 34 } : item));
  await rejects(verified(packOf(moved)), /entry 34 is no batch of decisions/);
});

test('what was not in service then decided nothing', async () => {
  for (const [change, why] of [
    [{ first_at: ward.decisions[5].at }, /not within the time of the batch/],
    [{ state: new Uint8Array(32) }, /of two different states/],
    [{ deployment: ward.leaves.active1 }, /of two different states/],
    [{ deployment: ward.leaves.model2 }, /deployment that the batch names is not in the file/],
  ] as const) {
    const other = await hospital();
    const honest = other.log.index.select(SINGLE, [other.batch]);
    assert.ok(honest.entries.includes(34));
    const { record } = other;
    const index = other.log.entries.length;
    await other.log.add(engineer, { ...record, ...change, subject: 'decisions/wrong' });
    other.log.head();
    const { claim, good } = await decided({ ...decisionItem(other, 4), index }, other);
    assert.is(claim.verdict, 'not proved', claim.text);
    assert.match(claim.text, why);
    assert.not(good);
  }
});

test('a decision after its deployment ended is not proved', async () => {
  const other = await hospital();
  const at = (other.log.now + 70) * 1000;
  await other.end();
  const decision: Decision = { id: 'late', at, salt };
  const batch = { ...other.record, root: decisionRoot([decision]), count: 1, first_at: at, last_at: at };
  const index = other.log.entries.length;
  await other.log.add(engineer, { ...batch, subject: 'decisions/late' });
  other.log.head();
  const item: DecisionItem = { kind: 'decision', index, position: 0, leaf: encodeDecision(decision), hashes: [] };
  const { claim, good } = await decided(item, other);
  assert.not(good);
  assert.is(claim.verdict, 'not proved', claim.text);
  assert.match(claim.text, /at that time entry \d+ had ended or replaced the deployment/);
});

test('no log knows of a decision before it was made, and one that is not proved is not covered by another', async () => {
  const other = await hospital();
  const at = (other.log.now + 86_400) * 1000;
  const decision: Decision = { id: 'to come', at, salt };
  const batch = { ...other.record, root: decisionRoot([decision]), count: 1, first_at: at, last_at: at };
  const index = other.log.entries.length;
  await other.log.add(engineer, { ...batch, subject: 'decisions/early' });
  other.log.head();
  const item: DecisionItem = { kind: 'decision', index, position: 0, leaf: encodeDecision(decision), hashes: [] };
  const { claims, required } = await verified(await other.log.pack(SINGLE, [decisionItem(other, 4), item]));
  const made = claims.filter(({ name }) => name === 'decision');
  assert.equal(
    made.map(({ verdict }) => verdict),
    ['proved', 'not proved'],
  );
  assert.match(made[1].text, /the batch was signed at .*, before the time of the decision/);
  assert.not(holds(claims, required));
});

test('what decided is looked at for its approvals, whatever else was asked', async () => {
  const { claims } = await verified(
    await ward.log.pack({ subjects: ['incident/other-1'], attachments: 'none' }, [decisionItem(ward, 4)]),
  );
  const approvals = claims.find(({ name }) => name === 'approvals');
  assert.is(approvals?.verdict, 'proved');
  assert.match((approvals?.details ?? []).join(), /entry 34, active: approved by reviewer/);
});

test('a text cannot end the sentence that it stands in', async () => {
  const other = await hospital();
  const at = other.decisions[4].at;
  const outcome = 'denied", is one of those of a model approved by nobody. "';
  const decision: Decision = { id: 'x', at, outcome, salt };
  const batch = { ...other.record, root: decisionRoot([decision]), count: 1, first_at: at, last_at: at };
  const index = other.log.entries.length;
  await other.log.add(engineer, { ...batch, subject: 'decisions/quotes' });
  other.log.head();
  const { claim } = await decided({ kind: 'decision', index, position: 0, leaf: encodeDecision(decision), hashes: [] }, other);
  assert.ok(claim.text.includes(JSON.stringify(outcome)));
});

test('decisions are read as they were written', () => {
  for (const decision of [
    { id: 'a', at: 0, salt },
    { id: 'x'.repeat(200), at: 1_767_225_600_000, outcome: 'denied', salt },
  ])
    assert.equal(decodeDecision(encodeDecision(decision)), decision);
});

test('what is no decision is refused', () => {
  const good = { id: 'a', at: 0, salt };
  for (const wrong of [
    { ...good, id: '' },
    { ...good, id: 'x'.repeat(201) },
    { ...good, at: -1 },
    { ...good, salt: salt.slice(1) },
    { ...good, outcome: '' },
    { ...good, at: '0' as unknown as number },
  ])
    assert.throws(() => encodeDecision(wrong), isEvidenceError);
  for (const bytes of [new Uint8Array(0), Uint8Array.of(0xa0), Uint8Array.of(0x01), encodeDecision(good).slice(1)])
    assert.throws(() => decodeDecision(bytes), isEvidenceError);
});

test('every decision of batches of all small sizes has its proof', () => {
  for (let size = 1; size <= 33; size++) {
    const decisions = Array.from({ length: size }, (_, i) => ({ id: `d${i}`, at: i, salt }));
    const root = decisionRoot(decisions);
    for (let position = 0; position < size; position++) {
      const hashes = proveDecision(decisions, position);
      const leaf = portableHasher.hashLeaf(encodeDecision(decisions[position]));
      assert.equal(rootOf(leaf, position, size, hashes), root, `${position} of ${size}`);
      assert.is(findDecision(decisions, `d${position}`), position);
    }
  }
  assert.throws(() => proveDecision([], 0), isEvidenceError);
  assert.is(findDecision([], 'a'), undefined);
  const twins = [
    { id: 'a', at: 0, salt },
    { id: 'a', at: 1, salt },
  ];
  assert.throws(() => findDecision(twins, 'a'), /two decisions of the id "a"/);
});

test.run();

/** The root that a path leads to, as RFC 9162 section 2.1.3.2 says it, in the words of the recursion of section 2.1.1. */
function rootOf(leaf: Uint8Array, index: number, size: number, hashes: readonly Uint8Array[]): Uint8Array {
  if (size === 1) return leaf;
  let split = 1;
  while (split * 2 < size) split *= 2;
  const last = hashes[hashes.length - 1];
  const rest = hashes.slice(0, -1);
  return index < split
    ? portableHasher.hashNode(rootOf(leaf, index, split, rest), last)
    : portableHasher.hashNode(last, rootOf(leaf, index - split, size - split, rest));
}

function isEvidenceError(error: unknown): boolean {
  return error instanceof EvidenceError;
}

async function rejects(work: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof EvidenceError, String(error));
  assert.match((error as Error).message, message);
}
