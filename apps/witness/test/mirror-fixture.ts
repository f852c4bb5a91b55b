import { join } from 'node:path';
import {
  CompactRange,
  entryPackages,
  formatEntryPackage,
  type HashReader,
  proveConsistency,
  proveSubtreeConsistency,
} from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import {
  concatBytes,
  encodeUtf8,
  formatAddCheckpoint,
  formatAddEntriesHeader,
  formatCheckpoint,
  formatNote,
  KEY_TYPE,
  type MirrorInfo,
  parseMirrorInfo,
  type Signer,
} from '@treering/note';
import { ByteBudget } from '@treering/server';
import { pino } from 'pino';
import { createApp, createMetrics, Mirror, Witness } from '../src/index.js';
import { NAME, openStore, signerOf, temporaryFolder, WITNESS_SIGNERS } from './fixture.js';

export const MIRROR_NAME = `${NAME}/mirror`;
export const MIRROR_SIGNERS: readonly Signer[] = [
  signerOf(MIRROR_NAME, KEY_TYPE.ed25519Cosignature, 0x78),
  signerOf(MIRROR_NAME, KEY_TYPE.mldsa44Cosignature, 0x78),
];

/** A log in memory: entries, their tree, and whatever a client needs for a mirror. */
export class MemoryLog implements HashReader {
  readonly origin: string;
  readonly signer: Signer;
  readonly entries: Uint8Array[] = [];
  readonly #range = new CompactRange(nodeHasher);
  readonly #nodes: Uint8Array[][] = [];
  readonly #roots: Uint8Array[] = [];

  constructor(origin = 'log.test/mirrored', size = 0, content: (index: number) => string = (i) => `entry ${i}`) {
    this.origin = origin;
    this.signer = signerOf(origin, KEY_TYPE.ed25519, 0x11);
    this.grow(size, content);
  }

  grow(size: number, content: (index: number) => string = (i) => `entry ${i}`): this {
    this.#roots[this.entries.length] ??= this.#range.root();
    for (let i = this.entries.length; i < size; i++) {
      const entry = encodeUtf8(content(i));
      this.entries.push(entry);
      this.#range.append(nodeHasher.hashLeaf(entry), (level, _, hashes) => {
        this.#nodes[level] ??= [];
        this.#nodes[level].push(new Uint8Array(hashes));
      });
      if (size < 4000 || i >= size - 2) this.#roots[i + 1] = this.#range.root();
    }
    return this;
  }

  get size(): number {
    return this.entries.length;
  }

  root(size = this.size): Uint8Array {
    return this.#roots[size];
  }

  async readHashes(nodes: readonly { level: number; index: number }[]): Promise<Uint8Array> {
    return concatBytes(...nodes.map(({ level, index }) => this.#nodes[level][index]));
  }

  checkpoint(size = this.size, signers: readonly Signer[] = [this.signer]): Uint8Array {
    const text = formatCheckpoint({ origin: this.origin, size: BigInt(size), root: this.root(size), extensions: [] });
    return formatNote({ text, signatures: signers.map((signer) => signer.sign(text, 1n)) });
  }

  /** The body of add-checkpoint. */
  async growth(from: number, size = this.size): Promise<Uint8Array> {
    const proof = from === 0 ? [] : await proveConsistency(this, from, size, nodeHasher);
    return formatAddCheckpoint({ oldSize: BigInt(from), proof, checkpoint: this.checkpoint(size) });
  }

  /** The packages of an upload, each as its bytes. */
  async packages(start: number, end: number): Promise<Uint8Array[]> {
    const out: Uint8Array[] = [];
    for (const part of entryPackages(start, end)) {
      const proof = await proveSubtreeConsistency(this, part.first, part.end, end, nodeHasher);
      out.push(formatEntryPackage(this.entries.slice(part.start, part.end), proof));
    }
    return out;
  }

  header(start: number, end: number, ticket: Uint8Array = new Uint8Array(0)): Uint8Array {
    return formatAddEntriesHeader({ origin: this.origin, start: BigInt(start), end: BigInt(end), ticket });
  }

  /** The body of add-entries. */
  async upload(start: number, end = this.size, ticket?: Uint8Array): Promise<Uint8Array> {
    return concatBytes(this.header(start, end, ticket), ...(await this.packages(start, end)));
  }
}

/** A witness that is a mirror too, in a folder, and its HTTP face. */
export function openMirror(log: MemoryLog, data = temporaryFolder(), patience?: number) {
  const store = openStore(data);
  store.addLogs([{ origin: log.origin, keys: [log.signer.key] }]);
  const witness = new Witness({ store, signers: WITNESS_SIGNERS, mirrorSigners: MIRROR_SIGNERS });
  const mirror = new Mirror({ store, signers: MIRROR_SIGNERS, folder: join(data, 'mirror') });
  const uploads = new ByteBudget(1 << 26);
  const app = createApp({
    witness,
    mirror: { mirror, uploads, patience },
    metrics: createMetrics(witness, mirror),
    bodies: new ByteBudget(1 << 26),
    logger: pino({ level: 'silent' }),
  });
  const post = async (path: string, body: BodyInit | Uint8Array, headers: Record<string, string> = {}) =>
    app.request(path, { method: 'POST', body: body as BodyInit, headers, duplex: 'half' } as RequestInit);
  return {
    data,
    store,
    witness,
    mirror,
    app,
    uploads,
    post,
    add: (body: Uint8Array) => post('/add-checkpoint', body),
    upload: (body: BodyInit | Uint8Array, headers: Record<string, string> = {}) =>
      post('/add-entries', body, { 'Content-Type': 'application/octet-stream', ...headers }),
    /** Closes what a process would lose when it is killed. */
    close() {
      mirror.close();
      store.close();
    },
  };
}

/** The three lines of a 202 or 409. */
export async function infoOf(response: Response): Promise<MirrorInfo> {
  return parseMirrorInfo(new Uint8Array(await response.arrayBuffer()));
}
