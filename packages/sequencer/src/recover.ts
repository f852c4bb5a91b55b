import {
  type CompactRange,
  equalBytes,
  type Hasher,
  MerkleInputError,
  MerkleStateError,
  restoreRange,
  tileHashReader,
} from '@treering/merkle';
import type { Ed25519, LogTrust } from '@treering/note';
import type { Storage, StoredHead } from '@treering/storage';
import type { HeadAnchor } from './anchor.js';
import { SequencerError } from './errors.js';
import { type RightEdge, rangeFromEdge, readRightEdge } from './growth.js';
import { checkHead, openHead } from './head.js';

/** Milliseconds by which the clock may lie behind the newest head before the log refuses to sign. */
export const CLOCK_TOLERANCE = 10_000;

/** What recovery needs to know about the log. */
export interface RecoverOptions {
  readonly storage: Storage;
  readonly anchor: HeadAnchor;
  readonly trust: LogTrust;
  readonly hasher: Hasher;
  readonly ed25519: Ed25519;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Accept a store whose anchor is missing, and write a new one. */
  readonly trustStore: boolean;
  /** Nothing will be signed: a clock that is behind does no harm. */
  readonly readOnly: boolean;
}

/** Where the log stands, checked against everything that it signed and kept. */
export interface Recovered {
  readonly head: StoredHead | null;
  readonly published: StoredHead | null;
  readonly range: CompactRange;
}

/**
 * Reads the log's position from the store. The same code runs at the start and after every commit that failed.
 * @throws SequencerError with what was found and what to do
 */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const { storage, anchor, trust, hasher, ed25519, clock, readOnly } = options;
  const head = await storage.head();
  const published = await storage.published();
  const anchored = await anchor.read();
  const size = head?.size ?? 0;

  if (head !== null) checkHead(trust, head, 'the committed head', ed25519);
  const { range } = await readPosition(storage, head, hasher);
  if (head !== null && !readOnly && clock() < head.time - CLOCK_TOLERANCE) throw clockBehind(clock(), head.time);

  if (published !== null) {
    checkHead(trust, published, 'the published checkpoint', ed25519);
    await checkPrefix(storage, size, published, hasher, 'the published checkpoint', 'sequencer/corrupt');
  }
  const kept = await storage.lastKept();
  if (kept !== null && (published === null || published.size < kept.size))
    throw corrupt(
      `a checkpoint of ${kept.size} entries is kept for good, and the published one ${published === null ? 'is gone' : `has ${published.size}`}`,
    );
  if (head !== null) await checkAnchor(options, head, published, anchored);
  else if (anchored !== null)
    throw rolledBack('the head anchor', openHead(trust, anchored, 'the head anchor', ed25519).size, 0);
  return { head, published, range };
}

/**
 * Compares the store with the newest head that is remembered apart from it.
 * @throws SequencerError sequencer/rolled-back, sequencer/no-anchor, sequencer/wrong-key or sequencer/corrupt
 */
async function checkAnchor(
  options: RecoverOptions,
  head: StoredHead,
  published: StoredHead | null,
  anchored: Uint8Array | null,
): Promise<void> {
  const { storage, anchor, trust, hasher, ed25519, trustStore } = options;
  // Between the first commit and the first write of the anchor there is nothing that could have been rolled back.
  const justBegun = anchored === null && head.size === 1 && published === null;
  if (anchored !== null && !trustStore) {
    const known = readableHead(trust, anchored, ed25519);
    if (known === undefined) throw untold('sequencer/corrupt', 'damaged', head.size);
    await checkPrefix(storage, head.size, known, hasher, 'the head anchor', 'sequencer/rolled-back');
    // An anchor that lags would not notice the loss of what came after it: nothing is signed before it has caught up.
    if (known.size < head.size) await anchor.write(head.note, true);
    return;
  }
  if (!trustStore && !justBegun) throw untold('sequencer/no-anchor', 'missing', head.size);
  if (anchored !== null) {
    // Told to trust the store, the log takes a damaged anchor for a missing one, but never a newer head for an older.
    const known = readableHead(trust, anchored, ed25519);
    if (known !== undefined) await checkPrefix(storage, head.size, known, hasher, 'the head anchor', 'sequencer/rolled-back');
  }
  await anchor.write(head.note, true);
}

