import { createHash } from 'node:crypto';
import { logTime, newestTime } from '@treering/evidence';
import {
  type Ed25519,
  evaluateQuorum,
  formatNote,
  NoteError,
  type OpenedCheckpoint,
  openCheckpoint,
  parseNote,
} from '@treering/note';
import type { WatchedLogConfig } from './log-config.js';
import type { KnownHead } from './store.js';

/** A head whose signature was verified. */
export interface Opened {
  readonly head: KnownHead;
  readonly checkpoint: OpenedCheckpoint;
}

/** Verified heads that are remembered. */
const MOST_OPENED = 256;

/** Sizes beyond this are no log's that can be followed. */
const MOST_ENTRIES = BigInt(Number.MAX_SAFE_INTEGER);

/** Opens what a log signed, under the keys that are expected of it. */
export class SignedHeads {
  readonly #config: WatchedLogConfig;
  readonly #ed25519: Ed25519;
  readonly #opened = new Map<string, OpenedCheckpoint>();

  constructor(config: WatchedLogConfig, ed25519: Ed25519) {
    this.#config = config;
    this.#ed25519 = ed25519;
  }

  /**
   * @param seen seconds since the epoch
   * @throws NoteError for a note that the log did not sign
   */
  open(note: Uint8Array, source: string, seen: number): Opened {
    const checkpoint = this.#open(note);
    const { size, root } = checkpoint.checkpoint;
    // Lines of unknown keys are nobody's word, and take room.
    const { text, verified } = checkpoint.note;
    return { head: { size: Number(size), root, note: formatNote({ text, signatures: verified }), seen, source }, checkpoint };
  }

  /** A head that was kept; undefined when its keys are no longer expected. */
  reopen({ note }: KnownHead): OpenedCheckpoint | undefined {
    try {
      return this.#open(note);
    } catch (error) {
      if (error instanceof NoteError) return undefined;
      throw error;
    }
  }

  /** The newest time that a head carries, in seconds. */
  timeOf(head: KnownHead): number | undefined {
    const checkpoint = this.reopen(head);
    return checkpoint === undefined ? undefined : newestTime(checkpoint);
  }

  /** When the log itself says that it signed a head, in seconds. */
  logTimeOf(head: KnownHead): number | undefined {
    const checkpoint = this.reopen(head);
    return checkpoint === undefined ? undefined : logTime(checkpoint);
  }

  /** Whether the quorum of the policy cosigned a head; without a policy nobody did. */
  isWitnessed(head: KnownHead): boolean {
    const { policy } = this.#config;
    const checkpoint = policy === undefined ? undefined : this.reopen(head);
    return policy !== undefined && checkpoint !== undefined && evaluateQuorum(policy, checkpoint.cosignatures).met;
  }

  /** How many witnesses of the policy cosigned a head. */
  cosigned(head: KnownHead): number {
    return new Set(this.reopen(head)?.cosignatures.map(({ key }) => key.name)).size;
  }

  /** The same heads come again and again, and each has several signatures. */
  #open(note: Uint8Array): OpenedCheckpoint {
    const id = createHash('sha256').update(note).digest('hex');
    const checkpoint = this.#opened.get(id) ?? this.#verify(note);
    this.#opened.delete(id);
    this.#opened.set(id, checkpoint);
    if (this.#opened.size > MOST_OPENED) this.#opened.delete(this.#opened.keys().next().value as string);
    return checkpoint;
  }

  #verify(note: Uint8Array): OpenedCheckpoint {
    const { origin, keys, policy } = this.#config;
    const witnessKeys = policy?.witnesses.map(({ key }) => key) ?? [];
    const opened = openCheckpoint(note, { origin, logKeys: keys, witnessKeys }, this.#ed25519);
    const { size } = opened.checkpoint;
    if (size > MOST_ENTRIES) throw new NoteError('note/malformed', `a tree of ${size} entries cannot be followed`);
    return opened;
  }
}

/** One note with the signatures of two, which are over the same text. */
export function mergeNotes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const [one, two] = [parseNote(a), parseNote(b)];
  if (one.text !== two.text) return a;
  const lines = [...one.signatures, ...two.signatures];
  // The last line of a key is its newest.
  const byKey = new Map(lines.map((line) => [`${line.name}+${line.id}`, line]));
  return formatNote({ text: one.text, signatures: [...byKey.values()] });
}
