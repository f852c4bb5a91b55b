import type { Candidate } from '@treering/governance';
import { nearest } from '@treering/log/config';
import {
  type AttachmentRef,
  type Hold,
  isSubject,
  printable,
  type RetentionPreset,
  retentionOf,
  retentionPresets,
} from '@treering/record';
import { UsageError } from '../exit.js';
import { provedRules } from '../replay.js';
import type { Session } from '../session.js';

/** Flags of `retention report`. */
export interface RetentionFlags {
  /** Presets that count; without them all do. */
  readonly rule?: readonly string[];
  /** The day or time to look from, instead of now. */
  readonly at?: string;
  readonly subject?: string;
}

/** `retention presets`: the rules that a report can count with. */
export async function listPresets({ terminal }: Session): Promise<void> {
  for (const preset of retentionPresets) {
    terminal.line(`${terminal.bold(preset.rule)}  ${periodOf(preset)} from ${preset.from} (${preset.source})`);
    terminal.line(`    ${preset.about}`);
    terminal.line(`    attachments of ${preset.types.join(', ')}`);
  }
  terminal.line(
    'A report counts every one of them from the day of signing, because the log does not know the event: an assumption.',
  );
  terminal.result({ presets: retentionPresets });
}

/**
 * `retention report`: which attachments have to be kept until when, and which no rule holds, by nothing but the entries of the log.
 * Nothing is erased.
 */
export async function retentionReport(session: Session, flags: RetentionFlags): Promise<void> {
  const presets = choosePresets(flags.rule);
  const at = flags.at === undefined ? Date.now() : timeOf(flags.at);
  const { subject } = flags;
  if (subject !== undefined && !isSubject(subject))
    throw new UsageError('a subject reads like model/wink: 1 to 8 segments of [a-z0-9._@-]');
  const ledger = new AttachmentLedger(presets);
  const { head } = await provedRules(session, session.client(), {
    onEntry: (index, candidate) => ledger.see(index, candidate),
  });
  const kept = ledger.kept().filter(({ subjects }) => subject === undefined || subjects.has(subject));
  for (const attachment of kept) printAttachment(session, attachment, at);
  printSummary(session, kept, presets, at);
  session.terminal.result({
    origin: session.trust().origin,
    size: head.size,
    at,
    assumptions: presets.map(({ rule, from }) => ({ rule, from, counted_from: 'signing' })),
    attachments: kept.map((attachment) => ({
      index: attachment.index,
      also_named_by: attachment.others,
      subjects: [...attachment.subjects],
      name: attachment.ref.name,
      size: attachment.ref.size,
      access: attachment.ref.access,
      digest: hex(attachment.ref.digest),
      until: attachment.holds[0]?.until ?? null,
      holds: attachment.holds,
      held: isHeld(attachment, at),
      erase: isHeld(attachment, at) ? null : eraseCommand(attachment),
    })),
  });
}

/** Content beside the log that no correction erased. */
interface NamedAttachment {
  /** The entry that named it first: a correction of this one erases it, and of no other. */
  readonly index: number;
  readonly ref: AttachmentRef;
  /** Whether an earlier attachment of the entry has the same name, so that `erase` would take that one. */
  readonly shadowed: boolean;
  /** Later entries that name the same content. */
  readonly others: number[];
  readonly subjects: Set<string>;
}

interface KeptAttachment extends NamedAttachment {
  /** One for each rule, the one that holds longest first. */
  readonly holds: readonly Hold[];
}

/** Learns from the entries of a log, in their order, what is attached, what was erased, and what holds the rest. */
class AttachmentLedger {
  readonly #presets: readonly RetentionPreset[];
  /** By digest; the latest hold of each rule by its name. */
  readonly #kept = new Map<string, NamedAttachment & { readonly latest: Map<string, Hold> }>();
  readonly #erased = new Set<string>();

  constructor(presets: readonly RetentionPreset[]) {
    this.#presets = presets;
  }

