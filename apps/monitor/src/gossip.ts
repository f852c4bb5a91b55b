import { ClientError, type Fetch, MonitorClient, WitnessClient } from '@treering/client';
import { equalBytes, type Hasher, MerkleInputError, ProofError, verifyConsistency } from '@treering/merkle';
import { decodeBase64, encodeBase64, encodeUtf8, NoteError, parseCheckpoint, parseNote } from '@treering/note';
import { z } from 'zod';
import type { WatchedLog } from './watched-log.js';

/** What gossip works with. */
export interface GossipParts {
  /** URLs of other monitors. */
  readonly peers: readonly string[];
  readonly hasher: Hasher;
  readonly fetch?: Fetch;
  /** Milliseconds for one request. */
  readonly timeout?: number;
  /** Called with what could not be asked. */
  readonly onTrouble?: (who: string, error: Error) => void;
}

/** What a peer answers about what its tree contains. */
const containedSchema = z.strictObject({ checkpoint: z.string(), root: z.string(), hashes: z.array(z.string()).max(64) });

/** Compares the heads of a log with those that its witnesses cosigned and that other monitors have seen. */
export class Gossip {
  readonly #parts: GossipParts;
  readonly #peers: readonly MonitorClient[];

  constructor(parts: GossipParts) {
    this.#parts = parts;
    const { fetch, timeout = 5000 } = parts;
    this.#peers = parts.peers.map((url) => new MonitorClient(url, { timeout, ...(fetch === undefined ? {} : { fetch }) }));
  }

  /** Asks everybody for the newest head of a log that they know, and tells peers ours. Whoever does not answer is passed over. */
  async ask(log: WatchedLog): Promise<void> {
    await Promise.all([...this.#witnesses(log).map((ask) => ask()), ...this.#peers.map((peer) => this.#exchange(peer, log))]);
  }

  #witnesses(log: WatchedLog): (() => Promise<void>)[] {
    const { fetch, timeout = 5000 } = this.#parts;
    const byUrl = new Map(
      (log.config.policy?.witnesses ?? []).flatMap(({ url, name }) => (url === undefined ? [] : [[url, name]])),
    );
    return [...byUrl].map(([url, name]) => async () => {
      const client = new WitnessClient(url, { timeout, ...(fetch === undefined ? {} : { fetch }) });
      await this.#attempt(`witness ${name}`, async (who) => {
        const note = await client.checkpoint(log.originHash);
        if (note !== undefined) await log.consider(note, who);
      });
    });
  }

  async #exchange(peer: MonitorClient, log: WatchedLog): Promise<void> {
    await this.#attempt(`monitor ${peer.url}`, async (who) => {
      const note = await peer.head(log.originHash);
      if (note !== undefined) {
        const shown = await log.consider(note, who);
        // If it is larger than our tree, the peer knows what it contains at our size, whether there is a place to keep it or not.
        if (shown !== 'unsigned' && shown !== 'contradiction') await this.#compare(peer, log, note, who);
      }
      const own = log.followed;
      if (own !== undefined) await peer.tell(own.note);
    });
  }

  async #compare(peer: MonitorClient, log: WatchedLog, note: Uint8Array, who: string): Promise<void> {
    const own = log.followed;
    if (own === undefined || own.size === 0 || Number(parseCheckpoint(parseNote(note).text).size) <= own.size) return;
    const answer = containedSchema.parse(await peer.contained(log.originHash, own.size));
    const checkpoint = encodeUtf8(answer.checkpoint);
    const [root, ...proof] = [answer.root, ...answer.hashes].map(decodeBase64);
    const theirs = parseCheckpoint(parseNote(checkpoint).text);
    verifyConsistency(own.size, theirs.size, root, theirs.root, proof, this.#parts.hasher);
    if (!equalBytes(root, own.root)) await log.compare({ checkpoint, root, proof }, own.size, who);
  }

  async #attempt(who: string, work: (who: string) => Promise<void>): Promise<void> {
    try {
      await work(who);
    } catch (error) {
      const known = [ClientError, NoteError, ProofError, MerkleInputError, z.ZodError].some((kind) => error instanceof kind);
      if (!known) throw error;
      this.#parts.onTrouble?.(who, error as Error);
    }
  }
}

/** The answer to a peer's question, as JSON. */
export function formatContained({ checkpoint, root, proof }: NonNullable<Awaited<ReturnType<WatchedLog['contained']>>>) {
  return {
    checkpoint: new TextDecoder().decode(checkpoint),
    root: encodeBase64(root),
    hashes: proof.map(encodeBase64),
  };
}
