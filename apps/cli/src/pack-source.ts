import { ClientError, type LogClient, type VerifiedHead } from '@treering/client';
import { type Absence, LARGEST_ATTACHMENT, type PackHead, PackIndex, type PackItem, type Question } from '@treering/evidence';
import type { Candidate } from '@treering/governance';
import { equalBytes, safeSize } from '@treering/merkle';
import { parseCheckpoint, parseNote } from '@treering/note';
import { type AttachmentRef, decodeRecord, openAttachment, printable, RecordError } from '@treering/record';
import { parseStatement, RECORD_CONTENT_TYPE, StatementError } from '@treering/statement';
import { fetchBlob } from './commands/attachment.js';
import { replayLog } from './replay.js';
import type { Session } from './session.js';

/** A log that was read once, so that questions about it can be answered. */
export interface ReadLog {
  readonly head: VerifiedHead;
  readonly index: PackIndex;
  /** Entries that hold batches of decisions, by the root of the batch in hex. */
  readonly batches: ReadonlyMap<string, number>;
  /** Entries that are in the log against its own rules. */
  readonly findings: readonly number[];
}

/**
 * Reads a whole log under its newest head, decides every admission again, and collects what its entries refer to.
 * @throws ClientError
 */
export async function readLog(session: Session, client: LogClient): Promise<ReadLog> {
  const index = new PackIndex(session.trust().origin);
  const batches = new Map<string, number>();
  const findings: number[] = [];
  const onRead = (content: Candidate | undefined): void => {
    if (content?.record?.type === 'decision-batch') batches.set(hex(content.record.root), index.size);
    index.see(content);
  };
  const { head } = await replayLog(session, client, { onRead, onFinding: (finding) => findings.push(finding.index) });
  return { head, index, batches, findings };
}

/** The heads that a log keeps, up to one that was verified, and that one last. They prove themselves to whoever reads the pack. */
export async function headsUpTo(client: LogClient, head: VerifiedHead): Promise<PackHead[]> {
  const heads: PackHead[] = [];
  for await (const note of client.keptHeads()) {
    const size = safeSize(parseCheckpoint(parseNote(note).text).size);
    if (size > head.size) break;
    if (size > 0 && !equalBytes(note, head.note)) heads.push({ size, note });
  }
  return [...heads, { size: head.size, note: head.note }];
}

/** The attachments that an entry names. */
export function refsOf(entry: Uint8Array): readonly AttachmentRef[] {
  return recordOf(entry)?.attachments ?? [];
}

/** The attachments that an entry says were erased, in hex. */
export function erasedBy(entry: Uint8Array): readonly string[] {
  const record = recordOf(entry);
  return record?.type === 'correction' ? (record.erased ?? []).map(hex) : [];
}

function recordOf(entry: Uint8Array) {
  try {
    const { contentType, payload } = parseStatement(entry);
    return contentType === RECORD_CONTENT_TYPE ? decodeRecord(payload) : undefined;
  } catch (error) {
    if (error instanceof StatementError || error instanceof RecordError) return undefined;
    throw error;
  }
}

type Enclosed = Extract<PackItem, { readonly kind: 'attachment' | 'absent' }>;

/**
 * Fetches the attachments that a question discloses, one after the other, and says why others are not there.
 * @param refs by digest in hex
 * @param erased digests in hex that entries of the pack say were erased
 */
export async function* enclosedAttachments(
  session: Session,
  client: LogClient,
  { question, refs, erased }: { question: Question; refs: ReadonlyMap<string, AttachmentRef>; erased: ReadonlySet<string> },
): AsyncGenerator<Enclosed> {
  for (const id of [...refs.keys()].sort()) {
    const ref = refs.get(id) as AttachmentRef;
    const why = erased.has(id) ? 'erased' : absenceOf(ref, question);
    const blob = why === undefined ? await fetched(session, client, ref) : why;
    if (typeof blob === 'string') yield { kind: 'absent', digest: ref.digest, why: blob };
    else yield { kind: 'attachment', digest: ref.digest, blob };
  }
}

function absenceOf({ access, size }: AttachmentRef, { attachments }: Question): Absence | undefined {
  if (access === 'withheld') return 'withheld';
  if (attachments === 'none') return 'not-asked';
  if (access === 'restricted' && attachments === 'public') return 'restricted';
  return size + 16 > LARGEST_ATTACHMENT ? 'too-large' : undefined;
}

async function fetched(session: Session, client: LogClient, ref: AttachmentRef): Promise<Uint8Array | Absence> {
  try {
    const blob = await fetchBlob(session, client, ref);
    openAttachment(blob, ref);
    return blob;
  } catch (error) {
    if (error instanceof RecordError) {
      session.terminal.remark(`the log does not give out ${printable(ref.name)} as it was recorded: ${error.message}`);
      return 'unavailable';
    }
    if (!(error instanceof ClientError)) throw error;
    if (error.status === 404 || error.status === 410) return 'unavailable';
    if (error.status === 401 || error.status === 403) return 'restricted';
    throw error;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
