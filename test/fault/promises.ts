import { createHash } from 'node:crypto';
import { dataFolder, fsck, openAnchor } from '@treering/log';
import { encodeUtf8, type LogTrust, openCheckpoint } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { openSqliteStorage } from '@treering/storage-sqlite';

/** An answer to one submission. */
export interface Answer {
  readonly status: number;
  readonly index: number;
  readonly leaf: string;
  readonly checkpoint: string;
}

const sha256 = (...parts: Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

/** RFC 6962 section 2.1. */
export function leafHash(entry: Uint8Array): Buffer {
  return sha256(Uint8Array.of(0), entry);
}

/** Everything that the log ever answered, and what follows from it. */
export class Promises {
  readonly heads = new Map<number, Buffer>();
  readonly acknowledged = new Map<number, string>();
  readonly #indices = new Map<string, number>();
  readonly #trust: LogTrust;
  largest = 0;

  constructor(trust: LogTrust) {
    this.#trust = trust;
  }

  /** What was promised until now: later answers do not change it. */
  copy(): Promises {
    const copy = new Promises(this.#trust);
    for (const [size, root] of this.heads) copy.heads.set(size, root);
    for (const [index, leaf] of this.acknowledged) copy.acknowledged.set(index, leaf);
    for (const [leaf, index] of this.#indices) copy.#indices.set(leaf, index);
    copy.largest = this.largest;
    return copy;
  }

  /** Takes in a signed head. Throws when its signature does not hold or its size has another root already. */
  head(note: string): { size: number; root: Buffer } {
    const { checkpoint } = openCheckpoint(encodeUtf8(note), this.#trust, nodeEd25519);
    const [size, root] = [Number(checkpoint.size), Buffer.from(checkpoint.root)];
    const known = this.heads.get(size);
    if (known !== undefined && !known.equals(root)) throw new Error(`the log signed two roots for size ${size}`);
    this.heads.set(size, root);
    this.largest = Math.max(this.largest, size);
    return { size, root };
  }

  /** Takes in the answer to a submission. Throws when it contradicts an earlier one. */
  acknowledge(entry: Uint8Array, answer: Answer): void {
    const leaf = leafHash(entry).toString('hex');
    if (answer.leaf !== leaf) throw new Error(`entry ${answer.index} was acknowledged with another leaf`);
    const holder = this.acknowledged.get(answer.index);
    if (holder !== undefined && holder !== leaf) throw new Error(`index ${answer.index} was given to two entries`);
    const index = this.#indices.get(leaf);
    if (index !== undefined && index !== answer.index)
      throw new Error(`one entry has the indices ${index} and ${answer.index}`);
    this.acknowledged.set(answer.index, leaf);
    this.#indices.set(leaf, answer.index);
    if (this.head(answer.checkpoint).size <= answer.index)
      throw new Error(`the head with entry ${answer.index} does not cover it`);
  }

  /**
   * Builds the tree again from all stored entries, holds everything that was ever answered against it, and runs fsck.
   * @returns the number of entries
   */
  async checkStore(data: string): Promise<number> {
    const folder = dataFolder(data);
    const storage = openSqliteStorage(folder.store, { mode: 'read' });
    const size = (await storage.head())?.size ?? 0;
    const peaks: { height: number; hash: Buffer }[] = [];
    for (let index = 0; index < size; index++) {
      const [entry] = await storage.entries(index, index + 1);
      const leaf = leafHash(entry);
      const promised = this.acknowledged.get(index);
      if (promised !== undefined && promised !== leaf.toString('hex'))
        throw new Error(`entry ${index} is not the one acknowledged`);
      let node = { height: 0, hash: leaf };
      for (let left = peaks.at(-1); left?.height === node.height; left = peaks.at(-1)) {
        peaks.pop();
        node = { height: node.height + 1, hash: sha256(Uint8Array.of(1), left.hash, node.hash) };
      }
      peaks.push(node);
      const root = this.heads.get(index + 1);
      if (root === undefined) continue;
      const own = peaks.map((peak) => peak.hash).reduceRight((right, left) => sha256(Uint8Array.of(1), left, right));
      if (!own.equals(root)) throw new Error(`the head of ${index + 1} entries that was seen is not of this log`);
    }
    const beyond = [...this.acknowledged.keys(), this.largest - 1].filter((index) => index >= size);
    if (beyond.length > 0) throw new Error(`the log has ${size} entries and answered for ${Math.max(...beyond) + 1}`);
    const report = await fsck({ storage, anchor: openAnchor(folder), trust: this.#trust });
    await storage.close();
    if (report.findings.length > 0) throw new Error(`fsck finds ${JSON.stringify(report.findings.slice(0, 3))}`);
    return size;
  }
}
