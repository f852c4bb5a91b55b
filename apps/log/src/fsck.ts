import { nodeMeans } from '@treering/foreign/node';
import { admit, authenticate, createCandidate, GovernanceState } from '@treering/governance';
import { CompactRange, equalBytes, HASH_SIZE, TILE_WIDTH } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import type { LogTrust } from '@treering/note';
import type { HeadAnchor } from '@treering/sequencer';
import { parseStatement } from '@treering/statement';
import type { EntryInfo, Storage } from '@treering/storage';
import { AttachmentClaims, checkAttachments } from './fsck-attachments.js';
import { checkHead, checkKeptHeads, type Find, keptHead, keptTrees, type Tree } from './fsck-heads.js';

/** Something that is wrong, and where. */
export interface Finding {
  /** Such as `entry 12`, `tile 0/3`, `committed head`, `kept head 12`, `attachment 5f…`, `database`. */
  readonly where: string;
  readonly what: string;
}

/** What an examination came to. */
export interface FsckReport {
  readonly entries: number;
  readonly tiles: number;
  readonly attachments: number;
  readonly findings: readonly Finding[];
}

const MOST_FINDINGS = 1000;

/** What an examination works with. */
export interface FsckOptions {
  readonly storage: Storage;
  readonly anchor: HeadAnchor;
  readonly trust: LogTrust;
  readonly progress?: (done: number, total: number) => void;
}

/**
 * Re-verifies a log from its bytes: every entry against its leaf hash, its place in the index of topics, its signature and the
 * rules in force for it; every tile against the entries; every head and the anchor against the tree; every attachment against
 * its digest. It reads only, goes on after what it finds, and can run while the log runs.
 */
export async function fsck(options: FsckOptions): Promise<FsckReport> {
  const { storage } = options;
  const findings: Finding[] = [];
  const find: Find = (where, what) => {
    if (findings.length < MOST_FINDINGS) findings.push({ where, what });
  };
  const guarded = async <T>(where: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      find(where, (error as Error).message);
      return undefined;
    }
  };

  // The published head, the kept ones and the anchor are read before the committed one, which is then at least as new.
  const published = await guarded('published checkpoint', () => storage.published());
  const kept = await guarded('kept heads', () => keptTrees(storage));
  const anchored = await guarded('head anchor', () => options.anchor.read());
  const head = await guarded('committed head', () => storage.head());
  for (const { where, what } of (await guarded('database', () => storage.integrity())) ?? []) find(where, what);
  const size = head?.size ?? 0;

  const wanted = new Map<number, { where: string; root: Uint8Array }[]>();
  const expectRoot = (where: string, stored: Tree | undefined): void => {
    if (stored === undefined) return;
    if (stored.size > size)
      find(where, `it has ${stored.size} entries and the store ${size}: the store is older than what the log signed`);
    else wanted.set(stored.size, [...(wanted.get(stored.size) ?? []), { where, root: stored.root }]);
  };
  const expectSigned = (where: string, note: Uint8Array, row?: Tree): void =>
    expectRoot(where, checkHead(where, note, options.trust, row, find));
  if (head) expectSigned('committed head', head.note, head);
  if (published) expectSigned('published checkpoint', published.note, published);
  if (anchored) expectSigned('head anchor', anchored);
  for (const tree of kept ?? []) expectRoot(keptHead(tree), tree);

  const walk = new Walk(storage, find, wanted);
  for (let start = 0; start < size; start += TILE_WIDTH) {
    const end = Math.min(start + TILE_WIDTH, size);
    await walk.chunk(start, end);
    options.progress?.(end, size);
  }
  await walk.finish();
  await guarded('topics', () => checkTopics(storage, walk.topics, find));
  const attachments = await guarded('attachments', () => checkAttachments(storage, walk.claims, size, find));
  // Last, because a key that is missing here makes a finding of each of them.
  if (kept !== undefined) await guarded('kept heads', () => checkKeptHeads(storage, options.trust, find));
  return { entries: size, tiles: walk.tiles, attachments: attachments ?? 0, findings };
}