function untold(code: 'sequencer/corrupt' | 'sequencer/no-anchor', how: string, size: number): SequencerError {
  return new SequencerError(
    code,
    `the head anchor is ${how}, so nothing tells whether the store with ${size} entries is the newest; compare its head with one that somebody else kept, then start once with --trust-store`,
  );
}

/** The head in an anchor, or undefined when it cannot be read as one of this log. */
function readableHead(trust: LogTrust, note: Uint8Array, ed25519: Ed25519): { size: number; root: Uint8Array } | undefined {
  try {
    return openHead(trust, note, 'the head anchor', ed25519);
  } catch (error) {
    if (error instanceof SequencerError && error.code === 'sequencer/corrupt') return undefined;
    throw error;
  }
}

/**
 * The right edge of the committed tree as stored, and its compact range, compared with the head.
 * @throws SequencerError (sequencer/corrupt)
 */
export async function readPosition(
  storage: Storage,
  head: StoredHead | null,
  hasher: Hasher,
): Promise<{ readonly edge: RightEdge; readonly range: CompactRange }> {
  const size = head?.size ?? 0;
  let edge: RightEdge;
  let range: CompactRange;
  try {
    edge = await readRightEdge(storage, size);
    range = rangeFromEdge(size, edge, hasher);
  } catch (error) {
    if (!(error instanceof MerkleStateError || error instanceof MerkleInputError)) throw error;
    throw corrupt(`the stored right edge does not fit the head of ${size} entries: ${error.message}`);
  }
  if (head !== null && !equalBytes(range.root(), head.root)) {
    throw corrupt(`the stored right edge does not hash to the signed head of ${size} entries`);
  }
  return { edge, range };
}

/**
 * Checks that an earlier head is a prefix of the stored tree of `size` entries.
 * @throws SequencerError with the given code, or sequencer/rolled-back when the head is larger
 */
export async function checkPrefix(
  storage: Storage,
  size: number,
  earlier: { size: number; root: Uint8Array },
  hasher: Hasher,
  what: string,
  code: 'sequencer/corrupt' | 'sequencer/rolled-back',
): Promise<void> {
  if (earlier.size > size) {
    throw rolledBack(what, earlier.size, size);
  }
  const root = (await restoreRange(storedTree(storage, size, hasher), earlier.size, hasher)).root();
  if (!equalBytes(root, earlier.root)) {
    throw new SequencerError(
      code,
      `${what} at size ${earlier.size} is not a prefix of the stored tree: the store holds another history than was signed; run "treering fsck" and keep both for the auditors`,
    );
  }
}

function rolledBack(what: string, known: number, stored: number): SequencerError {
  return new SequencerError(
    'sequencer/rolled-back',
    `${what} has ${known} entries and the store only ${stored}: an old copy of the store was brought back. Signing from it would sign a second history. Bring back the newest copy, or end this log and start a new one: see "Backup and restore" in docs/operations.md`,
  );
}

/** A reader over the stored tiles of a tree of `size` entries. */
export function storedTree(storage: Storage, size: number, hasher: Hasher) {
  return tileHashReader(
    size,
    async ({ level, index, width }) => {
      const tile = await storage.tile(level, index, width);
      if (tile === null) throw new MerkleStateError(`the store has no tile ${level}/${index} of ${width} hashes`);
      return tile;
    },
    hasher,
  );
}

function corrupt(message: string): SequencerError {
  return new SequencerError(
    'sequencer/corrupt',
    `${message}; run "treering fsck", and restore the newest backup if it confirms damage`,
  );
}

/** The refusal to sign with a clock behind the newest head. */
export function clockBehind(now: number, headTime: number): SequencerError {
  return new SequencerError(
    'sequencer/clock-behind',
    `the clock says ${new Date(now).toISOString()}, but the newest head was signed at ${new Date(headTime).toISOString()}; set the clock`,
  );
}
