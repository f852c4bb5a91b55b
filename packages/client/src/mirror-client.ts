import {
  CompactRange,
  type EntryPackage,
  entryPackages,
  formatEntryPackage,
  HASH_SIZE,
  type Hasher,
  type HashReader,
  portableHasher,
  proveConsistency,
  proveSubtreeConsistency,
  TILE_WIDTH,
  verifySubtreeConsistency,
} from '@treering/merkle';
import {
  concatBytes,
  decodeUtf8,
  type Ed25519,
  formatAddCheckpoint,
  formatAddEntriesHeader,
  type LogTrust,
  type MirrorInfo,
  openNote,
  parseDecimal,
  parseMirrorInfo,
  parseNote,
  parseSignatureLine,
  portableEd25519,
  type VerifiedSignature,
  type VerifierKey,
} from '@treering/note';
import { ClientError } from './errors.js';
import { type HttpOptions, LogHttp } from './http.js';
import { openHead, type VerifiedHead } from './open-head.js';
import { TlogReader } from './tlog-reader.js';
import { held, verified } from './verified.js';

/** Where a log and a mirror are, and what is trusted about them. */
export interface MirrorClientOptions extends HttpOptions {
  /** Where the log publishes its tiles (https://c2sp.org/tlog-tiles). */
  readonly logUrl: string;
  /** Where the mirror takes uploads: its submission prefix. */
  readonly mirrorUrl: string;
  /** Origin and keys of the log; never taken from the log itself. */
  readonly trust: LogTrust;
  /** The mirror's keys, never taken from the mirror; cosignatures of others are ignored. */
  readonly mirrorKeys: readonly VerifierKey[];
  readonly hasher?: Hasher;
  readonly ed25519?: Ed25519;
}

/** A head of which a mirror says that it keeps every entry. */
export interface MirroredHead {
  readonly head: VerifiedHead;
  /** By the mirror's keys, with the time at which it says so. */
  readonly cosignatures: readonly VerifiedSignature[];
  /** Entries that were uploaded for it. */
  readonly uploaded: number;
}

/** Called after each upload with the entries that the mirror has, and those of the head. */
export type MirrorProgress = (next: number, size: number) => void;

/** Packages in one upload (https://c2sp.org/tlog-mirror, implementation considerations), and bytes after which none is added. */
const MOST_PACKAGES = 32;
const MOST_BYTES = 8 * 1024 * 1024;
/** How often something may fail without any progress in between. */
const MOST_ATTEMPTS = 5;
/** Milliseconds for one upload, and between two attempts. */
const UPLOAD_TIMEOUT = 60_000;
const PAUSE = 250;

/** What a head is uploaded from. */
interface Source {
  readonly head: VerifiedHead;
  readonly tree: HashReader;
}

/**
 * Uploads the entries of a log to a mirror (https://c2sp.org/tlog-mirror). Whoever can read the log can do it; the mirror checks
 * everything, and so does this client: what it sends, against the log's head, and what comes back, under the mirror's key.
 */
export class MirrorClient {
  readonly #log: TlogReader;
  readonly #mirror: LogHttp;
  readonly #trust: LogTrust;
  readonly #keys: readonly VerifierKey[];
  readonly #hasher: Hasher;
  readonly #ed25519: Ed25519;

  constructor(options: MirrorClientOptions) {
    const { logUrl, mirrorUrl, trust, mirrorKeys, hasher = portableHasher, ed25519 = portableEd25519 } = options;
    this.#log = new TlogReader(logUrl, { ...options, hasher });
    this.#mirror = new LogHttp(mirrorUrl, { timeout: UPLOAD_TIMEOUT, who: 'the mirror', ...options });
    this.#trust = trust;
    this.#keys = mirrorKeys;
    this.#hasher = hasher;
    this.#ed25519 = ed25519;
  }

