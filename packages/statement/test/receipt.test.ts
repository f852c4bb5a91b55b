import { rootFromInclusion } from '@treering/merkle';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes } from '../../../test/vectors.js';
import {
  coseKeyThumbprint,
  createStatementSigner,
  issueReceipt,
  parseReceipt,
  ReceiptIssuer,
  StatementError,
  verifyReceipt,
} from '../src/index.js';
import { fromHex, toHex } from './cbor-values.js';
import { generateTestKey, sha256, slowSigner } from './ec-keys.js';
import { refuses } from './expect-error.js';

const signer = createStatementSigner(new Uint8Array(32).fill(9), nodeEd25519);
const CLAIMS = { iss: 'log.example', sub: 'model/credit-score' };
const OPTIONS = { ed25519: nodeEd25519 };
const HASH = new Uint8Array(32).fill(1);

/** Leaf hashes of the entries 'entry 0', 'entry 1', ... */
function leaves(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => sha256(Uint8Array.of(0), new TextEncoder().encode(`entry ${i}`)));
}

/** RFC 6962 section 2.1, naively: splits at the largest power of two below the size. */
function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 1) return hashes[0];
  const k = splitOf(hashes.length);
  return sha256(Uint8Array.of(1), rootOf(hashes.slice(0, k)), rootOf(hashes.slice(k)));
}

/** RFC 6962 section 2.1.1, naively. */
function pathOf(index: number, hashes: readonly Uint8Array[]): Uint8Array[] {
  if (hashes.length === 1) return [];
  const k = splitOf(hashes.length);
  return index < k
    ? [...pathOf(index, hashes.slice(0, k)), rootOf(hashes.slice(k))]
    : [...pathOf(index - k, hashes.slice(k)), rootOf(hashes.slice(0, k))];
}

function splitOf(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

/** A receipt for leaf `index` of a tree of `size`, by the log's Ed25519 key. */
function issue(index: number, size: number): Promise<Uint8Array> {
  const hashes = leaves(size);
  return issueReceipt(CLAIMS, { size, index, path: pathOf(index, hashes) }, rootOf(hashes), signer);
}

if (haveVectors) {
  test('the inclusion receipt of the COSE receipts draft leads to its root', () => {
    const receipt = parseReceipt(vectorBytes('cose-receipts-draft/inclusion-receipt.cbor'));
    assert.is(receipt.iss, 'https://transparency-service.example.com');
    assert.is(receipt.sub, undefined);
    assert.equal(receipt.kid, new TextEncoder().encode('test-key-1'));
    assert.is(receipt.proof.size, 5);
    assert.is(receipt.proof.index, 3);
    const leaf = fromHex('987ba8093cabe31046a77bbe9aa4b5f62675d943386c7fbbe249cbaca5da242d');
    const root = rootFromInclusion(receipt.proof.index, receipt.proof.size, leaf, receipt.proof.path);
    assert.is(toHex(root), '895731b5a570ea1967dd7804b5f43146175f9ac87d1565985de3ecf09c98589c');
    refuses(
      () => verifyReceipt(receipt, leaf, generateTestKey('P-256').key),
      'cose/bad-signature',
      'a key that did not sign it',
    );
  });
}

test('receipts of every leaf of small trees lead to the root that was signed', async () => {
  for (let size = 1; size <= 9; size++) {
    const hashes = leaves(size);
    for (let index = 0; index < size; index++) {
      const receipt = parseReceipt(await issue(index, size));
      assert.equal(receipt.proof, { size, index, path: pathOf(index, hashes) });
      assert.equal(verifyReceipt(receipt, hashes[index], signer.key, OPTIONS), rootOf(hashes));
      assert.equal([receipt.iss, receipt.sub], [CLAIMS.iss, CLAIMS.sub]);
      assert.equal(receipt.kid, coseKeyThumbprint(signer.key));
      const other = sha256(hashes[index]);
      refuses(
        () => verifyReceipt(receipt, other, signer.key, OPTIONS),
        'cose/bad-signature',
        `another leaf at ${index} of ${size}`,
      );
    }
  }
});

test('a receipt has the bytes that RFC 9942 gives it', async () => {
  const bytes = await issue(1, 2);
  const text = (s: string): string => (0x60 + s.length).toString(16) + Buffer.from(s).toString('hex');
  const header = `a4 0127 04 5820 ${toHex(coseKeyThumbprint(signer.key))} 0f a2 01 ${text(CLAIMS.iss)} 02 ${text(CLAIMS.sub)} 19018b 01`;
  const protectedBytes = fromHex(header);
  const proof = `83 02 01 81 5820 ${toHex(leaves(2)[0])}`;
  const expected = `d284 58${protectedBytes.length.toString(16)} ${header} a1 19018c a1 20 81 5826 ${proof} f6 5840`;
  assert.is(toHex(bytes.subarray(0, -64)), toHex(fromHex(expected)));
});

test('the receipt of a one-leaf tree has an empty path and is accepted', async () => {
  const [leaf] = leaves(1);
  const receipt = parseReceipt(await issue(0, 1));
  assert.equal(receipt.proof.path, []);
  assert.equal(verifyReceipt(receipt, leaf, signer.key, OPTIONS), leaf);
});

test('a log whose key is on a NIST curve issues receipts too', async () => {
  const hashes = leaves(6);
  for (const curve of ['P-256', 'P-384'] as const) {
    const key = generateTestKey(curve);
    const bytes = await issueReceipt(CLAIMS, { size: 6, index: 4, path: pathOf(4, hashes) }, rootOf(hashes), slowSigner(key));
    assert.equal(verifyReceipt(parseReceipt(bytes), hashes[4], key.key), rootOf(hashes));
    refuses(
      () => verifyReceipt(parseReceipt(bytes), hashes[4], generateTestKey(curve).key),
      'cose/bad-signature',
      `another ${curve} key`,
    );
    refuses(() => verifyReceipt(parseReceipt(bytes), hashes[4], signer.key), 'cose/unsupported', 'a key of another curve');
  }
});

test('every flipped bit is refused; only the tree size, which no receipt signs, may change without changing the root', async () => {
  const bytes = await issue(3, 5);
  const hashes = leaves(5);
  const root = rootOf(hashes);
  const sizeAt = toHex(bytes).indexOf('83050383') / 2 + 1;
  assert.is(bytes[sizeAt], 5);
  let sizes = 0;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    try {
      const receipt = parseReceipt(changed);
      const led = verifyReceipt(receipt, hashes[3], signer.key, OPTIONS);
      assert.is(bit >> 3, sizeAt, `bit ${bit} was accepted`);
      assert.equal(led, root);
      assert.equal([receipt.proof.size, receipt.proof.index], [7, 3]);
      sizes++;
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
    }
  }
  assert.is(sizes, 1, 'a tree of 7 has the same path to leaf 3');
});

