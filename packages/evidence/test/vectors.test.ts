import { createPublicKey } from 'node:crypto';
import { verifyInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import {
  createVerifierKey,
  decodeBase64,
  encodeUtf8,
  KEY_TYPE,
  openCheckpoint,
  parsePolicy,
  type VerifierKey,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../../../test/vectors.js';
import {
  EvidenceError,
  formatTlogProof,
  holds,
  type ProofTrust,
  parseTlogProof,
  REQUIRED_CLAIMS,
  verifyTlogProof,
} from '../src/index.js';

/** The file of the specification's own example, as a text with an index and two hashes. */
test('the layout of the specification is read', () => {
  const hash = 'A'.repeat(43);
  const text = `c2sp.org/tlog-proof@v1\nindex 1\n${hash}=\n${hash}=\n\nexample.com/log\n3\n${hash}=\n\n\u2014 example.com/log AAAAAAA=\n`;
  const proof = parseTlogProof(encodeUtf8(text));
  assert.is(proof.index, 1n);
  assert.is(proof.hashes.length, 2);
  assert.is(proof.extra, undefined);
  assert.is(new TextDecoder().decode(proof.checkpoint).split('\n')[0], 'example.com/log');
});

/** Whether a file holds; a file that cannot be read does not. */
function accepts(bytes: Uint8Array, trust: ProofTrust): boolean {
  try {
    return holds(verifyTlogProof(bytes, trust).claims, REQUIRED_CLAIMS);
  } catch (error) {
    if (error instanceof EvidenceError) return false;
    throw error;
  }
}

interface RekorCase {
  readonly source: string;
  readonly leafIndex: string;
  readonly treeSize: string;
  readonly rootHash: string;
  readonly hashes: readonly string[];
  readonly leaf_data_b64: string;
  readonly checkpoint: string;
  readonly log_spki_b64?: string;
  readonly verdict: 'accept' | 'reject';
}

/** A DER public key as verifier key. */
function keyOfSpki(name: string, spki: Buffer): VerifierKey {
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  if (key.asymmetricKeyType === 'ec') return createVerifierKey(name, KEY_TYPE.ecdsa, new Uint8Array(spki));
  const { x } = key.export({ format: 'jwk' });
  return createVerifierKey(name, KEY_TYPE.ed25519, new Uint8Array(Buffer.from(x as string, 'base64url')));
}

if (haveVectors) {
  const synthetic = vectorJson('synthetic/tlog-proof/proofs.json');
  const facts = vectorJson('formats-facts/facts.json').tlog_proof;
  const rekor: RekorCase[] = vectorJson('rekor-real-proofs/proofs.json');

  const policy = parsePolicy(
    [
      `log ${synthetic.log_vkey}`,
      ...synthetic.witness_vkeys.map((vkey: string, i: number) => `witness w${i} ${vkey}`),
      'group all-of-them 2 w0 w1',
      'quorum all-of-them',
      '',
    ].join('\n'),
  );

  test('synthetic: the quorum of the vectors is the one that is built here', () => {
    assert.is(synthetic.quorum, '2 of 2');
    assert.is(policy.witnesses.length, 2);
    assert.is(synthetic.cases.length, 7);
  });

  for (const { name, leaf_b64, proof, verdict } of synthetic.cases) {
    test(`synthetic: ${name} is ${verdict}ed`, () => {
      const entry = decodeBase64(leaf_b64);
      assert.is(accepts(encodeUtf8(proof), { policy, entry }), verdict === 'accept');
      assert.is(accepts(encodeUtf8(proof), { policy, entry, hasher: nodeHasher, ed25519: nodeEd25519 }), verdict === 'accept');
      assert.not(accepts(encodeUtf8(proof), { policy, entry: Uint8Array.of(...entry, 0) }), 'another entry');
    });
  }

  for (const { name, proof, verdict } of facts) {
    test(`formats-facts: ${name} is ${verdict}ed`, () => {
      let refused = false;
      try {
        parseTlogProof(encodeUtf8(proof));
      } catch (error) {
        assert.instance(error, EvidenceError);
        refused = true;
      }
      assert.is(refused, verdict === 'reject');
    });
  }

  rekor.forEach((item, i) => {
    const name = /^\u2014 (\S+) /m.exec(item.checkpoint)?.[1] as string;
    const entry = decodeBase64(item.leaf_data_b64);
    const bytes = formatTlogProof({
      extra: undefined,
      index: BigInt(item.leafIndex),
      hashes: item.hashes.map(decodeBase64),
      checkpoint: encodeUtf8(item.checkpoint),
    });
    const key = item.log_spki_b64 ? keyOfSpki(name, Buffer.from(item.log_spki_b64, 'base64')) : undefined;
    const trust: ProofTrust = {
      policy: { logs: key === undefined ? [] : [{ key }], witnesses: [], groups: [], quorum: 'none' },
      entry,
      hasher: nodeHasher,
      ed25519: nodeEd25519,
    };
    const [origin] = item.checkpoint.split('\n');

    if (origin === name || item.verdict === 'reject') {
      test(`rekor-real-proofs ${i}: as a proof file it is ${item.verdict}ed`, () => {
        assert.is(accepts(bytes, trust), item.verdict === 'accept');
        assert.not(accepts(bytes, { ...trust, entry: Uint8Array.of(...entry, 0) }), 'another entry');
      });
      return;
    }

    // A Rekor v1 head names its tree behind the key's name, and C2SP tlog-policy knows a log by its key's name alone.
    test.skip(`rekor-real-proofs ${i}: as a proof file, because its origin "${origin}" is not the name of its key`, () =>
      undefined);

    test(`rekor-real-proofs ${i}: the parts of a Rekor v1 proof hold, and as a proof file it fails closed`, () => {
      const { index, hashes, checkpoint } = parseTlogProof(bytes);
      assert.ok(key);
      const head = openCheckpoint(checkpoint, { origin, logKeys: [key as VerifierKey] }, nodeEd25519).checkpoint;
      assert.is(head.size, BigInt(item.treeSize));
      assert.equal(head.root, decodeBase64(item.rootHash));
      verifyInclusion(index, head.size, nodeHasher.hashLeaf(entry), hashes, head.root, nodeHasher);
      assert.not(accepts(bytes, trust));
    });
  });
}

test.run();