/** Goes through all entries in order and builds tree, tiles and governance again. */
class Walk {
  /** What the entries say about attachments. */
  readonly claims = new AttachmentClaims();
  /** Number of entries and newest entry of each topic, as the entries themselves say. */
  readonly topics = new Map<string, { count: number; latest: number }>();
  tiles = 0;
  readonly #storage: Storage;
  readonly #find: Find;
  readonly #wanted: Map<number, { where: string; root: Uint8Array }[]>;
  /** The sizes at which a root is known, in order, and the first that was not reached. */
  readonly #sizes: readonly number[];
  #next = 0;
  readonly #range = new CompactRange(nodeHasher);
  readonly #state = new GovernanceState();
  /** Hashes of the tile that is being filled, for each tile level. */
  readonly #open: Uint8Array[][] = [];

  constructor(storage: Storage, find: Find, wanted: Map<number, { where: string; root: Uint8Array }[]>) {
    this.#storage = storage;
    this.#find = find;
    this.#wanted = wanted;
    this.#sizes = [...wanted.keys()].filter((size) => size > 0).sort((a, b) => a - b);
  }

  async chunk(start: number, end: number): Promise<void> {
    const entries = await this.#entries(start, end);
    const readable = entries.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]));
    const hashes = new Uint8Array(readable.length * HASH_SIZE);
    nodeHasher.hashLeaves(readable, hashes);
    const leaves = new Uint8Array(entries.length * HASH_SIZE);
    const checks: Promise<void>[] = [];
    let next = 0;
    for (const { index, bytes, info } of entries) {
      const leaf = bytes === undefined ? undefined : hashes.slice(next * HASH_SIZE, ++next * HASH_SIZE);
      if (bytes === undefined || info === undefined || leaf === undefined)
        this.#find(`entry ${index}`, 'it cannot be read from the store');
      else if (!equalBytes(leaf, info.leafHash)) this.#find(`entry ${index}`, 'its bytes do not hash to its leaf hash');
      if (bytes !== undefined && leaf !== undefined) await this.#govern(index, bytes, leaf, info, checks);
      // The tree is built from the leaf hashes that are stored, so that one bad entry does not hide what else is wrong.
      leaves.set(info?.leafHash ?? leaf ?? new Uint8Array(HASH_SIZE), (index - start) * HASH_SIZE);
    }
    await this.#append(start, leaves);
    await Promise.all(checks);
  }

  async finish(): Promise<void> {
    for (let level = 0; level < this.#open.length; level++) {
      const hashes = this.#open[level];
      if (hashes.length > 0) await this.#compareTile(level, Math.floor(this.#range.size / TILE_WIDTH ** (level + 1)), hashes);
    }
  }

  async #entries(
    start: number,
    end: number,
  ): Promise<{ index: number; bytes: Uint8Array | undefined; info: EntryInfo | undefined }[]> {
    const read = async (from: number, to: number) => {
      const [bytes, infos] = [await this.#storage.entries(from, to), await this.#storage.entryInfos(from, to)];
      return bytes.map((entry, i) => ({
        index: from + i,
        bytes: entry as Uint8Array | undefined,
        info: infos[i] as EntryInfo | undefined,
      }));
    };
    try {
      return await read(start, end);
    } catch {
      const single = [];
      for (let index = start; index < end; index++)
        single.push(...(await read(index, index + 1).catch(() => [{ index, bytes: undefined, info: undefined }])));
      return single;
    }
  }

  async #govern(
    index: number,
    bytes: Uint8Array,
    leaf: Uint8Array,
    info: EntryInfo | undefined,
    checks: Promise<void>[],
  ): Promise<void> {
    const where = `entry ${index}`;
    try {
      const statement = parseStatement(bytes);
      this.topics.set(statement.sub, { count: (this.topics.get(statement.sub)?.count ?? 0) + 1, latest: index });
      let candidate = createCandidate(statement, leaf);
      const { record } = candidate;
      if (record !== undefined) this.claims.name(record);
      if (info !== undefined && info.topic !== statement.sub)
        this.#find(where, `it is listed under ${JSON.stringify(info.topic)} and is about ${JSON.stringify(statement.sub)}`);
      // The key is looked up at once, in the state before this entry; the arithmetic may run beside what follows.
      const authenticated = authenticate(this.#state, candidate, nodeMeans);
      const check = authenticated.then((result) => {
        if (!result.held && result.refusal.code !== 'governance/unknown-key')
          this.#find(where, `its signature does not hold: ${result.refusal.message}`);
      });
      if (record === undefined) {
        const result = await authenticated;
        if (result.held) candidate = result.candidate;
      }
      checks.push(check);
      const decision = admit(this.#state, candidate);
      if (decision.admitted) {
        this.#state.apply(index, candidate);
        if (record !== undefined) this.claims.erase(index, record);
      } else this.#find(where, `the rules in force do not admit it (${decision.rule}): ${decision.message}`);
    } catch (error) {
      this.#find(where, `it is no statement that the log could have admitted: ${(error as Error).message}`);
    }
  }

  /** Leaf hashes from entry `start` on, in batches between the sizes at which a root is known. */
  async #append(start: number, leaves: Uint8Array): Promise<void> {
    const end = start + leaves.length / HASH_SIZE;
    const known: number[] = [];
    for (; this.#sizes[this.#next] < end; this.#next++)
      if (this.#sizes[this.#next] > start) known.push(this.#sizes[this.#next]);
    let from = start;
    for (const to of [...known, end]) {
      await this.#grow(leaves.subarray((from - start) * HASH_SIZE, (to - start) * HASH_SIZE));
      for (const { where, root } of this.#wanted.get(to) ?? []) {
        if (!equalBytes(this.#range.root(), root)) this.#find(where, `its root is not that of the first ${to} entries`);
      }
      from = to;
    }
  }

  async #grow(leaves: Uint8Array): Promise<void> {
    const fresh: { level: number; start: number; hashes: Uint8Array }[] = [];
    this.#range.appendMany(leaves, (level, start, hashes) => {
      if (level % 8 === 0) fresh.push({ level: level / 8, start, hashes: hashes.slice() });
    });
    for (const { level, start, hashes } of fresh) {
      this.#open[level] ??= [];
      for (let i = 0; i < hashes.length / HASH_SIZE; i++) {
        this.#open[level].push(hashes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE));
        if (this.#open[level].length < TILE_WIDTH) continue;
        await this.#compareTile(level, Math.floor((start + i) / TILE_WIDTH), this.#open[level]);
        this.#open[level] = [];
      }
    }
  }

  async #compareTile(level: number, index: number, hashes: readonly Uint8Array[]): Promise<void> {
    this.tiles++;
    const stored = await this.#storage.tile(level, index, hashes.length).catch(() => null);
    if (stored === null) this.#find(`tile ${level}/${index}`, `it is not there with ${hashes.length} hashes`);
    else if (!equalBytes(stored, new Uint8Array(Buffer.concat(hashes))))
      this.#find(`tile ${level}/${index}`, 'it holds other hashes than the entries below it have');
  }
}

/** The listing of topics is kept beside the entries: it must say what they say. While the log runs it may be ahead. */
async function checkTopics(
  storage: Storage,
  expected: ReadonlyMap<string, { count: number; latest: number }>,
  find: Find,
): Promise<void> {
  const listed = new Set<string>();
  for (let after = ''; ; ) {
    const page = await storage.topics('', after, 1000);
    for (const { topic, count, latest } of page) {
      listed.add(topic);
      const { count: entries, latest: newest } = expected.get(topic) ?? { count: 0, latest: -1 };
      if (count < entries || latest.index < newest || (count === entries) !== (latest.index === newest)) {
        find(`topic ${topic}`, `it is listed with ${count} entries up to ${latest.index}, and has ${entries} up to ${newest}`);
      }
    }
    if (page.length < 1000) break;
    after = page[page.length - 1].topic;
  }
  for (const topic of expected.keys()) if (!listed.has(topic)) find(`topic ${topic}`, 'it is not listed');
}
