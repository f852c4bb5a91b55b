import { equalBytes } from '@treering/merkle';
import {
  type Checkpoint,
  type Ed25519,
  evaluateQuorum,
  formatVerifierKey,
  NoteError,
  type OpenedCheckpoint,
  openCheckpoint,
  parseNote,
  type TrustPolicy,
} from '@treering/note';
import { logTime } from '../log-time.js';

/** When a witness that the reader trusts says that it saw a head; seconds since the epoch. */
export interface Sighting {
  readonly witness: string;
  readonly time: number;
}

/** A signed head of a pack under the reader's trust. */
export interface HeadSeen {
  readonly checkpoint: Checkpoint;
  readonly opened: OpenedCheckpoint;
  /** By time, the earliest first. */
  readonly sightings: readonly Sighting[];
  /** Whether the witnesses suffice under the reader's policy. */
  readonly witnessed: boolean;
  /** When they sufficed: at this time at the latest the head existed. Undefined when no witness is asked for, or they do not suffice. */
  readonly by: number | undefined;
  /** The earliest time of these witnesses: until then none of them had seen a larger head. */
  readonly from: number | undefined;
  /** When the log itself says that it signed the head; undefined when it does not say. */
  readonly signedAt: number | undefined;
}

/** A head of the file, and the tree of the entries before it. */
export interface SignedTree {
  readonly note: Uint8Array;
  readonly size: number;
  /** 32 bytes */
  readonly root: Uint8Array;
}

/**
 * Opens a head under the reader's keys.
 * @throws NoteError when it is none, of another log, or not signed by a key that the reader trusts
 */
export function openHead(note: Uint8Array, origin: string, policy: TrustPolicy, ed25519: Ed25519): HeadSeen {
  const logKeys = policy.logs.map(({ key }) => key).filter((key) => key.name === origin);
  if (logKeys.length === 0)
    throw new NoteError('note/no-known-signature', `no key of the log ${JSON.stringify(origin)} is trusted here`);
  requireEachLineOnce(note);
  const witnessKeys = policy.witnesses.map(({ key }) => key);
  const opened = openCheckpoint(note, { origin, logKeys, witnessKeys }, ed25519);
  const sightings = sightingsOf(opened, policy);
  const { met } = evaluateQuorum(policy, opened.cosignatures);
  const times = met && policy.quorum !== 'none' ? quorumTimes(opened, policy, sightings) : undefined;
  return {
    checkpoint: opened.checkpoint,
    opened,
    sightings,
    witnessed: met,
    by: times?.by,
    from: times?.from,
    signedAt: logTime(opened),
  };
}

/** Nothing is gained by a line that stands there twice, but another file. @throws NoteError */
function requireEachLineOnce(note: Uint8Array): void {
  const lines = parseNote(note).signatures.map(({ name, id }) => `${name} ${id}`);
  if (new Set(lines).size < lines.length) throw new NoteError('note/malformed', 'a key has signed the head twice');
}

/** A witness with several keys counts with the earliest of its times. */
function sightingsOf({ cosignatures }: OpenedCheckpoint, policy: TrustPolicy): Sighting[] {
  const seen = new Map<string, number>();
  for (const { key, timestamp } of cosignatures) {
    const witness = policy.witnesses.find((one) => formatVerifierKey(one.key) === formatVerifierKey(key))?.name;
    if (witness === undefined || timestamp === undefined || timestamp === 0n) continue;
    seen.set(witness, Math.min(Number(timestamp), seen.get(witness) ?? Number.POSITIVE_INFINITY));
  }
  return [...seen].map(([witness, time]) => ({ witness, time })).sort((a, b) => a.time - b.time);
}

/** The smallest time by which so many had signed that the quorum was met, and the earliest of theirs. */
function quorumTimes(
  { cosignatures }: OpenedCheckpoint,
  policy: TrustPolicy,
  sightings: readonly Sighting[],
): { by: number; from: number } | undefined {
  const enough = sightings.find(
    ({ time }) =>
      evaluateQuorum(
        policy,
        cosignatures.filter(({ timestamp }) => timestamp !== undefined && timestamp !== 0n && Number(timestamp) <= time),
      ).met,
  );
  // Cosignatures without a time count for the quorum, and say nothing about when.
  return enough === undefined ? undefined : { by: enough.time, from: sightings[0].time };
}

/** Why a head is not of the entries before it; undefined when it is. */
export function wrongTree(head: HeadSeen, { size, root }: SignedTree): string | undefined {
  const { checkpoint } = head;
  if (checkpoint.size !== BigInt(size)) return `a head of ${checkpoint.size} entries stands behind entry ${size}`;
  return equalBytes(checkpoint.root, root) ? undefined : `they do not hash to the root of the head of ${size} entries`;
}