  /**
   * Brings the mirror to the head that the log publishes now. What was uploaded stays when this fails: the next call goes on there.
   * @throws ClientError
   */
  async feed(progress: MirrorProgress = () => undefined): Promise<MirroredHead> {
    let uploaded = 0;
    for (let attempt = 1; ; attempt++) {
      const head = await this.#head();
      const source = { head, tree: this.#log.tree(head.size, head.root) };
      const known = await this.#addCheckpoint(source);
      const done = known > BigInt(head.size) ? undefined : await this.#upload(source, progress);
      uploaded += done?.uploaded ?? 0;
      if (done?.lines !== undefined) return { head, uploaded, cosignatures: this.#verify(head, done.lines) };
      // Somebody else has given it a newer head, which the log publishes too by now, or soon.
      if (attempt === MOST_ATTEMPTS)
        throw new ClientError(
          'client/inconsistent',
          `the mirror goes on with other heads than the one of ${head.size} entries that the log publishes: the log is behind, or shows another history`,
        );
      await pause();
    }
  }

  /** The checkpoint that the log publishes, signed by it. @throws ClientError */
  async #head(): Promise<VerifiedHead> {
    return openHead(await this.#log.checkpoint(), this.#trust, this.#ed25519);
  }

  /**
   * add-checkpoint: makes the head pending.
   * @returns the size of the head that is pending now; larger when the mirror has a newer one
   */
  async #addCheckpoint({ head, tree }: Source): Promise<bigint> {
    let from = 0n;
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const proof = from === 0n ? [] : await held(proveConsistency(tree, Number(from), head.size, this.#hasher));
      const body = formatAddCheckpoint({ oldSize: from, proof, checkpoint: head.note });
      const { status, bytes } = await this.#post('/add-checkpoint', 'text/plain', body);
      if (status === 200) return BigInt(head.size);
      if (status === 422)
        throw new ClientError(
          'client/inconsistent',
          `the mirror knows another history of ${this.#trust.origin}: ${this.#mirror.refusalOf(status, bytes).message}`,
        );
      if (status !== 409) throw this.#mirror.refusalOf(status, bytes);
      from = answered(() => parseDecimal(decodeUtf8(bytes).replace(/\n$/, ''), 'the size that the mirror knows'));
      if (from > BigInt(head.size)) return from;
    }
    throw new ClientError('client/bad-answer', 'the mirror says again and again that it knows another size');
  }

  /** Uploads what is missing. @returns the cosignature lines, or none when the mirror goes on with another head */
  async #upload(source: Source, progress: MirrorProgress): Promise<{ uploaded: number; lines?: Uint8Array }> {
    const { size } = source.head;
    // Without a single package, the mirror says where it stands, or that it has everything.
    let start = size;
    let ticket: Uint8Array = new Uint8Array(0);
    let furthest = -1;
    let first: number | undefined;
    for (let failures = 0; failures < MOST_ATTEMPTS; ) {
      const body = await this.#body(source, start, ticket);
      const answer = await this.#post('/add-entries', 'application/octet-stream', body).catch((error: ClientError) => error);
      if (answer instanceof ClientError) {
        if (answer.code !== 'client/unreachable' || ++failures === MOST_ATTEMPTS) throw answer;
        start = size;
        await pause();
        continue;
      }
      const { status, bytes } = answer;
      if (status === 200) return { uploaded: size - (first ?? size), lines: bytes };
      if (status !== 202 && status !== 409) throw this.#mirror.refusalOf(status, bytes);
      const info: MirrorInfo = answered(() => parseMirrorInfo(bytes));
      const next = info.next < BigInt(size) ? Number(info.next) : size;
      first ??= next;
      if (info.size !== BigInt(size)) return { uploaded: next - Math.min(first, next) };
      if (next <= furthest) failures++;
      else failures = 0;
      furthest = Math.max(furthest, next);
      start = next;
      ticket = info.ticket;
      progress(next, size);
    }
    throw new ClientError('client/bad-answer', `the mirror takes entries and stays at entry ${furthest}`);
  }

  /** An upload from `start` on: as many packages as fit in one request. */
  async #body({ head, tree }: Source, start: number, ticket: Uint8Array): Promise<Uint8Array> {
    const { origin } = this.#trust;
    const parts = [formatAddEntriesHeader({ origin, start: BigInt(start), end: BigInt(head.size), ticket })];
    let bytes = 0;
    for (const part of entryPackages(start, head.size)) {
      if (parts.length > MOST_PACKAGES || bytes > MOST_BYTES) break;
      const formatted = await this.#package({ head, tree }, part);
      bytes += formatted.length;
      parts.push(formatted);
    }
    return concatBytes(...parts);
  }

  /** A package that proves to be part of the head. @throws ClientError when what the log gives out does not */
  async #package({ head, tree }: Source, { first, start, end }: EntryPackage): Promise<Uint8Array> {
    const entries = await held(this.#log.bundle(first / TILE_WIDTH, end - first));
    const proof = await held(proveSubtreeConsistency(tree, first, end, head.size, this.#hasher));
    const leaves = new Uint8Array(entries.length * HASH_SIZE);
    this.#hasher.hashLeaves(entries, leaves);
    const subtree = new CompactRange(this.#hasher);
    subtree.appendMany(leaves);
    verified(() => verifySubtreeConsistency(first, end, head.size, subtree.root(), head.root, proof, this.#hasher));
    return formatEntryPackage(entries.slice(start - first), proof);
  }

  async #post(path: string, type: string, body: Uint8Array): Promise<{ status: number; bytes: Uint8Array }> {
    const zipped = type === 'application/octet-stream';
    return this.#mirror.send(path, {
      method: 'POST',
      headers: { 'Content-Type': type, ...(zipped ? { 'Content-Encoding': 'gzip' } : {}) },
      body: (zipped ? await gzip(body) : body) as Uint8Array<ArrayBuffer>,
    });
  }

  /** The cosignatures of the mirror among the lines that it answered. @throws ClientError (client/not-verified) */
  #verify(head: VerifiedHead, lines: Uint8Array): VerifiedSignature[] {
    const text = answered(() => decodeUtf8(lines));
    if (!text.endsWith('\n')) throw new ClientError('client/bad-answer', 'the mirror answers without cosignatures');
    return verified(() => {
      const signatures = text.slice(0, -1).split('\n').map(parseSignatureLine);
      const opened = openNote({ text: parseNote(head.note).text, signatures }, this.#keys, this.#ed25519);
      if (opened.verified.some(({ timestamp }) => timestamp === undefined || timestamp === 0n))
        throw new ClientError('client/not-verified', 'a cosignature of the mirror has no time');
      return [...opened.verified];
    }, 'mirror');
  }
}

/** Reads what a mirror answered. @throws ClientError (client/bad-answer) */
function answered<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ClientError('client/bad-answer', `the mirror answers what cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const packed = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE));
}
