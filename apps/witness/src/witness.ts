import { emptyRoot, equalBytes, type Hasher, MerkleInputError, ProofError, verifyConsistency } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import {
  type AddCheckpointRequest,
  type Checkpoint,
  formatCheckpoint,
  formatNote,
  formatSignatureLine,
  type Note,
  NoteError,
  type NoteSignature,
  type OpenedNote,
  openNote,
  parseAddCheckpoint,
  parseCheckpoint,
  parseNote,
  type Signer,
  type VerifiedSignature,
  type VerifierKey,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { Problem } from '@treering/server';
import { cosign, signatureLines } from './cosign.js';
import type { Mirror } from './mirror.js';
import { signSubtree } from './sign-subtree.js';
import { SizeConflict } from './size-conflict.js';
import type { CosignedHead, WitnessStore } from './store.js';
import { readAs400, textOf } from './untrusted.js';

/** What a witness is made of. */
export interface WitnessParts {
  readonly store: WitnessStore;
  /** Its keys, all of types that cosign (0x04, 0x06) and of one name. */
  readonly signers: readonly Signer[];
  /** Keys of the mirror beside it, whose cosignatures are news of what the store has lost, just as its own. */
  readonly mirrorSigners?: readonly Signer[];
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  /** Requests that may wait for the store at once. */
  readonly pending?: number;
  readonly hasher?: Hasher;
}

/** What is known of a log from heads that this witness or its mirror cosigned. */
export interface OwnHeads {
  readonly origin: string;
  /** Larger than that of the store; undefined when none is. */
  readonly head: CosignedHead | undefined;
  /** The same of the mirror. */
  readonly mirrored: CosignedHead | undefined;
  /** The largest that the mirror has cosigned, whether the store knows it or not. */
  readonly mirrorSize: bigint | undefined;
}

/**
 * A witness (https://c2sp.org/tlog-witness): it cosigns a head only if the head is consistent with the one that it cosigned
 * before, and remembers it durably before anybody sees the cosignature.
 */
export class Witness {
  readonly store: WitnessStore;
  readonly signers: readonly Signer[];
  readonly clock: () => number;
  readonly #mirrorKeys: readonly VerifierKey[];
  readonly #ownKeys: readonly VerifierKey[];
  readonly #hasher: Hasher;
  readonly #most: number;
  #pending = 0;

  constructor({ store, signers, mirrorSigners = [], clock = Date.now, pending = 1024, hasher = nodeHasher }: WitnessParts) {
    this.store = store;
    this.signers = signers;
    this.#mirrorKeys = mirrorSigners.map(({ key }) => key);
    this.#ownKeys = [...signers.map(({ key }) => key), ...this.#mirrorKeys];
    this.clock = clock;
    this.#most = pending;
    this.#hasher = hasher;
  }

  /** The first line of every cosignature. */
  get name(): string {
    return this.signers[0].key.name;
  }

  /**
   * add-checkpoint: the cosignature lines for a head that is consistent with the one before.
   * @throws Problem 400, 403, 404, 422, 429 or 503, SizeConflict (409)
   */
  async addCheckpoint(body: Uint8Array): Promise<string> {
    this.requireAble();
    if (this.#pending >= this.#most)
      throw new Problem(429, 'witness/busy', 'more checkpoints wait than this witness has room for', { retryAfter: 1 });
    this.#pending++;
    try {
      return await this.#addCheckpoint(body);
    } finally {
      this.#pending--;
    }
  }

  async #addCheckpoint(body: Uint8Array): Promise<string> {
    const request = readAs400(() => parseAddCheckpoint(body));
    const { checkpoint, note } = this.#open(request.checkpoint);
    const { origin, size, root } = checkpoint;
    if (request.oldSize > size)
      throw new Problem(400, 'witness/malformed', `the old size ${request.oldSize} is larger than the checkpoint's ${size}`);
    const head = this.store.head(origin);
    const ofLog = onePerKey(note.verified);
    this.#keepContradiction(checkpoint, { text: note.text, signatures: ofLog }, head);
    if (request.oldSize !== (head?.size ?? 0n)) throw new SizeConflict(head?.size ?? 0n);
    this.#requireConsistent(request, checkpoint, head);
    // The time never goes back.
    const time = Math.max(Math.floor(this.clock() / 1000), head?.time ?? 1);
    const lines = cosign(checkpoint, this.signers, time);
    const kept = formatNote({ text: formatCheckpoint(checkpoint), signatures: [...ofLog, ...lines] });
    // The signatures leave this function only when the head is on the disk.
    if (await this.store.replace(origin, head?.size, { size, root, time, note: kept })) return signatureLines(lines);
    const now = this.store.head(origin)?.size ?? 0n;
    if (now !== request.oldSize) throw new SizeConflict(now);
    // Somebody has refreshed the same head at a later time than the clock said here.
    return this.#addCheckpoint(body);
  }

  /** A head that the log signed and that cannot be true, or not beside the one that was cosigned: whoever sees both knows. */
  #keepContradiction({ origin, size, root }: Checkpoint, note: Note, head: CosignedHead | undefined): void {
    const cosigned = head?.size === size && !equalBytes(head.root, root) ? [head] : [];
    if (cosigned.length === 0 && (size !== 0n || equalBytes(root, emptyRoot()))) return;
    this.store.contradict(origin, [...cosigned, { size, root, note: formatNote(note) }]);
  }

  /** A note of a known log, signed by it. */
  #open(bytes: Uint8Array): { checkpoint: Checkpoint; note: OpenedNote } {
    const checkpoint = readAs400(() => parseCheckpoint(textOf(bytes)));
    const keys = this.#keysOf(checkpoint.origin);
    // A line that cannot be read is a signature that does not hold.
    const note = openAs403(bytes, keys);
    this.#requireNotAhead(checkpoint, note);
    return { checkpoint, note };
  }

  #keysOf(origin: string): VerifierKey[] {
    const keys = this.store.keysOf(origin);
    if (keys === undefined) throw new Problem(404, 'witness/unknown-log', 'this witness does not know a log of this origin');
    return keys;
  }

  #requireConsistent(
    { oldSize, proof }: AddCheckpointRequest,
    { size, root }: Checkpoint,
    head: CosignedHead | undefined,
  ): void {
    const refuse = (why: string): never => {
      throw new Problem(422, 'witness/inconsistent', why);
    };
    if (size === 0n && !equalBytes(root, emptyRoot())) refuse('the tree of size 0 has the hash of no bytes as its root');
    if (head === undefined || oldSize === 0n) {
      if (proof.length > 0) refuse('every tree is consistent with the empty one: there is nothing to prove');
      return;
    }
    if (size === oldSize && !equalBytes(root, head.root)) refuse(`another root was cosigned for size ${size}`);
    try {
      verifyConsistency(oldSize, size, head.root, root, proof, this.#hasher);
    } catch (error) {
      if (!(error instanceof ProofError) && !(error instanceof MerkleInputError)) throw error;
      refuse(error.message);
    }
  }

  /** Its own cosignature on a larger or another head is news of the witness's own past, which its store has lost. */
  #requireNotAhead(checkpoint: Checkpoint, { text, signatures, verified, unverified }: OpenedNote): void {
    const own = signatures.filter((line) => isOf(this.#ownKeys, line));
    if (own.length === 0 || unverified.length === 0 || this.#forgot(checkpoint, own) === undefined) return;
    // A line of somebody else under our name does not hold.
    const lines = openIfSigned({ text, signatures: own }, this.#ownKeys);
    if (lines !== undefined) this.#lockIfForgot(checkpoint, { text, own: lines, ofLog: verified });
  }

  /** Locks if the store does not know that a head was cosigned. @throws Problem 503 then */
  #lockIfForgot(checkpoint: Checkpoint, { text, own, ofLog }: OwnLines): void {
    const forgot = this.#forgot(checkpoint, own);
    if (forgot === undefined) return;
    const { origin, size, root } = checkpoint;
    const signatures = [...onePerKey(ofLog), ...onePerKey(own)];
    this.store.lock(
      `this ${forgot.who} cosigned ${origin} at size ${size} before, and its store knows only size ${forgot.known}: it is an older copy`,
      { origin, size, root, note: ofLog.length === 0 ? undefined : formatNote({ text, signatures }) },
    );
    this.requireAble();
  }

  /** Which cosigner's lines are on a head that the store does not know of it; undefined when the store knows. */
  #forgot({ origin, size, root }: Checkpoint, own: readonly NoteSignature[]): { who: string; known: bigint } | undefined {
    const isNews = (head: CosignedHead | undefined): boolean =>
      head === undefined || size > head.size || (size === head.size && !equalBytes(root, head.root));
    const [head, mirrored] = [this.store.head(origin), this.store.mirrored(origin)];
    const byMirror = own.some((line) => isOf(this.#mirrorKeys, line));
    const byWitness = own.some((line) => !isOf(this.#mirrorKeys, line));
    if (byWitness && isNews(head)) return { who: 'witness', known: head?.size ?? 0n };
    return byMirror && isNews(mirrored) ? { who: 'mirror', known: mirrored?.size ?? 0n } : undefined;
  }

  /**
   * Looks at a checkpoint as published by a log, for cosignatures of its own that it has forgotten.
   * @throws Problem 503 when there is one: the store is an older copy
   */
  examine(checkpoint: Uint8Array): void {
    this.#open(checkpoint);
  }

  /**
   * sign-subtree: cosignature lines for a part of a tree whose head this witness, or its mirror, cosigned.
   * @param mirror the mirror at the same address, another cosigner
   * @throws Problem 400, 403, 404, 422 or 503
   */
  signSubtree(body: Uint8Array, mirror?: Mirror): string {
    this.requireAble();
    return signSubtree(body, {
      cosigners: mirror === undefined ? [this] : [mirror, this],
      requireKnown: (name) => this.#keysOf(name),
      requireAble: (cosigner, checkpoint, { text, signatures, verified }) => {
        const { origin, size } = checkpoint;
        if (this.#forgot(checkpoint, verified) !== undefined) {
          const ofLog = openIfSigned({ text, signatures }, this.#keysOf(origin)) ?? [];
          this.#lockIfForgot(checkpoint, { text, own: verified, ofLog });
        }
        if (cosigner === mirror) mirror.requireComplete(origin, size);
      },
      hasher: this.#hasher,
    });
  }

  /** The newest cosigned head of a log, with its signatures. @throws Problem 404 or StorageError */
  checkpoint(origin: string): Uint8Array {
    this.store.requireSound();
    const head = this.store.head(origin);
    if (head === undefined) throw new Problem(404, 'witness/no-head', 'this witness has not cosigned a head of this log');
    return head.note;
  }

  /**
   * Reads heads that carry cosignatures of this witness or of its mirror, for what is newer than in its store. The mirror cosigns
   * only what the witness has cosigned.
   * @returns the largest of each log
   * @throws Problem 400, 403 or 404 for a note that is none of theirs, 422 for one of two histories
   */
  lostHeads(notes: readonly Uint8Array[]): OwnHeads[] {
    const known = new Map<string, OwnHeads>();
    for (const bytes of notes) {
      const checkpoint = readAs400(() => parseCheckpoint(textOf(bytes)));
      const before = known.get(checkpoint.origin);
      known.set(checkpoint.origin, this.#learn(checkpoint, bytes, before));
    }
    return [...known.values()];
  }

  #learn(checkpoint: Checkpoint, bytes: Uint8Array, before: OwnHeads | undefined): OwnHeads {
    const { origin, size, root } = checkpoint;
    const { verified } = openAs403(bytes, [...this.#keysOf(origin), ...this.#ownKeys]);
    const ofMirror = verified.filter((line) => isOf(this.#mirrorKeys, line));
    const ofWitness = verified.filter((line) => isOf(this.#ownKeys, line) && !ofMirror.includes(line));
    const ofLog = verified.filter((line) => !isOf(this.#ownKeys, line));
    if (ofLog.length === 0 || ofLog.length === verified.length)
      throw new Problem(403, 'witness/not-cosigned', 'the checkpoint needs a signature of the log and one of this witness');
    const head = before?.head ?? this.store.head(origin);
    const mirrored = before?.mirrored ?? this.store.mirrored(origin);
    if ([head, mirrored].some((one) => one?.size === size && !equalBytes(one.root, root)))
      throw new Problem(
        422,
        'witness/inconsistent',
        `this witness has cosigned two roots for size ${size} of ${origin}: nobody can rely on its keys any more`,
      );
    const keep = (lines: readonly NoteSignature[], time: number): CosignedHead => {
      const signatures = [...onePerKey(ofLog), ...lines];
      return { size, root, time, note: formatNote({ text: formatCheckpoint(checkpoint), signatures }) };
    };
    const keepOwn = (lines: readonly VerifiedSignature[], last: CosignedHead | undefined): CosignedHead =>
      keep(onePerKey(lines), Math.max(last?.time ?? 1, ...lines.map(({ timestamp }) => Number(timestamp))));
    const cosignAgain = (): CosignedHead => {
      const time = Math.max(Math.floor(this.clock() / 1000), head?.time ?? 1);
      return keep(cosign(checkpoint, this.signers, time), time);
    };
    const newHead = (): CosignedHead => (ofWitness.length > 0 ? keepOwn(ofWitness, head) : cosignAgain());
    const isNew = (last: CosignedHead | undefined): boolean => last === undefined || size > last.size;
    const mirrorSize = before?.mirrorSize;
    return {
      origin,
      head: isNew(head) ? newHead() : before?.head,
      mirrored: ofMirror.length > 0 && isNew(mirrored) ? keepOwn(ofMirror, mirrored) : before?.mirrored,
      mirrorSize: ofMirror.length > 0 && size > (mirrorSize ?? -1n) ? size : mirrorSize,
    };
  }

  /** @throws Problem 503 while this witness may sign nothing */
  requireAble(): void {
    const { locked, broken } = this.store;
    if (locked !== undefined)
      throw new Problem(
        503,
        'witness/locked',
        `this witness cosigns nothing until its operator gives "treering witness unlock" the newest heads that it cosigned: ${locked}`,
        { retryAfter: 3600 },
      );
    if (broken !== undefined)
      throw new Problem(
        503,
        'witness/broken',
        'this witness could not write to its store, and cosigns nothing until it is started again',
        { retryAfter: 60 },
      );
  }
}

/** Lines of one note that hold. */
interface OwnLines {
  readonly text: string;
  readonly own: readonly VerifiedSignature[];
  readonly ofLog: readonly VerifiedSignature[];
}

function isOf(keys: readonly VerifierKey[], line: NoteSignature): boolean {
  return keys.some((key) => key.name === line.name && key.id === line.id);
}

/** The lines of the keys, or undefined when one of them does not hold or there is none. */
function openIfSigned(note: Note, keys: readonly VerifierKey[]): readonly VerifiedSignature[] | undefined {
  try {
    return openNote(note, keys, nodeEd25519).verified;
  } catch (error) {
    if (error instanceof NoteError) return undefined;
    throw error;
  }
}

/** The first line of each key: repeated ones say nothing, and there is room for the witness's own. */
function onePerKey(lines: readonly VerifiedSignature[]): VerifiedSignature[] {
  return [...new Map([...lines].reverse().map((line) => [line.key, line])).values()].reverse();
}

function openAs403(bytes: Uint8Array, keys: readonly VerifierKey[]): OpenedNote {
  try {
    const note = parseNote(bytes);
    // Anybody can repeat a line of a published head; it is verified once.
    const distinct = new Map(note.signatures.map((line) => [formatSignatureLine(line), line]));
    return openNote({ ...note, signatures: [...distinct.values()] }, keys, nodeEd25519);
  } catch (error) {
    if (error instanceof NoteError) throw new Problem(403, 'witness/not-signed', error.message);
    throw error;
  }
}
