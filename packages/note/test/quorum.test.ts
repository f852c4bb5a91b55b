import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  evaluateQuorum,
  formatNote,
  formatVerifierKey,
  KEY_TYPE,
  NoteError,
  openCheckpoint,
  parseNote,
  parsePolicy,
  requireQuorum,
  type TrustPolicy,
  type VerifiedSignature,
} from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';
import { checkpointText, codeOf, ORIGIN, seed, signedBy, signer } from './fixtures.js';

const log = signer(ORIGIN);
const witness = (n: number) => signer(`w${n}.example`, KEY_TYPE.ed25519Cosignature);
const line = (n: number): string => `witness w${n} ${formatVerifierKey(witness(n).key)}\n`;
const SIX = [1, 2, 3, 4, 5, 6].map(line).join('');

/** The policy with these rules over the witnesses w1 to w6 and the log. */
function policyOf(rules: string): TrustPolicy {
  return parsePolicy(`log ${formatVerifierKey(log.key)}\n${SIX}${rules}\n`);
}

/** The cosignatures on a head that the log and the witnesses of these numbers signed, as opened by the policy's owner. */
function cosignedBy(policy: TrustPolicy, ...numbers: readonly number[]): readonly VerifiedSignature[] {
  const bytes = signedBy([log, ...numbers.map(witness)]);
  const trust = { origin: ORIGIN, logKeys: [log.key], witnessKeys: policy.witnesses.map((w) => w.key) };
  return openCheckpoint(bytes, trust, nodeEd25519).cosignatures;
}

function met(policy: TrustPolicy, ...numbers: readonly number[]): boolean {
  return evaluateQuorum(policy, cosignedBy(policy, ...numbers)).met;
}

test('quorum none is met by nobody; a single witness by that one alone', () => {
  assert.is(met(policyOf('quorum none')), true);
  const single = policyOf('quorum w2');
  assert.is(met(single), false);
  assert.is(met(single, 1, 3), false);
  assert.is(met(single, 2), true);
});

test('any, all and every k of n, over every set of witnesses', () => {
  for (const [rule, k] of [
    ['any', 1],
    ['1', 1],
    ['2', 2],
    ['3', 3],
    ['4', 4],
    ['all', 4],
  ] as const) {
    const policy = policyOf(`group g ${rule} w1 w2 w3 w4\nquorum g`);
    for (let set = 0; set < 32; set++) {
      const numbers = [1, 2, 3, 4, 5].filter((n) => set & (1 << (n - 1)));
      const counted = numbers.filter((n) => n <= 4).length;
      assert.is(met(policy, ...numbers), counted >= k, `${rule} with ${numbers}`);
    }
  }
});

test('nested groups: 2 of three, and one of two, and one above', () => {
  const policy = policyOf('group x 2 w1 w2 w3\ngroup y any w4 w5\ngroup both all x y\ngroup top any both w6\nquorum top');
  for (let set = 0; set < 64; set++) {
    const has = (n: number): boolean => (set & (1 << (n - 1))) !== 0;
    const x = [1, 2, 3].filter(has).length >= 2;
    const numbers = [1, 2, 3, 4, 5, 6].filter(has);
    assert.is(met(policy, ...numbers), (x && (has(4) || has(5))) || has(6), `${numbers}`);
  }
});

test('the answer names the witnesses that count, each once, in the order of the policy', () => {
  const policy = policyOf('group g 2 w1 w2 w3\nquorum g');
  assert.equal(requireQuorum(policy, cosignedBy(policy, 3, 5, 1)), { met: true, witnesses: ['w1', 'w3', 'w5'] });
});

test('one witness counts once, with however many lines', () => {
  const policy = policyOf('group g 2 w1 w2\nquorum g');
  const signatures = [log.sign(checkpointText), ...[1n, 2n, 3n].map((time) => witness(1).sign(checkpointText, time))];
  const trust = { origin: ORIGIN, logKeys: [log.key], witnessKeys: policy.witnesses.map((w) => w.key) };
  const opened = openCheckpoint(formatNote({ text: checkpointText, signatures }), trust, nodeEd25519);
  assert.is(opened.cosignatures.length, 3);
  assert.equal(evaluateQuorum(policy, opened.cosignatures), { met: false, witnesses: ['w1'] });
});

