import { createReadStream } from 'node:fs';
import { type HeadSeen, holds, type PackEntry, verifyPack } from '@treering/evidence';
import { nodeMeans } from '@treering/foreign/node';
import { nodeHasher } from '@treering/merkle/node';
import type { TrustPolicy } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { printable, renderRecord } from '@treering/record';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import type { Terminal } from '../terminal.js';
import { printClaims } from './print-claims.js';

/** Records that are listed; a pack may have very many. */
const MOST_LISTED = 500;

/** Flags of `verify` that are about packs. */
export interface VerifyPackFlags {
  readonly ask?: readonly string[];
  readonly verbose?: boolean;
}

/** One record that answers the question, ready to be listed. */
interface Listed {
  readonly index: number;
  readonly title: string;
  readonly signer: string;
  readonly signed: string;
  readonly admitted: boolean;
  before: string | undefined;
}

/** Verifies an evidence pack offline, in pieces: memory does not grow with its attachments. */
export async function verifyPackFile(
  session: Session,
  path: string,
  policy: TrustPolicy,
  flags: VerifyPackFlags,
): Promise<number> {
  const { terminal } = session;
  const listed: Listed[] = [];
  let [asked, open] = [0, [] as Listed[]];
  const onEntry = (entry: PackEntry): void => {
    if (!entry.asked) return;
    asked++;
    if (listed.length >= MOST_LISTED) return;
    const line = listedOf(entry);
    listed.push(line);
    open.push(line);
  };
  const onHead = ({ by }: HeadSeen): void => {
    if (by === undefined) return;
    for (const line of open) line.before = new Date(by * 1000).toISOString();
    open = [];
  };
  const trust = { policy, means: nodeMeans, hasher: nodeHasher, ed25519: nodeEd25519 };
  const report = await verifyPack(createReadStream(path), trust, { onEntry, onHead });
  const { header, claims } = report;
  const required = [
    ...new Set([
      ...report.required,
      ...askedFor(
        flags.ask,
        claims.map(({ name }) => name),
      ),
    ]),
  ];
  const good = holds(claims, required);
  terminal.line(terminal.bold(`Evidence pack of ${printable(header.origin)}`));
  terminal.line();
  printRecords(terminal, { listed, asked, all: report.entries });
  printClaims(terminal, claims, flags.verbose ?? false);
  terminal.line();
  const missing = required.filter((name) => !claims.some((claim) => claim.name === name && claim.verdict === 'proved'));
  const failed = claims.filter(({ verdict }) => verdict === 'failed').map(({ name }) => name);
  if (good) terminal.line(terminal.colour('good', 'Everything that was asked for is proved.'));
  else {
    const names = [...new Set([...failed, ...missing])].join(', ');
    terminal.line(terminal.colour('bad', `Not everything that was asked for is proved: ${names}.`));
  }
  terminal.result({
    verified: good,
    origin: header.origin,
    question: header.question,
    entries: report.entries,
    required,
    claims,
  });
  return good ? EXIT.ok : EXIT.failed;
}

/** What a reader asks for besides what every pack has to prove. @throws UsageError for a name that is none */
function askedFor(names: readonly string[] = [], known: readonly string[]): readonly string[] {
  const optional = ['complete', 'time', 'dates', 'approvals', 'chain', 'attachments', 'anchors', 'decision', 'heads-agree'];
  const wrong = names.find((name) => !known.includes(name) && !optional.includes(name));
  if (wrong !== undefined)
    throw new UsageError(`"${printable(wrong)}" is no claim; known are ${[...new Set([...known, ...optional])].join(', ')}`);
  return names;
}

function listedOf({ index, statement, record, signer, admission }: PackEntry): Listed {
  const iat = statement?.iat;
  const date = iat === undefined ? undefined : new Date(iat * 1000);
  return {
    index,
    title: record === undefined ? `a foreign statement on ${printable(statement?.sub ?? '')}` : renderRecord(record).title,
    signer: signer === undefined ? printable(statement?.iss ?? 'nobody') : `${signer.id} (${signer.roles.join(', ')})`,
    signed: date === undefined || Number.isNaN(date.getTime()) ? 'no date' : date.toISOString(),
    admitted: 'rule' in admission,
    before: undefined,
  };
}

function printRecords(
  terminal: Terminal,
  { listed, asked, all }: { listed: readonly Listed[]; asked: number; all: number },
): void {
  for (const { index, title, signer, signed, admitted, before } of listed) {
    terminal.line(`${terminal.bold(String(index).padStart(6))}  ${signed}  ${title}`);
    const witnessed = before === undefined ? '' : `, witnessed by ${before}`;
    terminal.line(`        ${signer}${witnessed}${admitted ? '' : terminal.colour('bad', ', not admitted by the rules')}`);
  }
  if (asked > listed.length) terminal.line(`        and ${asked - listed.length} more`);
  const others = all - asked;
  if (others > 0) terminal.line(`        with ${others} other entries that they refer to, or that decide about them`);
  terminal.line();
}