  see(index: number, { record, statement }: Candidate): void {
    if (record === undefined) return;
    if (record.type === 'correction') for (const digest of record.erased ?? []) this.#erase(hex(digest));
    const { attachments = [] } = record;
    if (attachments.length === 0) return;
    const { holds } = retentionOf(record, (statement.iat as number) * 1000, this.#presets);
    for (const ref of attachments) {
      const digest = hex(ref.digest);
      if (this.#erased.has(digest)) continue;
      const shadowed = attachments.find(({ name }) => name === ref.name) !== ref;
      const first = { index, ref, shadowed, others: [], subjects: new Set<string>(), latest: new Map<string, Hold>() };
      const named = this.#kept.get(digest) ?? first;
      if (named === first) this.#kept.set(digest, first);
      else if (named.index !== index && named.others.at(-1) !== index) named.others.push(index);
      named.subjects.add(record.subject);
      // The content is stored once: whatever holds it for one of the entries holds it.
      for (const hold of holds) if (hold.until > (named.latest.get(hold.rule)?.until ?? -1)) named.latest.set(hold.rule, hold);
    }
  }

  #erase(digest: string): void {
    this.#erased.add(digest);
    this.#kept.delete(digest);
  }

  /** What is still there, in the order of the entries. */
  kept(): KeptAttachment[] {
    return [...this.#kept.values()].map(({ latest, ...named }) => ({
      ...named,
      holds: [...latest.values()].sort((a, b) => b.until - a.until),
    }));
  }
}

function isHeld({ holds }: KeptAttachment, at: number): boolean {
  return holds.length > 0 && holds[0].until > at;
}

function printAttachment({ terminal }: Session, attachment: KeptAttachment, at: number): void {
  const { index, ref, others, holds } = attachment;
  const sent = ref.access === 'withheld' ? 'withheld: whoever recorded it has the content' : ref.access;
  terminal.line(`${terminal.bold(`entry ${index}`)}  ${printable(ref.name)}, ${ref.size} bytes, ${sent}`);
  if (others.length > 0) terminal.line(`    also named by ${others.length === 1 ? 'entry' : 'entries'} ${others.join(', ')}`);
  for (const { rule, until } of holds)
    terminal.line(
      until > at
        ? `    kept until ${utc(until)} by ${printable(rule)}`
        : terminal.colour('dim', `    ${printable(rule)} ended ${utc(until)}`),
    );
  if (isHeld(attachment, at)) return;
  const command = eraseCommand(attachment);
  terminal.line(
    command === null
      ? '    no chosen rule holds it; an earlier attachment of the entry has its name, so that no command erases it alone'
      : `    no chosen rule holds it: ${printable(command)}`,
  );
}

function printSummary({ terminal }: Session, kept: readonly KeptAttachment[], presets: readonly RetentionPreset[], at: number) {
  const free = kept.filter((attachment) => !isHeld(attachment, at)).length;
  terminal.line(
    `${kept.length} ${kept.length === 1 ? 'attachment' : 'attachments'} on ${utc(at)}: ${kept.length - free} held, ${free} held by no chosen rule`,
  );
  terminal.line(
    'Assumption: every period is counted from the day on which the record was signed. When the event was later, so is the end:',
  );
  for (const preset of presets) terminal.line(`  ${preset.rule}: ${periodOf(preset)} from ${preset.from}`);
  terminal.line(
    'This is what the presets say. Whether they are the right ones, and whether anything else forbids an erasure, is not in the log.',
  );
}

/** The command that erases exactly this, quoted for a shell; null when there is none. */
function eraseCommand({ index, ref, shadowed }: KeptAttachment): string | null {
  if (shadowed) return null;
  const reason = '--reason "The chosen retention rules do not hold it."';
  const name = /^[\w./@-]+$/.test(ref.name) ? ref.name : `'${ref.name.replaceAll("'", "'\\''")}'`;
  return ref.name.startsWith('-')
    ? `treering erase ${index} ${reason} -- ${name}`
    : `treering erase ${index} ${name} ${reason}`;
}

/** @throws UsageError */
function choosePresets(rules: readonly string[] | undefined): readonly RetentionPreset[] {
  const known = retentionPresets.map(({ rule }) => rule);
  for (const rule of rules ?? [])
    if (!known.includes(rule))
      throw new UsageError(`there is no preset "${printable(rule)}"; did you mean "${nearest(rule, known)}"?`);
  return retentionPresets.filter(({ rule }) => rules?.includes(rule) ?? true);
}

/** Milliseconds of a day (its beginning, UTC) or a time with Z. @throws UsageError */
function timeOf(text: string): number {
  const [, day] = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z)?$/.exec(text) ?? [];
  const date = new Date(text);
  // The calendar is lenient: it takes the 30th of February for the 2nd of March.
  if (day === undefined || Number.isNaN(date.getTime()) || !date.toISOString().startsWith(day))
    throw new UsageError(`${printable(text)} is no day such as 2027-12-02, and no time such as 2027-12-02T12:00:00Z`);
  return date.getTime();
}

function periodOf({ years, months }: RetentionPreset): string {
  return years === undefined ? `${months} months` : `${years} years`;
}

/** Records may name times that no calendar reaches. */
function utc(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? 'for ever' : date.toISOString();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
