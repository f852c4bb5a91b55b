import { encodeUtf8, KEY_TYPE, parsePolicy } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { createStatementSigner } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EvidenceError, holds, type ProofTrust, parseTlogProof, REQUIRED_CLAIMS, verifyTlogProof } from '../src/index.js';
import { author, logSigner, makeProof, makeStatement, noteSigner, ORIGIN, policyWith, verdicts, witnesses } from './fixture.js';

const statement = await makeStatement();
const { entry } = statement;
const file = makeProof({ entry });

/** The report on a file; by default with the policy under which it holds. */
function report(bytes: Uint8Array, trust: Partial<ProofTrust> = {}) {
  const { claims, ...rest } = verifyTlogProof(bytes, { policy: policyWith('both'), ed25519: nodeEd25519, ...trust });
  return { ...rest, claims, verdicts: verdicts(claims), good: holds(claims, REQUIRED_CLAIMS) };
}

test('a good file: head, quorum and inclusion are proved, and the record is there to be read', () => {
  const { verdicts: v, good, index, head, record } = report(file);
  assert.ok(good);
  assert.equal(v, {
    'head-signed': 'proved',
    quorum: 'proved',
    included: 'proved',
    'statement-signed': 'not proved',
    'logged-completely': 'not proved',
  });
  assert.is(index, 5n);
  assert.is(head?.checkpoint.size, 11n);
  assert.is(record?.type, 'approval');
  assert.is(record?.subject, 'model/wink');
});

test('every place in trees of every size to 20 is proved', () => {
  for (let size = 1; size <= 20; size++)
    for (let index = 0; index < size; index++) assert.ok(report(makeProof({ entry, size, index })).good, `${index} of ${size}`);
});

test('the signature of the statement is proved only with a key of the reader', () => {
  assert.is(report(file, { signerKeys: [author.key] }).verdicts['statement-signed'], 'proved');
  assert.ok(report(file, { signerKeys: [author.key] }).good);
  const other = createStatementSigner(new Uint8Array(32).fill(99), nodeEd25519);
  assert.is(report(file, { signerKeys: [other.key] }).verdicts['statement-signed'], 'not proved');
  assert.is(report(file, { signerKeys: [other.key, author.key] }).verdicts['statement-signed'], 'proved');
});

test('a statement whose signature was broken before it was logged: included, and the failure is said', () => {
  const broken = new Uint8Array(entry);
  broken[broken.length - 1] ^= 1;
  const { verdicts: v, good } = report(makeProof({ entry: broken }), { signerKeys: [author.key] });
  assert.is(v.included, 'proved');
  assert.is(v['statement-signed'], 'failed');
  assert.not(good, 'a failed claim beside the required ones makes the file fail');
});

test('a statement changed after it was logged is not included, whoever holds which key', () => {
  for (let at = 0; at < entry.length; at++) {
    const tampered = new Uint8Array(entry);
    tampered[at] ^= 1;
    const { verdicts: v, good } = report(makeProof({ entry, extra: tampered }), { signerKeys: [author.key] });
    assert.is(v.included, 'failed', `byte ${at}`);
    assert.not(good);
  }
});

test('another key under the name of the log proves nothing', () => {
  const forged = noteSigner(ORIGIN, KEY_TYPE.ed25519, 66);
  const { verdicts: v, good } = report(makeProof({ entry, signer: forged }));
  assert.equal([v['head-signed'], v.quorum, v.included], ['failed', 'not proved', 'not proved']);
  assert.not(good);
});

test('a head of another origin proves nothing, even with the signature of a log that is trusted', () => {
  const { verdicts: v, good, claims } = report(makeProof({ entry, origin: 'other.test/log' }));
  assert.equal([v['head-signed'], v.quorum, v.included], ['failed', 'not proved', 'not proved']);
  assert.not(good);
  assert.match(claims.map(({ text }) => text).join(), 'other.test/log');
});

test('the key of one trusted log does not sign for another trusted log', () => {
  const second = noteSigner('second.test/log', KEY_TYPE.ed25519, 21);
  const policy = policyWith('both', [logSigner, second]);
  assert.not(report(makeProof({ entry, origin: ORIGIN, signer: second }), { policy }).good);
  assert.not(report(makeProof({ entry, origin: 'second.test/log', signer: logSigner }), { policy }).good);
});

test('any one of several logs suffices', () => {
  const logs = [7, 8, 9].map((n) => noteSigner(`log${n}.test/x`, KEY_TYPE.ed25519, n));
  const policy = policyWith('both', logs);
  for (const signer of logs) assert.ok(report(makeProof({ entry, origin: signer.key.name, signer }), { policy }).good);
  assert.not(report(file, { policy }).good, 'a log that is not among them does not');
});

test('any one of several keys of the same log suffices', () => {
  const young = noteSigner(ORIGIN, KEY_TYPE.ed25519, 31);
  const policy = policyWith('both', [logSigner, young]);
  assert.ok(report(file, { policy }).good);
  assert.ok(report(makeProof({ entry, signer: young }), { policy }).good);
});

test('an ML-DSA-44 key of the log suffices too', () => {
  const signer = noteSigner(ORIGIN, KEY_TYPE.mldsa44Cosignature, 32);
  assert.ok(report(makeProof({ entry, signer }), { policy: policyWith('both', [signer]) }).good);
});

