import { CompactRange, formatEntryBundle, parseTilePath } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import type { Fetch } from '../src/index.js';

/** A log in memory, served as tiles by a function that stands for `fetch`. */
export class MemoryTlog {
  readonly entries: Uint8Array[] = [];
  /** Hashes of level 8 * i, each flat. */
  readonly #levels: Uint8Array[][] = [];
  readonly range = new CompactRange(nodeHasher);
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  /** Alters an answer, or throws; what it returns is sent. */
  alter: (path: string, bytes: Uint8Array) => Uint8Array | Response = (_, bytes) => bytes;
  note: Uint8Array = new Uint8Array(0);

  append(entry: Uint8Array): void {
    this.entries.push(entry);
    this.range.append(nodeHasher.hashLeaf(entry), (level, start, hashes) => {
      if (level % 8 !== 0) return;
      this.#levels[level / 8] ??= [];
      for (let i = 0; i * 32 < hashes.length; i++) this.#levels[level / 8][start + i] = hashes.slice(i * 32, i * 32 + 32);
    });
  }

  fill(size: number, text = 'entry'): this {
    while (this.entries.length < size) this.append(new TextEncoder().encode(`${text} ${this.entries.length}`));
    return this;
  }

  head() {
    return { size: this.range.size, root: this.range.root() };
  }

  readonly fetch: Fetch = async (url) => {
    const path = new URL(url).pathname.slice(1);
    this.asked.push(path);
    const bytes = this.#read(path);
    if (bytes === undefined) return new Response('{}', { status: 404 });
    const altered = this.alter(path, bytes);
    return altered instanceof Response ? altered : new Response(altered as Uint8Array<ArrayBuffer>);
  };

  #read(path: string): Uint8Array | undefined {
    if (path === 'checkpoint') return this.note;
    const parsed = parseTilePath(path);
    const { index, width } = parsed.kind === 'tile' ? parsed.tile : parsed.bundle;
    const first = index * 256;
    if (parsed.kind === 'entries') {
      const entries = this.entries.slice(first, first + width);
      return entries.length < width ? undefined : formatEntryBundle(entries);
    }
    const hashes = (this.#levels[parsed.tile.level] ?? []).slice(first, first + width);
    return hashes.length < width ? undefined : new Uint8Array(Buffer.concat(hashes));
  }
}
