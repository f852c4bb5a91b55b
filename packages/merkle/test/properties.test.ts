import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  MerkleInputError,
  ProofError,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../src/index.js';
import { nodeHasher } from '../src/node/index.js';
import { ruleTree } from './memory-tiles.js';
import { consistencySteps, inclusionSteps, subtreesOf } from './reference.js';
import { isRefused, throwsA, verdictOf } from './refusal.js';

const LIMIT = 600;
const tree = ruleTree(LIMIT);
const OPTIONS = { seed: 42, numRuns: 700 };

/** A statement about a tree with its valid proof. `hashes` are the leaf and the roots, `numbers` the sizes and indices. */
interface Claim {
  readonly numbers: readonly number[];
  readonly hashes: readonly Uint8Array[];
  readonly proof: readonly Uint8Array[];
}

interface Kind {
  readonly name: string;
  readonly claims: fc.Arbitrary<Claim>;
  verify(claim: Claim): void;
  /** The steps by which a verifier uses the proof, or undefined when no tree has such numbers. */
  steps(numbers: readonly number[]): string[] | undefined;
}

const size = fc.integer({ min: 1, max: LIMIT });
const fraction = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const smallSubtrees = subtreesOf(96);
const width = (n: number): number => 2 ** Math.ceil(Math.log2(n));

const inclusion: Kind = {
  name: 'inclusion',
  claims: fc.tuple(size, fraction).map(([n, a]) => {
    const index = Math.floor(a * n);
    return { numbers: [index, n], hashes: [tree.leaves[index], tree.root(n)], proof: tree.path(index, 0, n) };
  }),
  verify: ({ numbers: [index, n], hashes: [leaf, root], proof }) => verifyInclusion(index, n, leaf, proof, root, nodeHasher),
  steps: ([index, n]) => (0 <= index && index < n ? inclusionSteps(index, n) : undefined),
};

const consistency: Kind = {
  name: 'consistency',
  claims: fc.tuple(size, fraction).map(([n, a]) => {
    const old = Math.floor(a * n) + 1;
    return { numbers: [old, n], hashes: [tree.root(old), tree.root(n)], proof: tree.consistency(old, n) };
  }),
  verify: ({ numbers: [old, n], hashes: [oldRoot, root], proof }) =>
    verifyConsistency(old, n, oldRoot, root, proof, nodeHasher),
  steps: ([old, n]) => (0 < old && old <= n ? consistencySteps(0, old, n) : undefined),
};

const subtreeConsistency: Kind = {
  name: 'subtree consistency',
  claims: fc.tuple(fc.constantFrom(...smallSubtrees), fraction).map(([[start, end], a]) => {
    const n = end + Math.floor(a * (LIMIT - end));
    const hashes = [tree.hash(start, end), tree.root(n)];
    return { numbers: [start, end, n], hashes, proof: tree.subtreeConsistency(start, end, n) };
  }),
  verify: ({ numbers: [start, end, n], hashes: [old, root], proof }) =>
    verifySubtreeConsistency(start, end, n, old, root, proof, nodeHasher),
  steps: ([start, end, n]) => {
    if (0 <= start && start === end && end <= n) return ['the empty subtree'];
    const valid = 0 <= start && start < end && end <= n && start % width(end - start) === 0;
    return valid ? consistencySteps(start, end, n) : undefined;
  },
};

const subtreeInclusion: Kind = {
  name: 'subtree inclusion',
  claims: fc.tuple(fc.constantFrom(...smallSubtrees), fraction).map(([[start, end], a]) => {
    const index = start + Math.floor(a * (end - start));
    const proof = tree.path(index - start, start, end);
    return { numbers: [index, start, end], hashes: [tree.leaves[index], tree.hash(start, end)], proof };
  }),
  verify: ({ numbers: [index, start, end], hashes: [leaf, hash], proof }) =>
    verifySubtreeInclusion(index, start, end, leaf, proof, hash, nodeHasher),
  steps: ([index, start, end]) =>
    0 <= start && start <= index && index < end && start % width(end - start) === 0
      ? inclusionSteps(index - start, end - start)
      : undefined,
};

const kinds = [inclusion, consistency, subtreeConsistency, subtreeInclusion];

/** `list` with `count` of its items from `at` on replaced. */
function spliced<T>(list: readonly T[], at: number, count: number, ...items: T[]): T[] {
  return [...list.slice(0, at), ...items, ...list.slice(at + count)];
}

function flipped(hash: Uint8Array, bit: number): Uint8Array {
  const copy = hash.slice();
  copy[bit >> 3] ^= 1 << (bit & 7);
  return copy;
}

