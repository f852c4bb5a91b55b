import { ClientError, Follower, type TlogReader } from '@treering/client';
import type { AlarmProof } from '@treering/evidence';
import {
  equalBytes,
  type Hasher,
  type HashReader,
  MerkleInputError,
  MerkleStateError,
  ProofError,
  proveConsistency,
  proveInclusion,
  restoreRange,
  TILE_WIDTH,
  tileHashReader,
  verifyInclusion,
} from '@treering/merkle';
import { formatVerifierKey } from '@treering/note';
import type { WatchedLogConfig } from './log-config.js';
import type { EntryNeeds } from './pending.js';
import type { MonitorStore } from './store.js';

/** What proofs about the entries of a log are made with. */
export interface EntryProofsParts {
  readonly config: WatchedLogConfig;
  readonly store: MonitorStore;
  readonly hasher: Hasher;
  readonly log: TlogReader;
}

type Head = EntryNeeds['head'];

/** The largest prefix of a log that a proof carries whole: entries, and bytes for the first proofs and for any further one. */
const WHOLE_ENTRIES = 20_000;
const WHOLE_BYTES = 8 * 1024 * 1024;
const FIRST_PROOFS = 8;
const SMALL_BYTES = 256 * 1024;

/** Makes proofs about entries: what the tree contains comes from what was followed, entries come from the log. */
export class EntryProofs {
  readonly #parts: EntryProofsParts;
  /** Proofs that carry a large prefix. */
  #large = 0;

  constructor(parts: EntryProofsParts) {
    this.#parts = parts;
  }

  /** @returns undefined when the log does not give out what is needed */
  async build(needs: EntryNeeds): Promise<AlarmProof | undefined> {
    try {
      return await this.#build(needs);
    } catch (error) {
      if (isFaultOfTheLog(error)) return undefined;
      throw error;
    }
  }

  async #build(needs: EntryNeeds): Promise<AlarmProof> {
    const { kind, index, head, code, rule, reason, earlier, related } = needs;
    const { config, hasher } = this.#parts;
    const tree = await this.#treeOf(head);
    const entry = needs.entry.length > 0 ? needs.entry : await this.#entry(index, head, tree);
    const place = {
      v: 1,
      log: { origin: config.origin, vkeys: config.keys.map(formatVerifierKey) },
      head: head.note,
      index,
      inclusion: await proveInclusion(tree, index, head.size, hasher),
    } as const;
    if (kind === 'bad-entry') return { ...place, kind, leaf: hasher.hashLeaf(entry), served: entry };
    if (kind !== 'unauthorised') return { ...place, kind, entry, reason };
    const about = { ...place, kind, entry, code, rule, reason, ...(earlier === undefined ? {} : { earlier }) };
    const all = await this.#prefix(index, head);
    if (all !== undefined) {
      const proof = index === 0 ? [] : await proveConsistency(tree, index, head.size, hasher);
      return { ...about, before: { all, proof } };
    }
    return { ...about, before: { some: await this.#some(index, head, tree, related) } };
  }

  /** The tree of a head: from what was followed if that is it, or as the log gives it out. */
  async #treeOf({ size, root }: Head): Promise<HashReader> {
    const { store, config, hasher, log } = this.#parts;
    const kept = tileHashReader(size, store.tiles(config.origin), hasher);
    return (await leadsTo(kept, size, root, hasher)) ? kept : log.tree(size, root);
  }

  /** The entries that make rules, and those that are related, each proved. */
  async #some(index: number, head: Head, tree: HashReader, related: readonly number[]) {
    const { store, config, hasher } = this.#parts;
    const chosen = new Map(store.governing(config.origin, index).map((item) => [item.index, item.entry]));
    for (const other of related) if (!chosen.has(other)) chosen.set(other, await this.#entry(other, head, tree));
    const some = [];
    for (const [at, bytes] of [...chosen].sort(([a], [b]) => a - b)) {
      const inclusion = await proveInclusion(tree, at, head.size, hasher);
      verifyInclusion(at, head.size, hasher.hashLeaf(bytes), inclusion, head.root, hasher);
      some.push({ index: at, entry: bytes, inclusion });
    }
    return some;
  }

  /** One entry as the log gives it out. @throws ProofError when it is not the one in the tree */
  async #entry(index: number, head: Head, tree: HashReader): Promise<Uint8Array> {
    const bundle = Math.floor(index / TILE_WIDTH);
    const entries = await this.#parts.log.bundle(bundle, Math.min(TILE_WIDTH, head.size - bundle * TILE_WIDTH));
    const entry = entries[index % TILE_WIDTH];
    if (!equalBytes(await tree.readHashes([{ level: 0, index }]), this.#parts.hasher.hashLeaf(entry)))
      throw new ProofError(`the log gives out another entry ${index} than its tree contains`);
    return entry;
  }

  /** All entries before an index, or undefined when they are too many for a file. */
  async #prefix(index: number, head: Head): Promise<Uint8Array[] | undefined> {
    const { log, hasher } = this.#parts;
    const most = this.#large < FIRST_PROOFS ? WHOLE_BYTES : SMALL_BYTES;
    const all: Uint8Array[] = [];
    if (index > WHOLE_ENTRIES) return undefined;
    if (index === 0) return all;
    let bytes = 0;
    for await (const { entries } of new Follower(log, { hasher }).follow(head)) {
      for (const entry of entries) {
        bytes += entry.length;
        if (bytes > most) return undefined;
        all.push(entry);
        if (all.length < index) continue;
        if (bytes > SMALL_BYTES) this.#large++;
        return all;
      }
    }
    return undefined;
  }
}

/** Whether hashes that were kept are all there and lead to a root. */
export async function leadsTo(kept: HashReader, size: number, root: Uint8Array, hasher: Hasher): Promise<boolean> {
  try {
    return equalBytes((await restoreRange(kept, size, hasher)).root(), root);
  } catch (error) {
    if (error instanceof MerkleStateError || error instanceof MerkleInputError) return false;
    throw error;
  }
}

/** Whether it means that the log does not give out what it should. */
export function isFaultOfTheLog(error: unknown): error is Error {
  return [ClientError, ProofError, MerkleInputError].some((kind) => error instanceof kind);
}
