import { createHash, createPublicKey, verify } from 'node:crypto';

// A reader of tlog-tiles logs written from the specifications alone (C2SP signed-note, tlog-checkpoint, tlog-tiles and RFC 6962).
// It shares no code with the server, so that an error in both would have to be made twice.

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const hashLeaf = (entry: Uint8Array): Buffer => sha256(Uint8Array.of(0), entry);
const hashNode = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Uint8Array.of(1), left, right);

/** A checkpoint whose signature held. */
export interface Head {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
}

/** Opens a signed checkpoint with the Ed25519 key of a vkey. Throws when anything is not as it must be. */
export function openNote(note: string, vkey: string): Head {
  const [name, id, key64] = splitKey(vkey);
  const typed = Buffer.from(key64, 'base64');
  if (typed[0] !== 1 || typed.length !== 33) throw new Error('the vkey is no Ed25519 key');
  const expectedId = sha256(Buffer.from(`${name}\n`), typed).subarray(0, 4);
  if (expectedId.toString('hex') !== id) throw new Error('the key id is not that of the key');
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) throw new Error('there are no signatures');
  const text = note.slice(0, end + 1);
  const signature = note
    .slice(end + 2, -1)
    .split('\n')
    .map((line) => /^\u2014 (\S+) (\S+)$/.exec(line) ?? fail(`not a signature line: ${line}`))
    .map(([, signer, base64]) => ({ signer, bytes: Buffer.from(base64, 'base64') }))
    .find(({ signer, bytes }) => signer === name && bytes.subarray(0, 4).equals(expectedId));
  if (signature === undefined) throw new Error('the log has not signed this');
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), typed.subarray(1)]);
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  if (!verify(null, Buffer.from(text), publicKey, signature.bytes.subarray(4))) throw new Error('the signature does not hold');
  const [origin, size, root] = text.split('\n');
  if (origin !== name) throw new Error('the origin is not the name of the key');
  if (!/^(0|[1-9]\d*)$/.test(size)) throw new Error('the size is no decimal number');
  return { origin, size: Number(size), root: Buffer.from(root, 'base64'), note };
}

function splitKey(vkey: string): [string, string, string] {
  const first = vkey.indexOf('+');
  const second = vkey.indexOf('+', first + 1);
  return [vkey.slice(0, first), vkey.slice(first + 1, second), vkey.slice(second + 1)];
}

function fail(message: string): never {
  throw new Error(message);
}

/** `x001/x234/067` for 1234067. */
function numberPath(index: number): string {
  const digits = String(index);
  const groups: string[] = [];
  for (let end = digits.length; end > 0; end -= 3) groups.unshift(digits.slice(Math.max(0, end - 3), end).padStart(3, '0'));
  return groups.map((group, i) => (i + 1 < groups.length ? `x${group}` : group)).join('/');
}

/** Reads a log through its tiles, and through nothing else. */
export class TileClient {
  readonly #url: string;
  readonly #vkey: string;
  readonly #full = new Map<string, Buffer>();
  /** Requests made. */
  requests = 0;

  constructor(url: string, vkey: string) {
    this.#url = url;
    this.#vkey = vkey;
  }

  async head(): Promise<Head> {
    return openNote((await this.#get('checkpoint')).toString('utf8'), this.#vkey);
  }

  /** The tile `index` of `level` in a tree of `size` entries, in parts of 32 bytes. */
  async tile(size: number, level: number, index: number): Promise<Buffer[]> {
    const width = Math.min(256, Math.floor(size / 256 ** level) - index * 256);
    const bytes = await this.#resource(`tile/${level}/${numberPath(index)}`, width);
    if (bytes.length !== width * 32) fail(`tile ${level}/${index} has ${bytes.length} bytes and not ${width * 32}`);
    return Array.from({ length: width }, (_, i) => bytes.subarray(i * 32, (i + 1) * 32));
  }

  /** The entries of one bundle. */
  async bundle(size: number, index: number): Promise<Buffer[]> {
    const width = Math.min(256, size - index * 256);
    const bytes = await this.#resource(`tile/entries/${numberPath(index)}`, width);
    const entries: Buffer[] = [];
    let at = 0;
    while (at < bytes.length) {
      const length = bytes.readUInt16BE(at);
      if (at + 2 + length > bytes.length) fail(`bundle ${index} is cut short`);
      entries.push(bytes.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    if (entries.length !== width) fail(`bundle ${index} has ${entries.length} entries and not ${width}`);
    return entries;
  }

  /** The root of the first `size` entries, from the fewest tiles that give it. */
  async rootFromTiles(size: number): Promise<Buffer> {
    const peaks: Buffer[] = [];
    let start = 0;
    for (let height = 52; height >= 0; height--) {
      const width = 2 ** height;
      if (Math.floor(size / width) % 2 === 0) continue;
      const level = Math.floor(height / 8);
      const first = start / 256 ** level;
      const tile = await this.tile(size, level, Math.floor(first / 256));
      peaks.push(subtree(tile.slice(first % 256, (first % 256) + 2 ** (height % 8))));
      start += width;
    }
    return peaks.reduceRight((right, left) => hashNode(left, right));
  }

  /** Reads every tile and every bundle of the tree, compares all levels with one another, and returns the leaf hashes. */
  async walk(size: number): Promise<Buffer[]> {
    const leaves: Buffer[] = [];
    for (let index = 0; index * 256 < size; index++) leaves.push(...(await this.bundle(size, index)).map(hashLeaf));
    let below = leaves;
    for (let level = 0; below.length > 0; level++) {
      for (let index = 0; index * 256 < below.length; index++) {
        const tile = await this.tile(size, level, index);
        tile.forEach((hash, i) => {
          if (!hash.equals(below[index * 256 + i])) fail(`hash ${i} of tile ${level}/${index} is not that of the entries`);
        });
      }
      below = Array.from({ length: Math.floor(below.length / 256) }, (_, i) => subtree(below.slice(i * 256, (i + 1) * 256)));
    }
    return leaves;
  }

  async #resource(path: string, width: number): Promise<Buffer> {
    if (width < 256) return this.#get(`${path}.p/${width}`);
    const known = this.#full.get(path) ?? (await this.#get(path));
    this.#full.set(path, known);
    return known;
  }

  async #get(path: string): Promise<Buffer> {
    this.requests++;
    const response = await fetch(`${this.#url}/${path}`);
    if (response.status !== 200) fail(`${path} answered ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  }
}

/** The root over a power of two of hashes. */
function subtree(hashes: readonly Buffer[]): Buffer {
  let level = [...hashes];
  while (level.length > 1) level = Array.from({ length: level.length / 2 }, (_, i) => hashNode(level[2 * i], level[2 * i + 1]));
  return level[0];
}

/** MTH of RFC 6962 section 2.1 over leaf hashes, as it is written there. */
export function treeRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return hashNode(treeRoot(leaves.slice(0, split)), treeRoot(leaves.slice(split)));
}
