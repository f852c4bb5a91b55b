import {
  admit,
  authenticate,
  type Candidate,
  createCandidate,
  GovernanceError,
  GovernanceState,
  type Means,
} from '@treering/governance';
import { type CompactRange, equalBytes, HASH_SIZE, type Hasher, restoreRange } from '@treering/merkle';
import { storedTree } from '@treering/sequencer';
import { parseStatement } from '@treering/statement';
import type { Storage } from '@treering/storage';
import type { Snapshot } from './snapshot.js';

/** Entries that are read at once. */
const CHUNK = 256;

/** Where a replay begins and what it tells on its way. */
export interface ReplayOptions {
  readonly storage: Storage;
  readonly hasher: Hasher;
  readonly means: Means;
  readonly snapshot?: Snapshot | undefined;
  /** Called with each entry that was admitted. */
  readonly onEntry?: (index: number, candidate: Candidate) => void;
}

/** What a replay came to. */
export interface Replayed {
  readonly state: GovernanceState;
  /** Entries that the snapshot covers which it began with; 0 without one. */
  readonly start: number;
}

/**
 * Replays the first `size` entries of the store: each is hashed, its signatures are checked and its admission is decided again,
 * and in the end the leaves must hash to the signed root. The log is held to its own rules before it takes anything new.
 * @throws GovernanceError when an entry would not be admitted, or the entries are not those of the head
 */
export async function replay(size: number, root: Uint8Array | undefined, options: ReplayOptions): Promise<Replayed> {
  const { storage, hasher, means } = options;
  const { start, range, state } = await beginning(size, options);
  for (let at = start; at < size; at += CHUNK) {
    const end = Math.min(at + CHUNK, size);
    const entries = await storage.entries(at, end);
    const leaves = new Uint8Array(entries.length * HASH_SIZE);
    hasher.hashLeaves(entries, leaves);
    range.appendMany(leaves);
    const checks: Promise<void>[] = [];
    for (const [i, bytes] of entries.entries()) {
      const index = at + i;
      const leaf = leaves.slice(i * HASH_SIZE, (i + 1) * HASH_SIZE);
      const candidate = read(index, bytes, leaf);
      // The key is looked up at once, in the state before this entry; the arithmetic may run beside what follows.
      const authenticated = authenticate(state, candidate, means);
      const checked = authenticated.then((result) => {
        if (!result.held) throw against(index, result.refusal.message);
        return result.candidate;
      });
      const decided = candidate.record === undefined ? await checked : candidate;
      if (candidate.record !== undefined) checks.push(checked.then(() => undefined));
      const decision = admit(state, decided);
      if (!decision.admitted) {
        await Promise.all(checks);
        throw against(index, decision.message);
      }
      state.apply(index, decided);
      options.onEntry?.(index, decided);
    }
    await Promise.all(checks);
  }
  if (root !== undefined && !equalBytes(range.root(), root))
    throw new GovernanceError(
      'governance/invalid-record',
      'the stored entries do not hash to the signed head; run "treering fsck"',
    );
  return { state, start };
}

async function beginning(
  size: number,
  { storage, hasher, snapshot }: ReplayOptions,
): Promise<{ start: number; range: CompactRange; state: GovernanceState }> {
  const tree = storedTree(storage, size, hasher);
  if (snapshot !== undefined && snapshot.size <= size && snapshot.size > 0) {
    const range = await restoreRange(tree, snapshot.size, hasher);
    if (equalBytes(range.root(), snapshot.root)) return { start: snapshot.size, range, state: snapshot.state };
  }
  return { start: 0, range: await restoreRange(tree, 0, hasher), state: new GovernanceState() };
}

/** @throws GovernanceError for bytes that are no statement */
function read(index: number, bytes: Uint8Array, leaf: Uint8Array): Candidate {
  try {
    return createCandidate(parseStatement(bytes), leaf);
  } catch (error) {
    throw against(index, (error as Error).message);
  }
}

function against(index: number, why: string): GovernanceError {
  const message = `entry ${index} is in the log against its rules: ${why}; run "treering fsck"`;
  return new GovernanceError('governance/invalid-record', message);
}