test('the log counts as no witness, neither as plain key nor as a cosigner of its own head', () => {
  const cosigningLog = signer(ORIGIN, KEY_TYPE.ed25519Cosignature);
  const policy = policyOf('quorum w1');
  const trust = { origin: ORIGIN, logKeys: [log.key, cosigningLog.key], witnessKeys: policy.witnesses.map((w) => w.key) };
  const opened = openCheckpoint(signedBy([log, cosigningLog]), trust, nodeEd25519);
  assert.is(opened.logSignatures.length, 2);
  assert.equal(opened.cosignatures, []);
  assert.is(evaluateQuorum(policy, opened.note.verified).met, false);
});

test("a key that is both the log's and a witness's counts for the log", () => {
  const both = signer(ORIGIN, KEY_TYPE.ed25519Cosignature);
  const copy = { ...both.key, publicKey: both.key.publicKey.slice() };
  const opened = openCheckpoint(signedBy([both]), { origin: ORIGIN, logKeys: [both.key], witnessKeys: [copy] }, nodeEd25519);
  assert.is(opened.logSignatures.length, 1);
  assert.equal(opened.cosignatures, []);
});

test('witnesses alone do not open a checkpoint that the log has not signed', () => {
  const bytes = signedBy([witness(1), witness(2)]);
  const trust = { origin: ORIGIN, logKeys: [log.key], witnessKeys: [witness(1).key, witness(2).key] };
  assert.is(
    codeOf(() => openCheckpoint(bytes, trust, nodeEd25519)),
    'note/no-known-signature',
  );
});

test('a witness that the policy does not name counts for nothing', () => {
  const policy = policyOf('group g any w1 w2\nquorum g');
  const stranger = signer('w1.example', KEY_TYPE.mldsa44Cosignature);
  const trust = { origin: ORIGIN, logKeys: [log.key], witnessKeys: [stranger.key] };
  const opened = openCheckpoint(signedBy([log, stranger]), trust, nodeEd25519);
  assert.is(opened.cosignatures.length, 1);
  assert.equal(evaluateQuorum(policy, opened.cosignatures), { met: false, witnesses: [] });
});

test('another key with the name and the short id of a witness is not that witness', () => {
  // Ids are 32 bits, so a collision costs an attacker minutes; here it is written down by hand.
  const policy = policyOf('quorum w1');
  const other = signer('w1.example', KEY_TYPE.ed25519Cosignature);
  const collided = { ...other.key, publicKey: nodeEd25519.publicKey(seed('attacker')) };
  const cosignature = { name: other.key.name, id: other.key.id, signature: new Uint8Array(72), key: collided, timestamp: 1n };
  assert.equal(evaluateQuorum(policy, [cosignature]), { met: false, witnesses: [] });
});

test('a quorum of both cosignature types is met by both', () => {
  const pq = signer('pq.example', KEY_TYPE.mldsa44Cosignature);
  const policy = parsePolicy(`${line(1)}witness pq ${formatVerifierKey(pq.key)}\ngroup g all w1 pq\nquorum g\n`);
  const trust = { origin: ORIGIN, logKeys: [log.key], witnessKeys: policy.witnesses.map((w) => w.key) };
  const opened = openCheckpoint(signedBy([log, pq, witness(1)]), trust, nodeEd25519);
  assert.equal(requireQuorum(policy, opened.cosignatures).witnesses, ['w1', 'pq']);
  assert.is(parseNote(signedBy([log, pq])).signatures.length, 2);
});

test('a quorum that is not met is an error that names who is missing', () => {
  const policy = policyOf('group g all w1 w2 w3\nquorum g');
  try {
    requireQuorum(policy, cosignedBy(policy, 2));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, NoteError);
    assert.is((error as NoteError).code, 'note/quorum-not-met');
    assert.match((error as NoteError).message, /w1, w3/);
    assert.not.match((error as NoteError).message, /w2/);
  }
});

test.run();
