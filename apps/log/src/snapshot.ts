import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type GovernanceState, restoreState, saveState } from '@treering/governance';
import { decodeCbor, encodeCbor } from '@treering/statement';

/** The governance state of a tree, so that a start need not replay the whole log. */
export interface Snapshot {
  readonly size: number;
  /** Root of the tree of that size, 32 bytes: a snapshot of another history is not used. */
  readonly root: Uint8Array;
  readonly state: GovernanceState;
}

/** Where a log keeps its newest snapshot. It saves time and proves nothing: `treering audit` and `fsck` never read it. */
export interface SnapshotStore {
  /** undefined when there is none, or none that can be used. */
  read(): Snapshot | undefined;
  write(snapshot: Snapshot): void;
}

const CHECKSUM = 32;

/** A snapshot in a file, replaced as a whole. What is damaged counts as missing. */
export function createSnapshotFile(path: string): SnapshotStore {
  return {
    read() {
      try {
        const bytes = new Uint8Array(readFileSync(path));
        const body = bytes.subarray(CHECKSUM);
        if (!createHash('sha256').update(body).digest().equals(bytes.subarray(0, CHECKSUM))) return undefined;
        const saved = decodeCbor(body, { tags: [] }) as ReadonlyMap<string, unknown>;
        const [size, root] = [saved.get('size'), saved.get('root')];
        if (!Number.isSafeInteger(size) || !(root instanceof Uint8Array) || root.length !== 32) return undefined;
        return { size: size as number, root, state: restoreState(saved.get('state') as Uint8Array) };
      } catch {
        // Missing, cut off, or of another version: the log is replayed instead.
        return undefined;
      }
    },
    write({ size, root, state }) {
      const body = encodeCbor({ size, root, state: saveState(state) });
      const checksum = createHash('sha256').update(body).digest();
      writeFileSync(`${path}.new`, Buffer.concat([checksum, body]), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
  };
}
