import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { type GovernanceState, restoreStateInParts, saveStateInParts } from '@treering/governance';
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
  /** Takes the state as it is when it is called; the entries in it are never taken back. One at a time. */
  write(snapshot: Snapshot): Promise<void>;
}

const CHECKSUM = 32;
/** Bytes that are hashed and written at once: less than a millisecond. */
const PIECE = 1 << 20;
/** Most bytes of a file that Node reads at once: what some hundred million entries come to. */
const MOST = 2 ** 31 - 1;

/**
 * A snapshot in a file, replaced as a whole: SHA-256 of the rest, the length of the head in 4 bytes, the head in CBOR, and the rows of the
 * index of entries and of that of attachments. The rows of a large log are hundreds of megabytes, so that they are written piece by piece
 * while the log goes on; the head is made at once. What is damaged counts as missing.
 */
export function createSnapshotFile(path: string): SnapshotStore {
  return {
    read() {
      try {
        return parseSnapshot(readFileSync(path));
      } catch {
        // Missing, cut off, or of another version: the log is replayed instead.
        return undefined;
      }
    },
    async write({ size, root, state }) {
      const { rules, entries, attachments } = saveStateInParts(state);
      const head = encodeCbor({ size, root, rules, entries: entries.length, attachments: attachments.length });
      if (CHECKSUM + 4 + head.length + entries.length + attachments.length > MOST)
        throw new RangeError('the index is too large to be read again at once');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(head.length);
      const fresh = `${path}.new`;
      try {
        await writeSealed(fresh, [length, head, entries, attachments]);
        await rename(fresh, path);
      } catch (error) {
        await rm(fresh, { force: true }).catch(() => undefined);
        throw error;
      }
    },
  };
}

function parseSnapshot(bytes: Uint8Array): Snapshot | undefined {
  const sealed = bytes.subarray(CHECKSUM);
  if (!createHash('sha256').update(sealed).digest().equals(bytes.subarray(0, CHECKSUM))) return undefined;
  const start = 4 + new DataView(sealed.buffer, sealed.byteOffset).getUint32(0);
  const head = decodeCbor(sealed.subarray(4, start), { tags: [] }) as ReadonlyMap<string, unknown>;
  const [size, root, rules] = [head.get('size'), head.get('root'), head.get('rules')];
  const [entries, attachments] = [head.get('entries'), head.get('attachments')];
  if (![size, entries, attachments].every(Number.isSafeInteger)) return undefined;
  if (!(root instanceof Uint8Array) || root.length !== 32 || !(rules instanceof Uint8Array)) return undefined;
  if (start + (entries as number) + (attachments as number) !== sealed.length) return undefined;
  const rows = sealed.subarray(start);
  const [first, second] = [rows.subarray(0, entries as number), rows.subarray(entries as number)];
  return { size: size as number, root, state: restoreStateInParts({ rules, entries: first, attachments: second }) };
}

/** Writes parts, and the SHA-256 over all of them in front. */
async function writeSealed(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    const hash = createHash('sha256');
    await file.writeFile(Buffer.alloc(CHECKSUM));
    for (const part of parts)
      for (let from = 0; from < part.length; from += PIECE) {
        const piece = part.subarray(from, from + PIECE);
        hash.update(piece);
        await file.writeFile(piece);
      }
    await file.write(hash.digest(), 0, CHECKSUM, 0);
  } finally {
    await file.close();
  }
}
