import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes, vectorJson } from '../../../test/vectors.js';
import {
  CompactRange,
  emptyRoot,
  proveConsistency,
  proveInclusion,
  rootFromInclusion,
  tileHashReader,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../src/index.js';
import { nodeHasher } from '../src/node/index.js';
import { flat, hex, ruleTree, tilesOf } from './memory-tiles.js';
import { isRefused } from './refusal.js';

type Base64List = readonly string[] | null;

const decode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const decodeAll = (texts: Base64List): Uint8Array[] => (texts ?? []).map(decode);
const encodeAll = (hashes: readonly Uint8Array[]): string[] => hashes.map((hash) => Buffer.from(hash).toString('base64'));

test('the empty tree has the SHA-256 of nothing, the tree of one empty entry that of a zero byte (RFC 6962)', () => {
  assert.is(hex(emptyRoot()), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.is(hex(new CompactRange().root()), hex(emptyRoot()));
  const range = new CompactRange();
  range.append(nodeHasher.hashLeaf(new Uint8Array(0)));
  assert.is(hex(range.root()), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
});

/** Runs every case and names those whose verdict is another than the vector demands. */
function checkVerdicts<T>(
  cases: readonly T[],
  name: (c: T) => string,
  wantsRefusal: (c: T) => boolean,
  verify: (c: T) => void,
) {
  const refusals = cases.filter(wantsRefusal).length;
  assert.ok(refusals > 0 && refusals < cases.length, 'the vectors hold cases to accept and cases to refuse');
  const wrong = cases.filter((c) => isRefused(() => verify(c)) !== wantsRefusal(c)).map(name);
  assert.equal(wrong, []);
}

interface UpstreamCase {
  readonly source: string;
  readonly wantErr: boolean;
  readonly proof: Base64List;
}

function upstream<T extends UpstreamCase>(file: string, count: number, verify: (c: T) => void): void {
  test(`transparency-dev/merkle ${file}`, () => {
    const cases = vectorJson(`transparency-dev-merkle/${file}.json`) as T[];
    assert.is(cases.length, count);
    // A happy path whose roots are 12 arbitrary bytes: its README lets a verifier of 32-byte hashes refuse it.
    const checked = cases.filter((c) => !c.source.endsWith('additional/sizes-are-equal-one-and-proof-is-empty.json'));
    checkVerdicts(
      checked,
      (c) => c.source,
      (c) => c.wantErr,
      verify,
    );
  });
}

if (haveVectors) {
  upstream<UpstreamCase & { leafIdx: number; treeSize: number; root: string; leafHash: string }>('inclusion', 55, (c) =>
    verifyInclusion(c.leafIdx, c.treeSize, decode(c.leafHash), decodeAll(c.proof), decode(c.root)),
  );
  upstream<UpstreamCase & { size1: number; size2: number; root1: string; root2: string }>('consistency', 50, (c) =>
    verifyConsistency(c.size1, c.size2, decode(c.root1), decode(c.root2), decodeAll(c.proof)),
  );
  upstream<UpstreamCase & { leafIdx: number; start: number; end: number; root: string; leafHash: string }>(
    'subtreeinclusion',
    114,
    (c) => verifySubtreeInclusion(c.leafIdx, c.start, c.end, decode(c.leafHash), decodeAll(c.proof), decode(c.root)),
  );
  upstream<UpstreamCase & { start: number; end: number; size: number; root1: string; root2: string }>(
    'subtreeconsistency',
    60,
    (c) => verifySubtreeConsistency(c.start, c.end, c.size, decode(c.root1), decode(c.root2), decodeAll(c.proof)),
  );

  test('the 8-leaf reference tree: every root and every node', () => {
    const { leafInputs, nodeHashes, rootsBySize } = vectorJson('rfc6962-reference-tree/tree8.json');
    const nodes: string[][] = [[], [], [], []];
    const range = new CompactRange();
    assert.is(hex(range.root()), rootsBySize[0]);
    leafInputs.forEach((input: string, i: number) => {
      const leaf = nodeHasher.hashLeaf(new Uint8Array(Buffer.from(input, 'hex')));
      range.append(leaf, (level, start, hash) => {
        nodes[level][start] = hex(hash);
      });
      assert.is(hex(range.root()), rootsBySize[i + 1]);
    });
    assert.equal(nodes, nodeHashes);
  });

  test('golang.org/x/mod tlog: the root of the example tree is the leaf hash of its data', () => {
    const { format_tree: example } = vectorJson('golang-mod-tlog/tlog.json');
    const range = new CompactRange();
    range.append(nodeHasher.hashLeaf(new TextEncoder().encode(example.leaf_data)));
    assert.equal(encodeAll([range.root()]), [example.root_b64]);
  });

  const LIMIT = 70_000;
  const tree = ruleTree(LIMIT);

  test('synthetic/merkle-real: roots are byte-identical', () => {
    const roots = Object.entries<string>(vectorJson('synthetic/merkle-real/tree.json').roots);
    assert.ok(roots.length > 130);
    const all = flat(tree.leaves);
    for (const [size, root] of roots) {
      const range = new CompactRange(nodeHasher);
      range.appendMany(all.subarray(0, Number(size) * 32));
      assert.equal(encodeAll([range.root()]), [root], `root of ${size}`);
    }
  });

  test('synthetic/merkle-real: proofs are byte-identical and verify', async () => {
    const { inclusion, consistency } = vectorJson('synthetic/merkle-real/tree.json');
    assert.is(inclusion.length + consistency.length, 80);
    const readTile = tilesOf(tree);
    for (const c of inclusion) {
      const [index, size] = [Number(c.leafIndex), Number(c.treeSize)];
      const proof = await proveInclusion(tileHashReader(size, readTile, nodeHasher), index, size, nodeHasher);
      assert.equal(encodeAll(proof), c.proof, c.name);
      assert.equal(encodeAll([tree.leaves[index]]), [c.leafHash], c.name);
      assert.is(c.verdict, 'accept');
      verifyInclusion(index, size, decode(c.leafHash), proof, decode(c.root));
    }
    for (const c of consistency) {
      const [old, size] = [Number(c.size1), Number(c.size2)];
      const proof = await proveConsistency(tileHashReader(size, readTile, nodeHasher), old, size, nodeHasher);
      assert.equal(encodeAll(proof), c.proof, c.name);
      assert.is(c.verdict, 'accept');
      verifyConsistency(old, size, decode(c.root1), decode(c.root2), proof);
    }
  });

  test('synthetic/merkle-huge: inclusion in trees beyond 2^31, 2^32 and 2^53', () => {
    interface HugeInclusion {
      name: string;
      leafIndex: string;
      treeSize: string;
      leafHash: string;
      root: string;
      proof: string[];
      verdict: string;
    }
    const cases = vectorJson('synthetic/merkle-huge/inclusion.json') as HugeInclusion[];
    checkVerdicts(
      cases,
      (c) => `${c.name} (${c.leafIndex} of ${c.treeSize})`,
      (c) => c.verdict === 'reject',
      (c) => verifyInclusion(BigInt(c.leafIndex), BigInt(c.treeSize), decode(c.leafHash), decodeAll(c.proof), decode(c.root)),
    );
  });

  test('synthetic/merkle-huge: consistency of trees beyond 2^31, 2^32 and 2^53', () => {
    interface HugeConsistency {
      name: string;
      size1: string;
      size2: string;
      root1: string;
      root2: string;
      proof: string[];
      verdict: string;
    }
    const cases = vectorJson('synthetic/merkle-huge/consistency.json') as HugeConsistency[];
    checkVerdicts(
      cases,
      (c) => `${c.name} (${c.size1} to ${c.size2})`,
      (c) => c.verdict === 'reject',
      (c) => verifyConsistency(BigInt(c.size1), BigInt(c.size2), decode(c.root1), decode(c.root2), decodeAll(c.proof)),
    );
  });

  test('Rekor: the inclusion proofs of real bundles', () => {
    interface RekorCase {
      source: string;
      leafIndex: string;
      treeSize: string;
      rootHash: string;
      hashes: string[];
      leaf_data_b64: string;
      computed: { inclusion_proof_verifies: boolean };
    }
    // The other facts of a case's verdict, checkpoint and signature, are not a matter of trees.
    checkVerdicts(
      vectorJson('rekor-real-proofs/proofs.json') as RekorCase[],
      (c) => c.source,
      (c) => !c.computed.inclusion_proof_verifies,
      (c) => {
        const leaf = nodeHasher.hashLeaf(decode(c.leaf_data_b64));
        verifyInclusion(BigInt(c.leafIndex), BigInt(c.treeSize), leaf, decodeAll(c.hashes), decode(c.rootHash));
      },
    );
  });

  test('COSE receipts draft: the inclusion receipt leads from leaf 3 to the published root of 5', () => {
    const receipt = Buffer.from(vectorBytes('cose-receipts-draft/inclusion-receipt.cbor')).toString('hex');
    // [size 5, leaf 3, [bstr .size 32, bstr .size 32, bstr .size 32]]
    const found = /83050383((?:5820[0-9a-f]{64}){3})/.exec(receipt);
    assert.ok(found);
    const proof = Array.from(
      { length: 3 },
      (_, i) => new Uint8Array(Buffer.from(found[1].slice(i * 68 + 4, i * 68 + 68), 'hex')),
    );
    const leaf = new Uint8Array(Buffer.from('987ba8093cabe31046a77bbe9aa4b5f62675d943386c7fbbe249cbaca5da242d', 'hex'));
    const root = '895731b5a570ea1967dd7804b5f43146175f9ac87d1565985de3ecf09c98589c';
    assert.is(hex(rootFromInclusion(3, 5, leaf, proof)), root);
  });
}

test.run();
