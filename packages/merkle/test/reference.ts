import { createHash } from 'node:crypto';

/**
 * How one hash of a proof enters the verifier's computation, in the order in which the verifier consumes the proof.
 * `known`: the verifier starts from the hash it already has. `seed`: it starts from the proof's first hash.
 * `right`: a sibling on the right. `left`: a sibling on the left. `both`: on the left, for the old tree and the new one.
 */
export type Step = 'known' | 'seed' | 'right' | 'left' | 'both';

function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** RFC 6962 section 2.1: "the largest power of two smaller than n". */
function split(n: number): number {
  return n > 1 ? 2 ** Math.ceil(Math.log2(n) - 1) : 0;
}

/** The leaf hash of RFC 6962 section 2.1: SHA-256(0x00 || d). */
export function referenceLeaf(entry: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0), entry);
}

/**
 * The tree of RFC 6962 section 2.1, recursive and naive, as its text defines it: D[a:b] are the inputs from a (included) to
 * b (excluded). Slow and obvious; it shares no code with what it checks.
 */
export class ReferenceTree {
  readonly leaves: readonly Uint8Array[];
  readonly #known = new Map<string, Uint8Array>();

  constructor(leafHashes: readonly Uint8Array[]) {
    this.leaves = leafHashes;
  }

  /** MTH(D[start:end]), section 2.1. */
  hash(start: number, end: number): Uint8Array {
    const n = end - start;
    if (n === 0) return sha256();
    if (n === 1) return this.leaves[start];
    const key = `${start}:${end}`;
    let hash = this.#known.get(key);
    if (hash === undefined) {
      const k = split(n);
      hash = sha256(Uint8Array.of(1), this.hash(start, start + k), this.hash(start + k, end));
      this.#known.set(key, hash);
    }
    return hash;
  }

  /** MTH(D[0:size]). */
  root(size: number): Uint8Array {
    return this.hash(0, size);
  }

  /** The complete node `index` of `level`. */
  node(level: number, index: number): Uint8Array {
    return this.hash(index * 2 ** level, (index + 1) * 2 ** level);
  }

  /** PATH(m, D[start:end]), section 2.1.1. */
  path(m: number, start: number, end: number): Uint8Array[] {
    const n = end - start;
    if (n === 1) return [];
    const k = split(n);
    if (m < k) return [...this.path(m, start, start + k), this.hash(start + k, end)];
    return [...this.path(m - k, start + k, end), this.hash(start, start + k)];
  }

  /** PROOF(m, D[0:n]), section 2.1.2. Requires 0 < m <= n. */
  consistency(m: number, n: number): Uint8Array[] {
    return this.#subproof(m, 0, n, true);
  }

  #subproof(m: number, start: number, end: number, known: boolean): Uint8Array[] {
    const n = end - start;
    if (m === n) return known ? [] : [this.hash(start, end)];
    const k = split(n);
    if (m <= k) return [...this.#subproof(m, start, start + k, known), this.hash(start + k, end)];
    return [...this.#subproof(m - k, start + k, end, false), this.hash(start, start + k)];
  }

  /** SUBTREE_PROOF(start, end, D[0:n]) of draft-ietf-plants-merkle-tree-certs section 4.4. */
  subtreeConsistency(start: number, end: number, n: number): Uint8Array[] {
    return this.#subtreeSubproof(start, end, 0, n, true);
  }

  /** `start` and `end` count from `from`, the first leaf of the list D[from:to]. */
  #subtreeSubproof(start: number, end: number, from: number, to: number, known: boolean): Uint8Array[] {
    const n = to - from;
    if (start === 0 && end === n) return known ? [] : [this.hash(from, to)];
    const k = split(n);
    const middle = from + k;
    if (end <= k) return [...this.#subtreeSubproof(start, end, from, middle, known), this.hash(middle, to)];
    const left = this.hash(from, middle);
    if (k <= start) return [...this.#subtreeSubproof(start - k, end - k, middle, to, known), left];
    return [...this.#subtreeSubproof(0, end - k, middle, to, false), left];
  }
}

/** The steps of an inclusion proof: two places in two trees have the same proofs exactly when their steps are the same. */
export function inclusionSteps(m: number, n: number): Step[] {
  if (n === 1) return ['known'];
  const k = split(n);
  return m < k ? [...inclusionSteps(m, k), 'right'] : [...inclusionSteps(m - k, n - k), 'left'];
}

/** The steps of a (subtree) consistency proof, as `inclusionSteps`. */
export function consistencySteps(start: number, end: number, n: number, known = true): Step[] {
  if (start === 0 && end === n) return known ? ['known'] : ['seed'];
  const k = split(n);
  if (end <= k) return [...consistencySteps(start, end, k, known), 'right'];
  if (k <= start) return [...consistencySteps(start - k, end - k, n - k, known), 'left'];
  return [...consistencySteps(0, end - k, n - k, false), 'both'];
}

/** All subtrees [start, end) of a tree of `size` leaves, by their definition: start is a multiple of BIT_CEIL(end - start). */
export function subtreesOf(size: number): [start: number, end: number][] {
  const found: [number, number][] = [];
  for (let start = 0; start < size; start++) {
    for (let end = start + 1; end <= size; end++) {
      const ceiling = 2 ** Math.ceil(Math.log2(end - start));
      if (start % ceiling === 0) found.push([start, end]);
    }
  }
  return found;
}
