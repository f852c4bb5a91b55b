/** One leaf to store: the entry's bytes, its leaf hash (32 bytes) and the topic under which it is listed. */
export interface StoredEntry {
  readonly bytes: Uint8Array;
  readonly leafHash: Uint8Array;
  /** What the entry is about; '' when it is not listed. Any text of at most 512 bytes. */
  readonly topic: string;
}

/** A full tile: 256 hashes (8,192 bytes), and the hash over them (32 bytes), which is one slot of the tile above. */
export interface FullTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
  readonly root: Uint8Array;
}

/** A tree head as the log signed it. */
export interface StoredHead {
  /** Number of entries. */
  readonly size: number;
  /** 32 bytes */
  readonly root: Uint8Array;
  /** Milliseconds since the epoch at which the log signed it. */
  readonly time: number;
  /** The signed note. */
  readonly note: Uint8Array;
}

/** What a commit is conditional on: the head that the writer has built upon, or null for an empty store. */
export type ExpectedHead = Pick<StoredHead, 'size' | 'root'> | null;

/** Everything that one commit makes durable, at once or not at all. */
export interface CommitBatch {
  readonly entries: readonly StoredEntry[];
  /** Tiles that became full, in any order. */
  readonly tiles: readonly FullTile[];
  readonly head: StoredHead;
}

/** Where an entry stands, and what it is about. */
export interface EntryInfo {
  readonly index: number;
  readonly leafHash: Uint8Array;
  readonly topic: string;
}

/** Something that a driver finds wrong with its own files. */
export interface Damage {
  /** `committed head`, `published checkpoint`, `kept head <size>`, or `database` for everything else. */
  readonly where: string;
  /** For `database` it names the page, the table, the index or the trigger. */
  readonly what: string;
}

/** One topic with its newest entry and the number of its entries. */
export interface TopicInfo {
  readonly topic: string;
  readonly count: number;
  readonly latest: EntryInfo;
}

/**
 * What a log needs of a store. Drivers know bytes and conditions and nothing about trees or signatures.
 *
 * Promises:
 *  - `commit` and `publish` are durable when they resolve, and change nothing when they reject with HeadConflictError;
 *  - any other rejection of `commit` leaves open whether the batch was stored: the caller reads `head()` again;
 *  - entries, leaf hashes and tiles are never changed or removed once stored, nor is the first head that is kept of a size;
 *  - every read sees either all of a commit or nothing of it.
 */
export interface Storage {
  /** Names the driver, for people. */
  readonly name: string;

  /** The committed head, or null for an empty store. */
  head(): Promise<StoredHead | null>;
  /**
   * Stores a batch if the committed head is still `expected`.
   * @throws HeadConflictError when it is not; StorageError otherwise
   */
  commit(batch: CommitBatch, expected: ExpectedHead): Promise<void>;

  /** The published checkpoint, or null before the first. */
  published(): Promise<StoredHead | null>;
  /**
   * Replaces the published checkpoint by one of the same or a larger size that the store has committed.
   * @param keep also keeps the head for good, in the same transaction. Of one size at most two are kept: the first, and the
   *   newest, which takes the place of an earlier newest one
   * @throws HeadConflictError when the size would fall, the root differ at the same size, or exceed the committed size
   */
  publish(head: StoredHead, keep?: boolean): Promise<void>;
  /** Kept heads of `from` entries and more, in the order of size and time; at most `limit`. */
  keptHeads(from: number, limit: number): Promise<StoredHead[]>;
  /** The head that was kept last, or null before the first. */
  lastKept(): Promise<StoredHead | null>;

  /** The bytes of entries [start, end), all of which must be there. */
  entries(start: number, end: number): Promise<Uint8Array[]>;
  /** What is known about entries [start, end). */
  entryInfos(start: number, end: number): Promise<EntryInfo[]>;
  /** The index of each leaf hash that is stored, in the given order. */
  indicesOf(leafHashes: readonly Uint8Array[]): Promise<(number | undefined)[]>;
  /**
   * The first `width` hashes (32 bytes each) of a tile, or null when it has fewer. Partial tiles are put together from the
   * leaf hashes (level 0) or the roots of the full tiles below.
   */
  tile(level: number, index: number, width: number): Promise<Uint8Array | null>;

  /** Topics that begin with `prefix`, in order, after `after`. */
  topics(prefix: string, after: string, limit: number): Promise<TopicInfo[]>;
  /** Entries of one topic with index < `before`, newest first. */
  entriesOf(topic: string, before: number, limit: number): Promise<EntryInfo[]>;

  /** Entries whose topic begins with `prefix`, oldest first, from the entries themselves and not from any listing. */
  entriesUnder(prefix: string): Promise<EntryInfo[]>;

  /** Stores a blob under its SHA-256 (64 hex digits). True when it is new. */
  putAttachment(digest: string, blob: Uint8Array): Promise<boolean>;
  /** Puts a blob in the place of the one that is stored under its digest, at once or not at all. False when none is. */
  replaceAttachment(digest: string, blob: Uint8Array): Promise<boolean>;
  attachment(digest: string): Promise<Uint8Array | null>;
  /** Digests of all blobs, in order, after `after`. */
  attachments(after: string, limit: number): Promise<string[]>;
  /**
   * Removes a blob (a legal erasure, or one that no entry came to name). True when it was there.
   * @param overwrite whether nothing of it, nor of what was removed before, may be left in any file when this resolves; false
   *   for what may be read by whoever reads the files
   * @throws StorageError storage/busy when somebody reads what would have to be overwritten. The blob is removed then, for
   *   good, and doing it again overwrites it
   */
  removeAttachment(digest: string, overwrite?: boolean): Promise<boolean>;

  /** Writes a consistent copy to `path` while the store is in use. */
  backup(path: string, progress?: (done: number, total: number) => void): Promise<void>;
  /** What the driver finds wrong with its own files; nothing when all is well. It does not know what the bytes mean. */
  integrity(): Promise<Damage[]>;
  /** Resolves when a write would succeed; rejects with the reason otherwise. */
  checkWritable(): Promise<void>;
  close(): Promise<void>;
}
