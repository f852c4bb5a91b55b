import { createHash } from 'node:crypto';
import { createCandidate } from '@treering/governance';
import type { AttachmentRef, ChangeRecord } from '@treering/record';
import { parseStatement } from '@treering/statement';
import type { Storage } from '@treering/storage';
import { isMarked } from './attachments.js';
import { erasedBy, tombstoneOf } from './erasure.js';
import type { Find } from './fsck-heads.js';
import { isWaitingNote, readWaitingNote } from './waiting-evidence.js';

/** Names that are read at once. */
const PAGE = 100;

/** Entries that are read at once. */
const CHUNK = 256;

/** What entries say about attachments. */
export class AttachmentClaims {
  readonly #named = new Map<string, Set<AttachmentRef['access']>>();
  readonly #erased = new Map<string, { readonly digest: string; readonly by: number[] }>();

  /** Takes note of what a record names. */
  name(record: ChangeRecord): void {
    for (const { digest, access } of record.attachments ?? []) {
      const known = this.#named.get(hex(digest));
      if (known === undefined) this.#named.set(hex(digest), new Set([access]));
      else known.add(access);
    }
  }

  /** Takes note of what the record of entry `index` erases. */
  erase(index: number, record: ChangeRecord): void {
    if (record.type !== 'correction') return;
    for (const digest of (record.erased ?? []).map(hex)) {
      const mark = tombstoneOf(digest);
      const known = this.#erased.get(mark);
      if (known === undefined) this.#erased.set(mark, { digest, by: [index] });
      else known.by.push(index);
    }
  }

  /** Who may read an attachment: several entries may name one, and not agree. Nothing when none names it. */
  accessOf(digest: string): readonly AttachmentRef['access'][] {
    return [...(this.#named.get(digest) ?? [])];
  }

  /** The erasure whose mark lies under a name, with the indices of its corrections. */
  erasureAt(mark: string): { readonly digest: string; readonly by: readonly number[] } | undefined {
    return this.#erased.get(mark);
  }

  /** The names of all marks that corrections have left. */
  marks(): Iterable<string> {
    return this.#erased.keys();
  }
}

/** What is known when something that is stored is looked at. */
interface Known {
  readonly claims: AttachmentClaims;
  /** What entries say that came while the examination ran: it explains what is stored, and is not itself examined. */
  readonly later: AttachmentClaims;
  /** Evidence of enrolments that were under way: it stays or goes with the next start. */
  readonly waiting: ReadonlySet<string>;
}

/**
 * Compares what is stored beside the entries with what they say: every attachment with its digest, and every erasure with what
 * it left. What the log does meanwhile is no finding: whatever seems wrong is looked at again with the entries from `size` on.
 * @param claims what the first `size` entries say
 * @returns the number of attachments
 */
export async function checkAttachments(storage: Storage, claims: AttachmentClaims, size: number, find: Find): Promise<number> {
  const suspects = new Set<string>();
  const waiting = new Set<string>();
  const marks = new Set(claims.marks());
  const known: Known = { claims, later: new AttachmentClaims(), waiting };
  let count = 0;
  for await (const name of storedNames(storage)) {
    // In the order of names the notes come first.
    if (isWaitingNote(name)) await addNoted(storage, name, waiting);
    else if (!marks.delete(name)) count++;
    await examine(storage, name, known, () => suspects.add(name));
  }
  for (const mark of marks) suspects.add(mark);
  if (suspects.size === 0) return count;
  // The notes before the head: one that is gone was there until its entry was.
  const again: Known = { claims, waiting: await allNoted(storage), later: await claimsFrom(storage, size) };
  for (const name of suspects) await examine(storage, name, again, find);
  return count;
}

/** Looks at what is stored under one name. */
async function examine(storage: Storage, name: string, known: Known, find: Find): Promise<void> {
  const { claims, later, waiting } = known;
  const where = `attachment ${name}`;
  // What cannot be read is listed, and undefined here; null is what is not there.
  const blob = await storage.attachment(name).catch(() => undefined);
  const [erasure, newer] = [claims.erasureAt(name), later.erasureAt(name)];
  if (erasure !== undefined || newer !== undefined) {
    const by = [...(erasure?.by ?? []), ...(newer?.by ?? [])];
    const said = erasedBy(blob ?? null);
    if (blob === null && erasure !== undefined)
      find(`attachment ${erasure.digest}`, `entry ${by.join(' or ')} erased it, and the mark that keeps it away is not there`);
    else if (blob !== null && (said === undefined || !by.includes(said)))
      find(where, `it is not the mark of what entry ${by.join(' or ')} erased`);
    return;
  }
  if (blob === null && !(await isListed(storage, name))) return;
  if (isWaitingNote(name)) {
    if (readWaitingNote(blob ?? null) === undefined) find(where, 'it is no note of evidence that waits');
    return;
  }
  if (blob === null || blob === undefined) {
    if (!waiting.has(name)) find(where, 'it cannot be read');
  } else if (createHash('sha256').update(blob.subarray(1)).digest('hex') !== name)
    find(where, 'its bytes do not hash to its name');
  const mark = tombstoneOf(name);
  if (claims.erasureAt(mark) !== undefined) find(where, 'a correction erased it, and it is still stored');
  const levels = [...new Set([...claims.accessOf(name), ...later.accessOf(name)])];
  const sent = levels.filter((level) => level !== 'withheld');
  if (levels.length === 0) {
    if (!waiting.has(name)) find(where, 'no entry names it');
  } else if (sent.length === 0) find(where, 'its entry says that it is never sent, and it is stored');
  else if (blob && !sent.some((level) => isMarked(blob, level)))
    find(where, `its entry says that it is ${sent.join(' or ')}, and it is stored otherwise`);
}

/** All names under which something is stored, in order. */
async function* storedNames(storage: Storage): AsyncGenerator<string> {
  for (let after = ''; ; ) {
    const page = await storage.attachments(after, PAGE);
    yield* page;
    if (page.length < PAGE) return;
    after = page[page.length - 1];
  }
}

/** Whether a name is still listed: what is listed and cannot be found is damaged, and not removed. */
async function isListed(storage: Storage, name: string): Promise<boolean> {
  // All that differ from it in the last character only.
  return (await storage.attachments(name.slice(0, -1), 36)).includes(name);
}

async function addNoted(storage: Storage, note: string, waiting: Set<string>): Promise<void> {
  const said = readWaitingNote(await storage.attachment(note).catch(() => null));
  if (said !== undefined) waiting.add(said.digest);
}

async function allNoted(storage: Storage): Promise<ReadonlySet<string>> {
  const waiting = new Set<string>();
  for await (const name of storedNames(storage)) {
    if (!isWaitingNote(name)) break;
    await addNoted(storage, name, waiting);
  }
  return waiting;
}

/** What the entries from `start` on say. What cannot be read or parsed says nothing, and is found by the next examination. */
async function claimsFrom(storage: Storage, start: number): Promise<AttachmentClaims> {
  const claims = new AttachmentClaims();
  const end = (await storage.head().catch(() => null))?.size ?? start;
  for (let from = start; from < end; from += CHUNK) {
    const entries = await storage.entries(from, Math.min(from + CHUNK, end)).catch(() => []);
    for (const [i, bytes] of entries.entries()) {
      const record = recordOf(bytes);
      if (record === undefined) continue;
      claims.name(record);
      claims.erase(from + i, record);
    }
  }
  return claims;
}

function recordOf(entry: Uint8Array): ChangeRecord | undefined {
  try {
    return createCandidate(parseStatement(entry)).record;
  } catch {
    return undefined;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