/** Every way to change the order or the number of the hashes of a proof, chosen by two places. */
function rearranged(proof: readonly Uint8Array[], a: number, b: number): Record<string, Uint8Array[]> {
  const first = Math.floor(a * proof.length);
  const second = Math.floor(b * proof.length);
  const stranger = nodeHasher.hashLeaf(Uint8Array.of(first, second));
  const changes: Record<string, Uint8Array[]> = {
    'a strange hash in front': [stranger, ...proof],
    'a strange hash at the end': [...proof, stranger],
  };
  if (proof.length === 0) return changes;
  changes['a hash dropped'] = spliced(proof, first, 1);
  changes['a hash duplicated'] = spliced(proof, first, 0, proof[first]);
  changes['a hash replaced'] = spliced(proof, first, 1, stranger);
  changes.emptied = [];
  if (first !== second) {
    const swapped = [...proof];
    [swapped[first], swapped[second]] = [swapped[second], swapped[first]];
    changes['two hashes swapped'] = swapped;
    changes['one hash in the place of another'] = spliced(proof, first, 1, proof[second]);
  }
  return changes;
}

for (const kind of kinds) {
  test(`${kind.name}: a valid proof is accepted, one with a flipped bit in any hash is not`, () => {
    let flips = 0;
    fc.assert(
      fc.property(kind.claims, fraction, fc.integer({ min: 0, max: 255 }), (claim, a, bit) => {
        kind.verify(claim);
        claim.hashes.forEach((hash, i) => {
          const hashes = spliced(claim.hashes, i, 1, flipped(hash, bit));
          throwsA(ProofError, () => kind.verify({ ...claim, hashes }), `hash ${i}, bit ${bit}`);
        });
        if (claim.proof.length === 0) return;
        const at = Math.floor(a * claim.proof.length);
        const proof = spliced(claim.proof, at, 1, flipped(claim.proof[at], bit));
        throwsA(ProofError, () => kind.verify({ ...claim, proof }), `proof hash ${at}, bit ${bit}`);
        flips++;
      }),
      OPTIONS,
    );
    assert.ok(flips > OPTIONS.numRuns / 2, 'most claims have a proof to flip');
  });

  test(`${kind.name}: a proof with hashes dropped, added, duplicated or swapped is refused`, () => {
    fc.assert(
      fc.property(kind.claims, fraction, fraction, (claim, a, b) => {
        for (const [what, proof] of Object.entries(rearranged(claim.proof, a, b))) {
          throwsA(ProofError, () => kind.verify({ ...claim, proof }), `${claim.numbers.join('/')}: ${what}`);
        }
      }),
      OPTIONS,
    );
  });

  test(`${kind.name}: a hash of another length is bad input, wherever it stands`, () => {
    fc.assert(
      fc.property(kind.claims, fc.constantFrom(0, 12, 31, 33, 64), fraction, (claim, length, a) => {
        const wrong = new Uint8Array(length);
        claim.hashes.forEach((_, i) => {
          const hashes = spliced(claim.hashes, i, 1, wrong);
          throwsA(MerkleInputError, () => kind.verify({ ...claim, hashes }), `hash ${i} of ${length} bytes`);
        });
        if (claim.proof.length === 0) return;
        const proof = spliced(claim.proof, Math.floor(a * claim.proof.length), 1, wrong);
        throwsA(MerkleInputError, () => kind.verify({ ...claim, proof }), `proof hash of ${length} bytes`);
      }),
      { ...OPTIONS, numRuns: 300 },
    );
  });

  test(`${kind.name}: another index or size is refused, unless its proof is used in the very same steps`, () => {
    // A root does not commit to a size: leaf 0 of 3 and leaf 0 of 4 have proofs of the same shape. Nothing else may pass.
    let refused = 0;
    fc.assert(
      fc.property(kind.claims, fc.integer({ min: 0, max: 2 }), fc.integer({ min: -LIMIT, max: LIMIT }), (claim, which, by) => {
        const at = which % claim.numbers.length;
        const numbers = spliced(claim.numbers, at, 1, claim.numbers[at] + by);
        const steps = kind.steps(numbers);
        const same = steps !== undefined && String(steps) === String(kind.steps(claim.numbers));
        const verdict = verdictOf(() => kind.verify({ ...claim, numbers }));
        if (verdict !== 'accepted') refused++;
        assert.is(verdict === 'accepted', same, `${claim.numbers.join('/')} as ${numbers.join('/')}`);
        if (steps === undefined) assert.ok(verdict === MerkleInputError, `no tree has ${numbers.join('/')}`);
      }),
      { ...OPTIONS, numRuns: 2000 },
    );
    assert.ok(refused > 1500);
  });
}

test('an inclusion proof holds for no other leaf of the same tree', () => {
  for (let n = 1; n <= 48; n++) {
    for (let index = 0; index < n; index++) {
      for (let other = 0; other < n; other++) {
        const proof = tree.path(index, 0, n);
        const refused = isRefused(() => verifyInclusion(other, n, tree.leaves[index], proof, tree.root(n), nodeHasher));
        assert.is(refused, other !== index, `leaf ${index} as ${other} of ${n}`);
      }
    }
  }
});

test('a consistency proof holds for no other old size of the same tree', () => {
  for (let n = 1; n <= 48; n++) {
    for (let old = 1; old <= n; old++) {
      const proof = tree.consistency(old, n);
      for (let other = 1; other <= n; other++) {
        const refused = isRefused(() => verifyConsistency(other, n, tree.root(old), tree.root(n), proof, nodeHasher));
        assert.is(refused, other !== old, `${old} as ${other} to ${n}`);
      }
    }
  }
});

test.run();
