import { createHash } from 'node:crypto';
import { MerkleInputError, ProofError, verifyConsistency, verifyInclusion } from '@treering/merkle';
import type { Random } from '../random.js';
import { type Comparison, requireSame, unlessRefused, type Verdict } from './comparison.js';

// Verification of proofs as RFC 6962 defines them, by recursion over the two halves of a tree, for sizes up to 2^64 - 1. The product
// walks up from the leaf with shifts (RFC 9162).

function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest());
}

/** The largest power of two smaller than n. Requires n > 1. */
function split(n: bigint): bigint {
  let k = 1n;
  while (k * 2n < n) k *= 2n;
  return k;
}

/** Where the hashes of a proof come from, the last one first. */
type Hashes = Pick<Taken, 'last'>;

/** Takes hashes from the end of a proof, and remembers when there are none left. */
class Taken {
  readonly #hashes: Uint8Array[];
  missing = false;

  constructor(hashes: readonly Uint8Array[]) {
    this.#hashes = [...hashes];
  }

  last(): Uint8Array {
    const hash = this.#hashes.pop();
    this.missing ||= hash === undefined;
    return hash ?? new Uint8Array(32);
  }

  get allUsed(): boolean {
    return !this.missing && this.#hashes.length === 0;
  }
}

/** The root over PATH(m, D[n]) (RFC 6962 section 2.1.1). */
function rootOfPath(m: bigint, n: bigint, leaf: Uint8Array, proof: Hashes): Uint8Array {
  if (n === 1n) return leaf;
  const k = split(n);
  const sibling = proof.last();
  return m < k ? hashNode(rootOfPath(m, k, leaf, proof), sibling) : hashNode(sibling, rootOfPath(m - k, n - k, leaf, proof));
}

/** Both roots over SUBPROOF(m, D[n], b) (RFC 6962 section 2.1.2). */
function rootsOfProof(m: bigint, n: bigint, known: Uint8Array | undefined, proof: Hashes): readonly [Uint8Array, Uint8Array] {
  if (m === n) {
    const hash = known ?? proof.last();
    return [hash, hash];
  }
  const k = split(n);
  const sibling = proof.last();
  if (m <= k) {
    const [old, all] = rootsOfProof(m, k, known, proof);
    return [old, hashNode(all, sibling)];
  }
  const [old, all] = rootsOfProof(m - k, n - k, undefined, proof);
  return [hashNode(sibling, old), hashNode(sibling, all)];
}

interface Proved {
  /** The leaf's index, or the old size. */
  m: bigint;
  n: bigint;
  /** The leaf hash, or the old root. */
  start: Uint8Array;
  proof: Uint8Array[];
  root: Uint8Array;
}

const areHashes = ({ start, proof, root }: Proved): boolean => [start, root, ...proof].every((hash) => hash.length === 32);
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function includes(claim: Proved): boolean {
  if (claim.m >= claim.n || !areHashes(claim)) return false;
  const proof = new Taken(claim.proof);
  return same(rootOfPath(claim.m, claim.n, claim.start, proof), claim.root) && proof.allUsed;
}

function isConsistent(claim: Proved): boolean {
  if (claim.m === 0n || claim.m > claim.n || !areHashes(claim)) return false;
  const proof = new Taken(claim.proof);
  const [old, all] = rootsOfProof(claim.m, claim.n, claim.start, proof);
  return same(old, claim.start) && same(all, claim.root) && proof.allUsed;
}

/** A size: small, around a power of two, or anything up to 2^64 - 1. */
function sizeFrom(random: Random): bigint {
  const kind = random.below(3);
  if (kind === 0) return BigInt(1 + random.below(40));
  const any = BigInt(`0x${Buffer.from(random.bytes(8)).toString('hex')}`);
  const size = kind === 1 ? 2n ** BigInt(random.below(64)) + BigInt(random.below(5) - 2) : any >> BigInt(random.below(64));
  return size < 1n ? 1n : size;
}

/** A proof that holds, of made-up hashes. */
function honest(kind: 'inclusion' | 'consistency', random: Random): Proved {
  const n = sizeFrom(random);
  const any = sizeFrom(random) % n;
  const m = kind === 'inclusion' ? any : any + 1n;
  const start = random.bytes(32);
  const proof: Uint8Array[] = [];
  // As many hashes as are asked for.
  const made = {
    last(): Uint8Array {
      proof.unshift(random.bytes(32));
      return proof[0];
    },
  };
  if (kind === 'inclusion') return { m, n, start, proof, root: rootOfPath(m, n, start, made) };
  const [old, root] = rootsOfProof(m, n, start, made);
  return { m, n, start: old, proof, root };
}

function change(claim: Proved, random: Random): void {
  const { proof } = claim;
  const at = random.below(proof.length + 1);
  switch (random.below(9)) {
    case 0:
      claim.m = (claim.m + BigInt(random.pick([-1, 1]))) & (2n ** 64n - 1n);
      return;
    case 1:
      claim.n = (claim.n + BigInt(random.pick([-1, 1]))) & (2n ** 64n - 1n);
      return;
    case 2:
      claim.m = sizeFrom(random);
      return;
    case 3:
      proof.splice(at, 1);
      return;
    case 4:
      proof.splice(at, 0, random.pick([random.bytes(32), ...proof, claim.root, claim.start]));
      return;
    case 5:
      proof.reverse();
      return;
    case 6:
      claim[random.pick(['root', 'start'] as const)] = random.pick([
        random.bytes(32),
        claim.root,
        claim.start,
        new Uint8Array(0),
        random.bytes(31),
      ]);
      return;
    case 7:
      if (at < proof.length) proof[at] = random.pick([new Uint8Array(0), random.bytes(33), random.bytes(32)]);
      return;
    default:
      if (at < proof.length) proof[at] = proof[at].map((byte, i) => (i === 5 ? byte ^ 1 : byte));
  }
}

const REFUSED = [MerkleInputError, ProofError];

/** Inclusion and consistency proofs. */
export const proofComparison: Comparison = {
  name: 'differential-proofs',
  scenario: 'inclusion and consistency proofs of trees up to 2^64 - 1, and their naive recomputation',
  compare(random): Verdict {
    const kind = random.pick(['inclusion', 'consistency'] as const);
    const claim = honest(kind, random);
    for (let changes = random.below(3); changes > 0; changes--) change(claim, random);
    const { m, n, start, proof, root } = claim;
    const verify =
      kind === 'inclusion'
        ? () => verifyInclusion(m, n, start, proof, root)
        : () => verifyConsistency(m, n, start, root, proof);
    const holds =
      unlessRefused(() => {
        verify();
        return true;
      }, REFUSED) ?? false;
    const shown = [kind, m, n, ...[start, root, ...proof].map((hash) => Buffer.from(hash).toString('hex'))].join(' ');
    requireSame(holds, kind === 'inclusion' ? includes(claim) : isConsistent(claim), shown);
    return holds ? 'accepted' : 'refused';
  },
};
