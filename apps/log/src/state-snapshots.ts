import type { GovernanceState } from '@treering/governance';
import type { StoredHead } from '@treering/storage';
import type { Snapshot, SnapshotStore } from './snapshot.js';

/** Entries after which a snapshot is worth its writing. */
const SNAPSHOT_AFTER = 4096;

/** When the state of a running log is saved. One that fails costs time at a start, and nothing else. */
export class StateSnapshots {
  readonly #store: SnapshotStore | undefined;
  /** Entries that the stored snapshot covers. */
  #covered = 0;
  /** Entries at the last attempt. */
  #tried = 0;
  #saving: Promise<void> | undefined;

  constructor(store: SnapshotStore | undefined) {
    this.#store = store;
  }

  read(): Snapshot | undefined {
    return this.#store?.read();
  }

  /** A replay began with the snapshot of so many entries; 0 when it could use none. */
  began(start: number): void {
    if (this.#saving !== undefined) return;
    this.#covered = start;
    this.#tried = start;
  }

  /** Whether so much was committed since the last snapshot that another is due. Rarer as the log grows. */
  isDue(size: number): boolean {
    if (this.#store === undefined || this.#saving !== undefined) return false;
    return size - this.#tried >= Math.max(SNAPSHOT_AFTER, this.#tried / 4);
  }

  /**
   * Saves a state, which must be that of exactly this committed head, while it goes on; after what is being saved, if anything is: then the
   * state may not go on meanwhile. Never rejects.
   */
  async save(head: StoredHead, state: GovernanceState): Promise<void> {
    if (this.#saving !== undefined) await this.#saving;
    if (this.#store === undefined || head.size === this.#covered) return;
    this.#tried = head.size;
    this.#saving = this.#write(this.#store, { size: head.size, root: head.root, state });
    await this.#saving;
  }

  /** Resolves when what is being saved is saved, or could not be. */
  async settled(): Promise<void> {
    await this.#saving;
  }

  async #write(store: SnapshotStore, snapshot: Snapshot): Promise<void> {
    try {
      await store.write(snapshot);
      this.#covered = snapshot.size;
    } catch (error) {
      process.emitWarning(`the state of the log could not be saved: ${(error as Error).message}`);
    } finally {
      this.#saving = undefined;
    }
  }
}