test('cosigners that do not suffice: failed, with the names of those who are missing', () => {
  const { verdicts: v, good, claims } = report(makeProof({ entry, cosigners: [witnesses[0]] }));
  assert.is(v.quorum, 'failed');
  assert.is(v.included, 'proved', 'inclusion is arithmetic and holds all the same');
  assert.not(good);
  assert.match(claims.find(({ name }) => name === 'quorum')?.text ?? '', /not cosigned by: w2\.test/);
});

test('the same witness twice is one witness', () => {
  assert.is(report(makeProof({ entry, cosigners: [witnesses[0], witnesses[0]] })).verdicts.quorum, 'failed');
});

test('a stranger under the name of a witness does not count', () => {
  const stranger = noteSigner('w2.test', KEY_TYPE.ed25519Cosignature, 77);
  const { verdicts: v, good } = report(makeProof({ entry, cosigners: [witnesses[0], stranger] }));
  assert.is(v.quorum, 'failed');
  assert.not(good);
});

test('who cosigned and when is told in a sentence', () => {
  const { claims } = report(makeProof({ entry, time: 1_767_225_700n }));
  const text = claims.find(({ name }) => name === 'quorum')?.text ?? '';
  assert.match(text, /w1\.test, w2\.test/);
  assert.match(text, '2026-01-01T00:01:40Z');
});

test('a witness that signs an impossible time gets a verdict, not an exception', () => {
  const { claims } = report(makeProof({ entry, time: 2n ** 62n }));
  assert.ok(claims.some(({ name }) => name === 'quorum'));
});

test('without a quorum the log alone vouches, and the report says so', () => {
  const policy = policyWith('none');
  const { good, claims } = report(makeProof({ entry, cosigners: [] }), { policy });
  assert.ok(good);
  assert.match(claims.find(({ name }) => name === 'quorum')?.text ?? '', /log alone/);
});

test('a policy without logs proves nothing', () => {
  const policy = parsePolicy('quorum none\n');
  assert.is(report(file, { policy }).verdicts['head-signed'], 'failed');
  assert.not(report(file, { policy }).good);
});

test('a file without the entry holds only with the entry of the reader', () => {
  const bare = makeProof({ entry, extra: null });
  const { verdicts: v, good, record } = report(bare);
  assert.is(v.included, 'not proved');
  assert.not(good);
  assert.is(record, undefined);
  assert.ok(report(bare, { entry }).good);
  assert.is(report(bare, { entry: encodeUtf8('something else') }).verdicts.included, 'failed');
});

test("the reader's entry goes before the one in the file", () => {
  const { verdicts: v, good } = report(file, { entry: encodeUtf8('something else') });
  assert.is(v.included, 'failed');
  assert.not(good);
});

test('an entry that is no record is included all the same, and nothing is said about who signed it', async () => {
  const stranger = encodeUtf8('leaf of another log');
  const plain = report(makeProof({ entry: stranger }));
  assert.ok(plain.good);
  assert.is(plain.verdicts.statement, 'not proved');
  assert.is(plain.statement, undefined);
  const unknown = report(makeProof({ entry: (await makeStatement(encodeUtf8('no record'))).entry }), {
    signerKeys: [author.key],
  });
  assert.ok(unknown.good);
  assert.is(unknown.record, undefined);
});

test('an index beyond the tree is a failed claim', () => {
  const text = new TextDecoder().decode(file);
  for (const index of ['11', '12', '18446744073709551615']) {
    const { verdicts: v, good } = report(encodeUtf8(text.replace('\nindex 5\n', `\nindex ${index}\n`)));
    assert.is(v.included, 'failed', index);
    assert.not(good);
  }
});

test('a missing, doubled or exchanged hash is a failed claim', () => {
  const lines = new TextDecoder().decode(file).split('\n');
  const [first, second] = [3, 4];
  assert.is(parseTlogProof(file).hashes.length, 4);
  const without = lines.filter((_, i) => i !== first);
  const doubled = lines.flatMap((line, i) => (i === first ? [line, line] : [line]));
  const exchanged = lines.map((line, i) => (i === first ? lines[second] : i === second ? lines[first] : line));
  for (const changed of [without, doubled, exchanged]) {
    const { verdicts: v, good } = report(encodeUtf8(changed.join('\n')));
    assert.is(v.included, 'failed');
    assert.not(good);
  }
});

test('no file and no trust proves that everything was logged', () => {
  assert.is(report(file, { signerKeys: [author.key] }).verdicts['logged-completely'], 'not proved');
});

test('what cannot be read is an EvidenceError with a code', () => {
  let thrown: unknown;
  try {
    report(encodeUtf8('hello'));
  } catch (error) {
    thrown = error;
  }
  assert.instance(thrown, EvidenceError);
  assert.is((thrown as EvidenceError).code, 'evidence/malformed');
});

test('holds: every required claim is proved and none fails', () => {
  const claim = (name: string, verdict: 'proved' | 'failed' | 'not proved') => ({ name, verdict, text: '' });
  assert.ok(holds([claim('a', 'proved'), claim('b', 'not proved')], ['a']));
  assert.not(holds([claim('a', 'proved')], ['a', 'b']));
  assert.not(holds([claim('a', 'not proved')], ['a']));
  assert.not(holds([claim('a', 'proved'), claim('b', 'failed')], ['a']));
  assert.not(holds([], ['a']));
});

test.run();
