import { equalBytes, HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, type TileId, tilePath } from '@treering/merkle';
import { ClientError } from './errors.js';
import type { TlogReader } from './tlog-reader.js';

/** A tile that a log serves otherwise than its entries make it. */
export interface WrongTile {
  readonly tile: TileId;
  /** In a few words. */
  readonly why: string;
  /** What the entries make it, `width` x 32 bytes. */
  readonly computed: Uint8Array;
}

/** What a log answered for a tile: its hashes, or why they cannot be had. */
export type ServedTile = Uint8Array | ClientError;

/** The tiles that are computed from a log's entries, each compared with what the log serves. Memory: one tile a level. */
export class TileComparison {
  readonly #log: TlogReader;
  /** By tile level, from 1 on: the hashes that are not a full tile yet, and how many tiles were full before. */
  readonly #growing: { readonly hashes: Uint8Array; width: number; index: number }[] = [];
  #full: { tile: TileId; computed: Uint8Array }[] = [];
  #compared = 0;
  #wrong = 0;
  #first: WrongTile | undefined;

  constructor(log: TlogReader) {
    this.#log = log;
  }

  /** Tiles that were compared so far. */
  get compared(): number {
    return this.#compared;
  }

  /** How many of them are wrong. */
  get wrong(): number {
    return this.#wrong;
  }

  /** The first one that was found wrong, in the order of the entries. */
  get first(): WrongTile | undefined {
    return this.#first;
  }

  /** Asks the log for a tile. @throws ClientError when the log cannot be reached */
  async ask(tile: TileId): Promise<ServedTile> {
    try {
      return await this.#log.wholeTile(tile);
    } catch (error) {
      if (error instanceof ClientError && isAnswer(error)) return error;
      throw error;
    }
  }

  /** Compares a tile. */
  compare(tile: TileId, computed: Uint8Array, served: ServedTile): void {
    this.#compared++;
    if (served instanceof Uint8Array && equalBytes(served, computed)) return;
    this.#wrong++;
    const why = served instanceof Uint8Array ? 'it holds other hashes' : served.message;
    this.#first ??= { tile, why, computed: computed.slice() };
  }

  /** Takes in complete nodes, as a `NodeVisitor`. */
  readonly visit = (level: number, _start: number, hashes: Uint8Array): void => {
    if (level === 0 || level % TILE_HEIGHT !== 0) return;
    const tileLevel = level / TILE_HEIGHT;
    this.#growing[tileLevel] ??= { hashes: new Uint8Array(TILE_WIDTH * HASH_SIZE), width: 0, index: 0 };
    const growing = this.#growing[tileLevel];
    for (let at = 0; at < hashes.length; at += HASH_SIZE) {
      growing.hashes.set(hashes.subarray(at, at + HASH_SIZE), growing.width++ * HASH_SIZE);
      if (growing.width < TILE_WIDTH) continue;
      const tile = { level: tileLevel, index: growing.index++, width: TILE_WIDTH };
      this.#full.push({ tile, computed: growing.hashes.slice() });
      growing.width = 0;
    }
  };

  /** Compares the tiles above level 0 that became full. @throws ClientError when the log cannot be reached */
  async compareFull(): Promise<void> {
    const full = this.#full;
    this.#full = [];
    for (const { tile, computed } of full) this.compare(tile, computed, await this.ask(tile));
  }

  /** Compares the partial tiles above level 0, when all entries were hashed. @throws ClientError when the log cannot be reached */
  async compareEdge(): Promise<void> {
    for (const [level, growing] of this.#growing.entries()) {
      if (growing === undefined || growing.width === 0) continue;
      const tile = { level, index: growing.index, width: growing.width };
      this.compare(tile, growing.hashes.slice(0, growing.width * HASH_SIZE), await this.ask(tile));
    }
  }
}

/** Whether the log has answered, and the answer is the mistake. */
function isAnswer(error: ClientError): boolean {
  if (error.code !== 'client/refused') return error.code !== 'client/unreachable';
  return error.status === 404 || error.status === 410;
}

/** A wrong tile, for messages. */
export function tileMistake({ tile, why }: WrongTile): string {
  return `${tilePath(tile)}: ${why}`;
}
