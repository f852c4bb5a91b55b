import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { ClientError, type LogClient, type LoggedEntry } from '@treering/client';
import { mistakesIn } from '@treering/governance';
import { equalBytes } from '@treering/merkle';
import { type Attachment, type ChangeRecord, encodeRecord, printable, renderRecord } from '@treering/record';
import { signStatement } from '@treering/statement';
import { UsageError } from './exit.js';
import type { Session } from './session.js';

/** How a record is submitted. */
export interface SubmitOptions {
  readonly attachments?: readonly Attachment[];
  /** Where the proof file is written. */
  readonly proof: string;
  /** false answers as soon as the entry is durable, before the checkpoint is published. */
  readonly wait?: boolean;
  /** false: when somebody was faster, the record is not put on top of theirs. */
  readonly rebase?: boolean;
}

/** The newest record of a subject, whose leaf a new record names in `prev`; undefined when there is none. */
export async function previousLeaf(client: LogClient, subject: string): Promise<Uint8Array | undefined> {
  try {
    return (await client.history(subject, 1))[0]?.leaf;
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return undefined;
    throw error;
  }
}

/**
 * Signs a record, submits it, verifies the answer, writes the proof file, uploads the attachments, and only then prints.
 * @throws ClientError, RecordError, StatementError
 */
export async function submitRecord(
  session: Session,
  client: LogClient,
  record: ChangeRecord,
  options: SubmitOptions,
): Promise<LoggedEntry> {
  requireNoMistake(record);
  const kept = `${options.proof}.attachments`;
  const logged = await signAndSubmit(session, client, record, options).catch(async (error) => {
    // It may be logged all the same; without its salt the content could then never be shown.
    if (!isRefusal(error)) await keepAll(options.attachments ?? [], kept);
    throw error;
  });
  await mkdir(dirname(options.proof), { recursive: true });
  await writeFile(options.proof, logged.proofFile);
  const stranded = await uploadAll(client, options.attachments ?? [], logged.index, kept);
  report(session, record, logged, options.proof);
  if (stranded !== undefined) throw stranded;
  return logged;
}

/** What nobody can want to record is not signed, and need not reach the log. @throws UsageError */
export function requireNoMistake(record: ChangeRecord): void {
  const mistakes = mistakesIn(record);
  if (mistakes.length > 0) throw new UsageError(`this ${record.type} is not signed: ${mistakes.join('; ')}`);
}

/** Times that a record is put on top of what somebody else recorded meanwhile. */
export const MOST_REBASES = 5;

/** Whether the log refused a record because it does not name the newest one of its subject. */
export function isConflict(error: unknown): boolean {
  return error instanceof ClientError && error.problem === 'governance/prev-conflict';
}

/** Signs and submits; when the subject has got another newest record meanwhile, says whose, and signs again on top of it. */
async function signAndSubmit(
  session: Session,
  client: LogClient,
  record: ChangeRecord,
  options: SubmitOptions,
): Promise<LoggedEntry> {
  const { iss, signer } = await session.signer();
  let current = record;
  for (let rebases = 0; ; rebases++) {
    const claims = { iss, sub: current.subject, iat: Math.floor(Date.now() / 1000) };
    const statement = await signStatement(claims, encodeRecord(current), signer);
    try {
      return await submitRetrying(client, statement, options.wait === false ? 'commit' : 'witnessed');
    } catch (error) {
      if (!isConflict(error) || options.rebase === false || rebases === MOST_REBASES) throw error;
      const [newest] = await client.history(current.subject, 1);
      if (newest === undefined || (current.prev !== undefined && equalBytes(newest.leaf, current.prev))) throw error;
      const what = newest.record === undefined ? 'a foreign statement' : renderRecord(newest.record).title;
      session.terminal.remark(
        `${current.subject} has a newer record: entry ${newest.index}, ${what}. Signing again on top of it.`,
      );
      current = { ...current, prev: newest.leaf };
    }
  }
}

/**
 * Sends the same statement again when nobody knows whether it arrived: it is never logged twice.
 * @param patient false: witnesses that do not cosign in the time that the log gives them are waited for no longer
 */
export async function submitRetrying(
  client: LogClient,
  statement: Parameters<LogClient['submit']>[0],
  wait: 'commit' | 'witnessed',
  patient = true,
): Promise<LoggedEntry> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await client.submit(statement, wait);
    } catch (error) {
      if (attempt === 5 || !mayPass(error) || (!patient && isUnwitnessed(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
    }
  }
}

/** Whether a statement is logged, and its head not cosigned in time. */
export function isUnwitnessed(error: unknown): boolean {
  return error instanceof ClientError && error.status === 504;
}

/** Whether the log has said no for good. After anything else the statement may be logged all the same. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ClientError) || error.status === undefined) return false;
  return error.status === 507 || (error.status >= 400 && error.status < 500 && error.status !== 429);
}

/** Whether sending the same statement again may help: the log was not reached, or was not able to answer. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof ClientError) || isRefusal(error)) return false;
  return error.code === 'client/unreachable' || error.status !== undefined;
}

async function keepAll(attachments: readonly Attachment[], folder: string): Promise<void> {
  if (attachments.length > 0) await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const { ref, blob } of attachments)
    await writeFile(join(folder, Buffer.from(ref.digest).toString('hex')), blob, { mode: 0o600 });
}

/** Uploads attachments; what does not arrive is kept in a folder, because without its salt it could never be shown again. */
async function uploadAll(
  client: LogClient,
  attachments: readonly Attachment[],
  index: number,
  folder: string,
): Promise<Error | undefined> {
  let failure: Error | undefined;
  for (const { ref, blob } of attachments) {
    const digest = Buffer.from(ref.digest).toString('hex');
    try {
      if (ref.access !== 'withheld') {
        await client.putAttachment(digest, blob, index);
        continue;
      }
    } catch (error) {
      failure = new Error(
        `entry ${index} is logged, but its attachment ${ref.name} could not be uploaded (${(error as Error).message}); it is kept in ${folder}`,
        { cause: error },
      );
    }
    await keepAll([{ ref, blob }], folder);
  }
  return failure;
}

function report({ terminal, cwd, settings }: Session, record: ChangeRecord, logged: LoggedEntry, proof: string): void {
  const leaf = Buffer.from(logged.leaf).toString('hex');
  const path = relative(cwd, proof) || proof;
  terminal.line(
    `${terminal.colour('good', '✓')} ${terminal.bold(`${record.type} ${record.subject}`)} is entry ${logged.index}${logged.duplicate ? ' (it was logged before)' : ''}`,
  );
  terminal.line(`  leaf   ${leaf}`);
  terminal.line(`  head   ${logged.head.size} entries, root ${Buffer.from(logged.head.root).toString('hex')}`);
  terminal.line('  checked: signature of the head, inclusion of the entry, consistency with every head seen before, receipt');
  terminal.line(`  proof  ${printable(path)}`);
  terminal.result({
    index: logged.index,
    leaf,
    subject: record.subject,
    duplicate: logged.duplicate,
    size: logged.head.size,
    proof,
    url: settings.url,
  });
}