test('a proof that does not fit its place in the tree is refused', async () => {
  const hashes = leaves(5);
  const path = pathOf(3, hashes);
  const root = rootOf(hashes);
  const cases: [string, number, number, Uint8Array[]][] = [
    ['an index beyond the size', 5, 5, path],
    ['an empty tree', 0, 0, []],
    ['a hash too few', 5, 3, path.slice(1)],
    ['a hash too many', 5, 3, [...path, HASH]],
    ['no hashes', 5, 3, []],
    ['a larger tree', 9, 3, path],
  ];
  for (const [what, size, index, hashesOfPath] of cases) {
    const receipt = parseReceipt(await issueReceipt(CLAIMS, { size, index, path: hashesOfPath }, root, signer));
    refuses(() => verifyReceipt(receipt, hashes[3], signer.key, OPTIONS), 'receipt/proof-failed', what);
  }
  const swapped = parseReceipt(
    await issueReceipt(CLAIMS, { size: 5, index: 3, path: [path[1], path[0], path[2]] }, root, signer),
  );
  refuses(() => verifyReceipt(swapped, hashes[3], signer.key, OPTIONS), 'cose/bad-signature', 'hashes in another order');
  const moved = parseReceipt(await issueReceipt(CLAIMS, { size: 5, index: 2, path }, root, signer));
  refuses(() => verifyReceipt(moved, hashes[3], signer.key, OPTIONS), 'cose/bad-signature', 'another index');
  refuses(
    () => verifyReceipt(moved, hashes[3].subarray(1), signer.key, OPTIONS),
    'receipt/proof-failed',
    'a leaf hash of 31 bytes',
  );
});

test('an issuer signs once for all entries of a subject under one root, and anew under another', async () => {
  let signatures = 0;
  const key = createStatementSigner(new Uint8Array(32).fill(9), nodeEd25519);
  const counting = {
    ...key,
    async sign(message: Uint8Array) {
      signatures++;
      return key.sign(message);
    },
  };
  const issuer = new ReceiptIssuer('log.example/a', counting);
  const roots = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const proof = (index: number) => ({ size: 9, index, path: [new Uint8Array(32).fill(index)] });
  const made = await Promise.all([
    issuer.issue('model/a', proof(1), roots[0]),
    issuer.issue('model/a', proof(2), roots[0]),
    issuer.issue('model/b', proof(3), roots[0]),
  ]);
  assert.is(signatures, 2);
  const later = await issuer.issue('model/a', proof(1), roots[1]);
  assert.is(signatures, 3);
  for (const [i, sub] of ['model/a', 'model/a', 'model/b'].entries()) {
    const alone = await issueReceipt({ iss: 'log.example/a', sub }, proof(i + 1), roots[0], key);
    assert.equal(made[i], alone, `receipt ${i}`);
    assert.is(parseReceipt(made[i]).proof.index, i + 1);
  }
  assert.is.not(Buffer.compare(later, made[0]), 0);
});

test('a signature that could not be made is tried again', async () => {
  let fails = true;
  const key = createStatementSigner(new Uint8Array(32).fill(9), nodeEd25519);
  const issuer = new ReceiptIssuer('log.example/a', {
    ...key,
    async sign(message: Uint8Array) {
      if (fails) throw new Error('the token is not there');
      return key.sign(message);
    },
  });
  const ask = (): Promise<Uint8Array> => issuer.issue('model/a', { size: 1, index: 0, path: [] }, new Uint8Array(32));
  let thrown: unknown;
  await ask().catch((error) => {
    thrown = error;
  });
  assert.match((thrown as Error).message, 'the token is not there');
  fails = false;
  assert.is(parseReceipt(await ask()).iss, 'log.example/a');
});

test.run();
