import { createReadStream } from 'node:fs';
import { link, lstat, open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { LogClient } from '@treering/client';
import {
  type DecisionItem,
  decisionRoot,
  encodeDecision,
  examineAttestations,
  findDecision,
  holds,
  type PackReport,
  proveDecision,
  type Question,
  questionSchema,
  verifyPack,
  writePack,
} from '@treering/evidence';
import { nodeMeans } from '@treering/foreign/node';
import { nodeHasher } from '@treering/merkle/node';
import { nodeEd25519 } from '@treering/note/node';
import { printable } from '@treering/record';
import { readDecisions } from '../decision-file.js';
import { EXIT, UsageError } from '../exit.js';
import { enclosedAttachments, erasedBy, headsUpTo, type ReadLog, readLog, refsOf } from '../pack-source.js';
import type { Session } from '../session.js';
import { writeReportPage } from './evidence-page.js';

/** Flags of `evidence export`. */
export interface ExportFlags {
  readonly subject?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly attachments: Question['attachments'];
  readonly everything?: boolean;
  readonly decisions?: string;
  readonly decision?: readonly string[];
  readonly out: string;
  readonly html?: string;
}

/** `evidence export`: answers a question about a log with one file that verifies offline. */
export async function exportEvidence(session: Session, flags: ExportFlags): Promise<number> {
  const { terminal } = session;
  const question = questionOf(flags);
  if (question.subjects.length === 0 && !question.everything && flags.decision === undefined)
    throw new UsageError('name what is asked about: --subject, --everything, or --decision with --decisions');
  const out = resolve(session.cwd, flags.out);
  const page = flags.html === undefined ? undefined : resolve(session.cwd, flags.html);
  for (const path of page === undefined ? [out] : [out, page]) await requireFree(path);
  const client = session.client();
  const log = await readLog(session, client);
  const decisions = await decisionItems(session, flags, log);
  const pieces = await packOf(session, client, { question, log, decisions });
  await writeWhole(out, pieces);
  const report = await selfCheck(session, out);
  const good = holds(report.claims, report.required);
  say(session, { out, report, question, log });
  const html = page === undefined ? undefined : await writeReportPage(out, page);
  if (html !== undefined) terminal.line(`  page   ${printable(html)}`);
  terminal.line();
  terminal.line(
    `Whoever receives it verifies it with keys of their own: treering verify ${printable(flags.out)} --policy <file>`,
  );
  terminal.result({
    pack: out,
    ...(html === undefined ? {} : { html }),
    size: log.head.size,
    entries: report.entries,
    left_out: report.header.left_out,
    verified: good,
    claims: report.claims,
  });
  return good ? EXIT.ok : EXIT.failed;
}

function questionOf(flags: ExportFlags): Question {
  const read = questionSchema.safeParse({
    subjects: [...new Set(flags.subject ?? [])].sort(),
    ...(flags.from === undefined ? {} : { from: timeOf(flags.from, 'start') }),
    ...(flags.to === undefined ? {} : { to: timeOf(flags.to, 'end') }),
    attachments: flags.attachments,
    ...(flags.everything ? { everything: true } : {}),
  });
  if (!read.success) throw new UsageError(`${read.error.issues[0].path.join('.')}: ${read.error.issues[0].message}`);
  const { from, to } = read.data;
  if (from !== undefined && to !== undefined && from > to) throw new UsageError('the period ends before it begins');
  return read.data;
}

/** Milliseconds since the epoch; a day alone is its first or its last millisecond, in UTC. @throws UsageError */
function timeOf(text: string, end: 'start' | 'end'): number {
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const known = day || /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const time = known ? Date.parse(text) : Number.NaN;
  const real = !Number.isNaN(time) && (!day || new Date(time).toISOString().startsWith(text));
  if (!real) throw new UsageError(`${printable(text)} is no time such as 2026-06-30 or 2026-06-30T12:00:00Z`);
  return day && end === 'end' ? time + 86_400_000 - 1 : time;
}

/** The proofs of the decisions that are asked for, out of the file with their salts. */
async function decisionItems(session: Session, flags: ExportFlags, { batches }: ReadLog): Promise<DecisionItem[]> {
  if (flags.decision === undefined) return [];
  if (flags.decisions === undefined)
    throw new UsageError('--decision needs --decisions: the file that "treering decisions record" wrote');
  const { decisions } = await readDecisions(resolve(session.cwd, flags.decisions), true);
  const index = batches.get(Buffer.from(decisionRoot(decisions, nodeHasher)).toString('hex'));
  if (index === undefined)
    throw new UsageError(`the log has no batch of exactly the decisions in ${printable(flags.decisions)}, in this order`);
  const items = [...new Set(flags.decision)].map((id): DecisionItem => {
    const position = findDecision(decisions, id);
    if (position === undefined)
      throw new UsageError(`there is no decision ${printable(id)} in ${printable(flags.decisions ?? '')}`);
    const hashes = proveDecision(decisions, position, nodeHasher);
    return { kind: 'decision', index, position, leaf: encodeDecision(decisions[position]), hashes };
  });
  return items.sort((a, b) => a.position - b.position);
}

async function packOf(
  session: Session,
  client: LogClient,
  { question, log, decisions }: { question: Question; log: ReadLog; decisions: readonly DecisionItem[] },
): Promise<AsyncIterable<Uint8Array>> {
  const { head, index } = log;
  const also = decisions.map((item) => item.index);
  const { entries, leftOut, anchors } = index.select(question, also);
  if (entries.length === 0) throw new UsageError('the log has no record that answers this: nothing was written');
  const tree = client.tree(head);
  const refs = new Map<string, ReturnType<typeof refsOf>[number]>();
  const erased = new Set<string>();
  const bar = session.terminal.progress('collecting');
  let done = 0;
  const entry = async (at: number): Promise<Uint8Array> => {
    const bytes = await tree.entry(at);
    for (const ref of refsOf(bytes)) refs.set(Buffer.from(ref.digest).toString('hex'), ref);
    for (const digest of erasedBy(bytes)) erased.add(digest);
    bar.update(++done, entries.length);
    if (done === entries.length) bar.stop();
    return bytes;
  };
  const attachments = async function* () {
    // Only now all entries are known that name some.
    yield* enclosedAttachments(session, client, { question, refs, erased });
  };
  return writePack({
    header: { v: 1, origin: session.trust().origin, question, left_out: leftOut },
    entries,
    entry,
    tree,
    heads: await headsUpTo(client, head),
    anchors,
    attachments: attachments(),
    decisions,
  });
}

/** Writes a file that is there whole or not at all, and that never replaces another. */
async function writeWhole(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  try {
    const file = await open(part, 'wx');
    try {
      for await (const piece of pieces) await file.appendFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(part, path).catch(alreadyThere(path));
  } finally {
    await rm(part, { force: true });
  }
}

/** @throws UsageError when something is at a path where a file shall be written */
async function requireFree(path: string): Promise<void> {
  const there = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (there !== undefined) throw new UsageError(`${printable(path)} exists`);
}

function alreadyThere(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw error.code === 'EEXIST' ? new UsageError(`${printable(path)} exists`) : error;
  };
}

/** What the file proves to who trusts the log's keys alone: nobody gets one that its maker has not read. */
async function selfCheck(session: Session, path: string): Promise<PackReport> {
  const { logKeys } = session.trust();
  const policy = { logs: logKeys.map((key) => ({ key })), witnesses: [], groups: [], quorum: 'none' };
  return verifyPack(createReadStream(path), {
    policy,
    means: nodeMeans,
    attestations: examineAttestations,
    hasher: nodeHasher,
    ed25519: nodeEd25519,
  });
}

function say(
  { terminal }: Session,
  { out, report, log }: { out: string; report: PackReport; question: Question; log: ReadLog },
): void {
  const { header, entries, claims } = report;
  const asked = claims.find(({ name }) => name === 'question')?.text ?? '';
  terminal.line(`${terminal.colour('good', '✓')} ${terminal.bold(printable(out))}`);
  terminal.line(`  holds  ${entries} of the ${log.head.size} entries of ${printable(header.origin)}`);
  terminal.line(`  ${printable(asked)}`);
  for (const { name, text, details = [] } of claims.filter(({ name: one }) => one === 'attachments')) {
    terminal.line(`  ${name}: ${printable(text)}`);
    for (const detail of details) terminal.line(`    ${printable(detail)}`);
  }
  if (log.findings.length > 0)
    terminal.line(
      terminal.colour('bad', `  ${log.findings.length} entries of this log are there against its rules; see "treering audit"`),
    );
  for (const { text } of claims.filter(({ verdict }) => verdict === 'failed'))
    terminal.line(`  ${terminal.colour('bad', '✗')} ${printable(text)}`);
}
