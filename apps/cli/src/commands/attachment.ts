import { writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ClientError, type LogClient, type ReadEntry } from '@treering/client';
import { ACCESS_CONTENT_TYPE } from '@treering/log/content-types';
import { type AttachmentRef, openAttachment, printable, type RecordOf } from '@treering/record';
import { encodeBase64Url, signStatement } from '@treering/statement';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { entryId } from './read.js';

/** `attachment`: fetches an attachment of an entry, and checks it against its digest. */
export async function getAttachment(session: Session, id: string, name: string, flags: { out?: string }): Promise<void> {
  const client = session.client();
  const entry = await client.entry(entryId(id));
  const ref = find(entry, name);
  const content = await fetchAttachment(session, client, ref);
  const path = resolve(session.cwd, flags.out ?? basename(ref.name));
  await writeFile(path, content, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? new UsageError(`${path} exists`) : error;
  });
  session.terminal.line(
    `${session.terminal.colour('good', '✓')} ${printable(ref.name)} of entry ${entry.index}, ${content.length} bytes, as its digest says: ${printable(path)}`,
  );
  session.terminal.result({ index: entry.index, name: ref.name, size: content.length, path });
}

/**
 * The content of an attachment, as its digest says; who asks is shown only when it is restricted.
 * @throws ClientError, or RecordError when it is something else
 */
export async function fetchAttachment(session: Session, client: LogClient, ref: AttachmentRef): Promise<Uint8Array> {
  return openAttachment(await fetchBlob(session, client, ref), ref);
}

/**
 * An attachment as it is stored: salt and content.
 * @throws ClientError
 */
export async function fetchBlob(session: Session, client: LogClient, ref: AttachmentRef): Promise<Uint8Array> {
  const digest = hex(ref.digest);
  return client.attachment(digest).catch(async (error: ClientError) => {
    if (error.status !== 401) throw error;
    return client.attachment(digest, await authorization(session, `access/${digest}`));
  });
}

/** Flags of `erase`. */
export interface EraseFlags {
  readonly reason: string;
  readonly out?: string;
  readonly wait: boolean;
}

/** `erase`: removes attachments of an entry for ever. The log says that and why; all proofs stay valid. */
export async function erase(session: Session, id: string, names: readonly string[], flags: EraseFlags): Promise<void> {
  const client = session.client();
  const entry = await client.entry(entryId(id));
  const erased = names.length === 0 ? refsOf(entry) : names.map((name) => find(entry, name));
  if (erased.length === 0) throw new UsageError(`entry ${entry.index} names no attachment`);
  const prev = await previousLeaf(client, entry.statement.sub);
  const record: RecordOf<'correction'> = {
    v: 1,
    type: 'correction',
    subject: entry.statement.sub,
    reason: flags.reason,
    supersedes: entry.leaf,
    erased: erased.map(({ digest }) => digest),
    ...(prev === undefined ? {} : { prev }),
  };
  const file = `erasure-${entry.index}.tlog-proof`;
  const proof = flags.out === undefined ? join(session.cwd, file) : resolve(session.cwd, flags.out);
  await submitRecord(session, client, record, { proof, wait: flags.wait });
  for (const { digest, name } of erased) await requireGone(client, hex(digest), name);
}

/** The log must not give out what it was told to erase. */
async function requireGone(client: ReturnType<Session['client']>, digest: string, name: string): Promise<void> {
  try {
    await client.attachment(digest);
  } catch (error) {
    if (error instanceof ClientError && error.status !== undefined && [404, 410].includes(error.status)) return;
    throw error;
  }
  throw new ClientError('client/not-verified', `the log logged the erasure and still gives out ${printable(name)}`);
}

/** The header that shows who is asking: a fresh statement about exactly this. */
async function authorization(session: Session, sub: string): Promise<string> {
  const { iss, signer } = await session.signer();
  const claims = { iss, sub, iat: Math.floor(Date.now() / 1000), contentType: ACCESS_CONTENT_TYPE };
  return `Treering ${encodeBase64Url((await signStatement(claims, new Uint8Array(0), signer)).entry)}`;
}

function refsOf({ record }: ReadEntry): readonly AttachmentRef[] {
  return record?.attachments ?? [];
}

function find(entry: ReadEntry, name: string): AttachmentRef {
  const refs = refsOf(entry);
  const ref = refs.find((known) => known.name === name);
  if (ref !== undefined) return ref;
  const names = refs.map((known) => printable(known.name)).join(', ') || 'none';
  throw new UsageError(`entry ${entry.index} has no attachment ${printable(name)}; it has ${names}`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
