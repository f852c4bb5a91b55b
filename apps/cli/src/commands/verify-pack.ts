import { examineAttestations, type FileBytes, type HeadSeen, holds, type PackEntry, verifyPack } from '@treering/evidence';
import { nodeMeans } from '@treering/foreign/node';
import { nodeHasher } from '@treering/merkle/node';
import type { TrustPolicy } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { printable, recordToJson, renderRecord } from '@treering/record';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import type { Terminal } from '../terminal.js';
import { printClaims } from './print-claims.js';

/** Records that are listed; a pack may have very many. */
const MOST_LISTED = 500;

/** Claims that a reader can ask for besides those that every pack has to prove. */
const OPTIONAL = [
  'complete',
  'time',
  'dates',
  'approvals',
  'chain',
  'attachments',
  'anchors',
  'attestation',
  'decision',
  'heads-agree',
];

/** Flags of `verify` that are about packs. */
export interface VerifyPackFlags {
  readonly ask?: readonly string[];
  readonly verbose?: boolean;
}

/** One record of the file, ready to be listed. */
interface Listed {
  readonly entry: PackEntry;
  /** When the reader's witnesses had seen it, in seconds since the epoch. */
  before: number | undefined;
}

/** Verifies an evidence pack offline, piece by piece: memory does not grow with its attachments. */
export async function verifyPackFile(
  session: Session,
  file: FileBytes,
  policy: TrustPolicy,
  flags: VerifyPackFlags,
): Promise<number> {
  const { terminal } = session;
  const asked = new Listing();
  const others = new Listing();
  const onEntry = (entry: PackEntry): void => (entry.asked ? asked : others).add(entry);
  const onHead = (head: HeadSeen): void => {
    asked.head(head);
    others.head(head);
  };
  const trust = {
    policy,
    means: nodeMeans,
    attestations: examineAttestations,
    hasher: nodeHasher,
    ed25519: nodeEd25519,
  };
  const report = await verifyPack(file, trust, { onEntry, onHead });
  const { header, claims } = report;
  const wanted = askedFor(
    flags.ask,
    claims.map(({ name }) => name),
  );
  const required = [...new Set([...report.required, ...wanted])];
  const good = holds(claims, required);
  const verbose = flags.verbose ?? false;
  terminal.line(terminal.bold(`Evidence pack of ${printable(header.origin)}`));
  terminal.line();
  asked.print(terminal, 'What was asked for', verbose);
  others.print(terminal, 'What it refers to, and what decides about it', verbose);
  printClaims(terminal, claims, verbose);
  terminal.line();
  const proved = claims.filter(({ verdict }) => verdict === 'proved').map(({ name }) => name);
  const failed = claims.filter(({ verdict }) => verdict === 'failed').map(({ name }) => name);
  const missing = [...new Set([...failed, ...required.filter((name) => !proved.includes(name))])];
  if (good) terminal.line(terminal.colour('good', 'Everything that was asked for is proved.'));
  else terminal.line(terminal.colour('bad', `Not everything that was asked for is proved: ${missing.join(', ')}.`));
  terminal.result({
    verified: good,
    origin: header.origin,
    question: header.question,
    left_out: header.left_out,
    entries: report.entries,
    required,
    claims,
    // At most so many of each are listed; `entries` counts all.
    records_left_out: asked.leftOut + others.leftOut,
    records: [...asked.json(), ...others.json()].sort((a, b) => a.index - b.index),
  });
  return good ? EXIT.ok : EXIT.failed;
}

/** @throws UsageError for a name that is no claim */
function askedFor(names: readonly string[] = [], known: readonly string[]): readonly string[] {
  const all = [...new Set([...known, ...OPTIONAL])];
  const wrong = names.find((name) => !all.includes(name));
  if (wrong !== undefined) throw new UsageError(`"${printable(wrong)}" is no claim; known are ${all.sort().join(', ')}`);
  return names;
}

/** Records to be listed, and how many there are. */
class Listing {
  readonly #listed: Listed[] = [];
  #open: Listed[] = [];
  #count = 0;

  add(entry: PackEntry): void {
    this.#count++;
    if (this.#listed.length >= MOST_LISTED) return;
    const line: Listed = { entry, before: undefined };
    this.#listed.push(line);
    this.#open.push(line);
  }

  head({ by }: HeadSeen): void {
    if (by === undefined) return;
    for (const line of this.#open) line.before = by;
    this.#open = [];
  }

  /** Records that are not listed. */
  get leftOut(): number {
    return this.#count - this.#listed.length;
  }

  print(terminal: Terminal, title: string, verbose: boolean): void {
    if (this.#count === 0) return;
    terminal.line(terminal.bold(title));
    for (const { entry, before } of this.#listed) {
      const bad = 'rule' in entry.admission ? '' : terminal.colour('bad', ', not admitted by the rules');
      const witnessed = before === undefined ? '' : `, witnessed by ${isoTime(before)}`;
      terminal.line(`${String(entry.index).padStart(6)}  ${isoTime(entry.statement?.iat)}  ${titleOf(entry)}`);
      terminal.line(`        ${signerOf(entry)}${witnessed}${bad}`);
      const facts = verbose && entry.record !== undefined ? renderRecord(entry.record).facts : [];
      for (const { label, value } of facts) terminal.line(`          ${label}: ${value}`);
    }
    if (this.leftOut > 0) terminal.line(`        and ${this.leftOut} more`);
    terminal.line();
  }

  json() {
    return this.#listed.map(({ entry, before }) => ({
      index: entry.index,
      leaf: Buffer.from(entry.leaf).toString('hex'),
      asked: entry.asked,
      title: titleOf(entry),
      signer: entry.signer?.id,
      roles: entry.signer?.roles,
      signed_at: entry.statement?.iat,
      witnessed_by: before,
      admitted: 'rule' in entry.admission ? entry.admission.rule : false,
      ...(entry.record === undefined ? {} : { record: recordToJson(entry.record) }),
    }));
  }
}

function titleOf({ statement, record }: PackEntry): string {
  return record === undefined ? `a foreign statement on ${printable(statement?.sub ?? '')}` : renderRecord(record).title;
}

function signerOf({ signer, statement }: PackEntry): string {
  return signer === undefined ? printable(statement?.iss ?? 'nobody') : `${signer.id} (${signer.roles.join(', ')})`;
}

/** @param seconds since the epoch */
function isoTime(seconds: number | undefined): string {
  const date = seconds === undefined ? undefined : new Date(seconds * 1000);
  return date === undefined || Number.isNaN(date.getTime()) ? 'no date' : date.toISOString().replace('.000Z', 'Z');
}
