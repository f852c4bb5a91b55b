import { type Storage, StorageError, type StoredHead } from '@treering/storage';

/** Some kept heads in the order of their sizes, and the size from which on the others are, if there are any. */
export interface KeptPage {
  readonly heads: readonly StoredHead[];
  readonly next: number | undefined;
}

/**
 * Kept heads of `from` entries and more. Two of one size are never on two pages, so that a size says where to go on: a page has
 * `limit` heads (1 or more) at most, or one more where it would part them.
 */
export async function keptPage(storage: Storage, from: number, limit: number): Promise<KeptPage> {
  const heads = await storage.keptHeads(from, limit + 2);
  const parted = heads.length > limit && heads[limit].size === heads[limit - 1].size;
  const end = parted ? limit + 1 : limit;
  return { heads: heads.slice(0, end), next: heads[end]?.size };
}

/**
 * All kept heads, page by page, as they are when they are reached.
 * @throws StorageError storage/corrupt when the store gives them out of order
 */
export async function* allKeptHeads(storage: Storage): AsyncGenerator<StoredHead> {
  for (let from: number | undefined = 0; from !== undefined; ) {
    const { heads, next }: KeptPage = await keptPage(storage, from, 1000);
    yield* heads;
    if (next !== undefined && next <= from)
      throw new StorageError('storage/corrupt', 'kept heads are not in the order of sizes');
    from = next;
  }
}
