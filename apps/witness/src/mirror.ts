import {
  CompactRange,
  type EntryPackage,
  entryPackages,
  equalBytes,
  HASH_SIZE,
  type Hasher,
  MAX_SIZE,
  MerkleInputError,
  ProofError,
  verifySubtreeConsistency,
} from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import {
  type Checkpoint,
  formatNote,
  type MirrorInfo,
  type NoteSignature,
  type OpenedNote,
  openNote,
  parseCheckpoint,
  parseNote,
  type Signer,
  type VerifierKey,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { Problem } from '@treering/server';
import type { ByteSource } from './byte-source.js';
import { cosign, signatureLines } from './cosign.js';
import { WitnessError } from './errors.js';
import { MirrorConflict } from './mirror-conflict.js';
import { MirrorCopies } from './mirror-copies.js';
import type { MirrorStore } from './mirror-store.js';
import type { MirroredHead, WitnessStore } from './store.js';
import { TicketOffice } from './ticket.js';
import { type ReceivedHeader, type ReceivedPackage, readHeader, readPackage } from './upload.js';

/** What a mirror is made of. */
export interface MirrorParts {
  /** Of the witness beside it: its logs and the heads that it cosigned, one of which every upload leads to. */
  readonly store: WitnessStore;
  /** The mirror's own keys (0x04, 0x06), of another name than the witness's. */
  readonly signers: readonly Signer[];
  /** Where the copies lie, one database for each log. */
  readonly folder: string;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  readonly hasher?: Hasher;
  readonly tickets?: TicketOffice;
}

/** What came of an upload. */
export type Uploaded =
  /** The cosignature lines for the head that it led to. */
  | { readonly status: 200; readonly lines: string }
  /** The packages that came are stored; others are still to come. */
  | { readonly status: 202; readonly info: MirrorInfo };

/** A head that uploads may lead to. */
interface Goal {
  readonly checkpoint: Checkpoint;
  /** With the log's signatures, and no others. */
  readonly note: Uint8Array;
  readonly signatures: OpenedNote['verified'];
}

/** A log that uploads may be of. */
interface KnownLog {
  readonly origin: string;
  readonly keys: readonly VerifierKey[];
  /** The head that the witness has cosigned last. */
  readonly newest: Goal;
}

/** Entries that a client may send again in one upload. */
const MOST_EXCESS = 2048n;

/**
 * A mirror (https://c2sp.org/tlog-mirror): it keeps a copy of each log, and cosigns a head only when every entry of it is stored
 * durably. Entries are proved to be in a head that the witness has cosigned before they are stored.
 */
export class Mirror {
  readonly store: WitnessStore;
  readonly signers: readonly Signer[];
  readonly copies: MirrorCopies;
  readonly #clock: () => number;
  readonly #hasher: Hasher;
  readonly #tickets: TicketOffice;

  constructor({ store, signers, folder, clock = Date.now, hasher = nodeHasher, tickets = new TicketOffice() }: MirrorParts) {
    this.store = store;
    this.signers = signers;
    this.copies = new MirrorCopies(store, folder, hasher);
    this.#clock = clock;
    this.#hasher = hasher;
    this.#tickets = tickets;
  }

  /** The first line of every cosignature. */
  get name(): string {
    return this.signers[0].key.name;
  }

  /** The head of a log that this mirror has cosigned and serves; undefined when there is none, or its copy is not complete. */
  head(origin: string): MirroredHead | undefined {
    const head = this.store.mirrored(origin);
    return head === undefined || head.lost !== undefined || head.refilling ? undefined : head;
  }

  /** @throws Problem 503 when the copy of a log is not what was cosigned, or the store cannot say what was */
  requireKept(origin: string): void {
    this.store.requireSound();
    const reason = this.store.locked ?? this.store.mirrored(origin)?.lost;
    if (reason !== undefined)
      throw new Problem(503, 'witness/locked', `this mirror cosigns nothing until its operator unlocks it: ${reason}`, {
        retryAfter: 3600,
      });
  }

  /** @throws Problem 503 while the copy of a log lacks entries of a tree of this size, or is not what was cosigned */
  requireComplete(origin: string, size: bigint): void {
    this.requireKept(origin);
    const head = this.head(origin);
    if (head === undefined || size > head.size || size > BigInt(this.copies.entries(origin) ?? 0))
      throw new Problem(503, 'witness/incomplete', 'this mirror does not have all entries of this tree (yet)', {
        retryAfter: 60,
      });
  }

  /**
   * add-entries: stores every package that proves to be in the head that the upload leads to, as soon as it has come, and
   * cosigns that head when all its entries are stored.
   * @throws Problem 400, 404, 422 or 503, MirrorConflict (409)
   */
  async addEntries(source: ByteSource): Promise<Uploaded> {
    try {
      return await this.#addEntries(source);
    } finally {
      source.close();
    }
  }

  async #addEntries(source: ByteSource): Promise<Uploaded> {
    const header = await readHeader(source);
    if (header === undefined) throw cutOff(source);
    const known = this.#requireKnown(header.origin);
    const { origin } = known;
    this.requireKept(origin);
    const copy = this.copies.open(origin);
    const goal = this.#requireGoal(known, header, copy);
    const [start, end] = [Number(header.start), Number(header.end)];
    let saved = 0;
    for (const wanted of entryPackages(start, end)) {
      source.release();
      const received = await readPackage(source, wanted);
      if (received === undefined) {
        if (saved === 0) throw cutOff(source);
        return { status: 202, info: this.#info(copy, goal) };
      }
      this.#save(copy, goal, wanted, received);
      saved++;
    }
    return { status: 200, lines: await this.#cosign(origin, copy, goal) };
  }

  #requireKnown(name: string | undefined): KnownLog {
    const keys = name === undefined ? undefined : this.store.keysOf(name);
    if (name === undefined || keys === undefined)
      throw new Problem(404, 'witness/unknown-log', 'this mirror does not know a log of this origin');
    const head = this.store.head(name);
    if (head === undefined)
      throw new Problem(422, 'witness/no-head', 'this mirror knows no checkpoint of this log yet; begin with add-checkpoint');
    return { origin: name, keys, newest: openGoal(head.note, keys) };
  }

  /** The head that an upload leads to, if the upload fits where the mirror stands. */
  #requireGoal({ origin, keys, newest }: KnownLog, { start, end, ticket }: ReceivedHeader, copy: MirrorStore): Goal {
    if (start > end) throw new Problem(400, 'witness/malformed', `an upload does not go from ${start} to ${end}`);
    const mirrored = this.store.mirrored(origin);
    const note =
      this.store.pending(origin, end)?.note ?? (mirrored?.size === end ? mirrored.note : this.#tickets.open(ticket, origin));
    const goal = note === undefined ? undefined : openGoal(note, keys);
    const valid = goal !== undefined && goal.checkpoint.size === end && end <= BigInt(MAX_SIZE);
    if (!valid || end < (mirrored?.size ?? 0n)) throw new MirrorConflict(this.#info(copy, newest));
    const next = BigInt(copy.size);
    const excess = (end < next ? end : next) - start;
    if (start > next || excess > MOST_EXCESS) throw new MirrorConflict(this.#info(copy, goal));
    return goal;
  }

  /** Where an upload to `goal` goes on. Entries beyond the goal are nothing that it needs to know of. */
  #info(copy: MirrorStore, { checkpoint, note }: Goal): MirrorInfo {
    const next = BigInt(copy.size);
    return { size: checkpoint.size, next: next < checkpoint.size ? next : checkpoint.size, ticket: this.#tickets.seal(note) };
  }

  /** Stores what is new of a package that is part of the goal. @throws Problem 422 when it is none */
  #save(
    copy: MirrorStore,
    { checkpoint }: Goal,
    { first, start, end }: EntryPackage,
    { entries, proof }: ReceivedPackage,
  ): void {
    const leaves = new Uint8Array((end - first) * HASH_SIZE);
    leaves.set(copy.leaves(first, start));
    this.#hasher.hashLeaves(entries, leaves.subarray((start - first) * HASH_SIZE));
    const subtree = new CompactRange(this.#hasher);
    subtree.appendMany(leaves);
    try {
      verifySubtreeConsistency(first, end, checkpoint.size, subtree.root(), checkpoint.root, proof, this.#hasher);
    } catch (error) {
      if (!(error instanceof ProofError) && !(error instanceof MerkleInputError)) throw error;
      throw new Problem(
        422,
        'witness/inconsistent',
        `the entries ${start} to ${end} are not proved to be in the log: ${error.message}`,
      );
    }
    // Another upload may have been faster. What both have proved is the same.
    const skipped = Math.max(0, copy.size - start);
    if (skipped < entries.length) copy.append(entries.slice(skipped), leaves.subarray((start - first + skipped) * HASH_SIZE));
  }

  /** Cosigns a head of which every entry is stored. */
  async #cosign(origin: string, copy: MirrorStore, goal: Goal): Promise<string> {
    const { checkpoint, note, signatures } = goal;
    const { size, root } = checkpoint;
    if (!equalBytes(await copy.root(Number(size)), root))
      throw new WitnessError(
        'witness/wrong-copy',
        `the copy of ${origin} does not hash to the head of size ${size} that the witness cosigned`,
      );
    this.requireKept(origin);
    const before = this.head(origin);
    const time = Math.max(Math.floor(this.#clock() / 1000), this.store.mirrored(origin)?.time ?? 1);
    // Whoever asks again within a second gets what was signed, and costs no signature.
    if (before?.size === size && before.time === time) return signatureLines(this.#ownLines(before.note));
    const lines = cosign(checkpoint, this.signers, time);
    const kept = formatNote({ text: parseNote(note).text, signatures: [...signatures, ...lines] });
    // The signatures leave this function only when the entries, and now the head, are on the disk.
    if (!(await this.store.setMirrored(origin, { size, root, time, note: kept }))) {
      this.requireKept(origin);
      throw new MirrorConflict(this.#info(copy, this.#requireKnown(origin).newest));
    }
    return signatureLines(lines);
  }

  #ownLines(note: Uint8Array): NoteSignature[] {
    const own = this.signers.map(({ key }) => key);
    return parseNote(note).signatures.filter((line) => own.some((key) => key.name === line.name && key.id === line.id));
  }

  close(): void {
    this.copies.close();
  }
}

/** Why nothing of a body was stored. */
function cutOff({ failure }: ByteSource): Problem {
  if (failure instanceof Problem) return failure;
  const why = failure instanceof Error ? ` (${failure.message})` : '';
  return new Problem(400, 'witness/malformed', `the body ends before its first entry package does${why}`);
}

/** A head that the store or a ticket holds: the witness has cosigned it, so the log has signed it. */
function openGoal(note: Uint8Array, keys: readonly VerifierKey[]): Goal {
  const { text, verified } = openNote(parseNote(note), keys, nodeEd25519);
  return { checkpoint: parseCheckpoint(text), note: formatNote({ text, signatures: verified }), signatures: verified };
}
