import { resolve } from 'node:path';
import type { AuditFinding } from '@treering/governance';
import { printable } from '@treering/record';
import { EXIT, UsageError } from '../exit.js';
import { replayLog } from '../replay.js';
import type { Session } from '../session.js';
import { EvidenceAudit, sentenceOf } from './evidence.js';

const MOST_FINDINGS = 1000;

/** Flags of `audit`. */
export interface AuditFlags {
  /** Also fetch the evidence of enrolments by token, and compare it. */
  readonly evidence?: boolean;
  /** A file that says how far the log was audited before. */
  readonly resume?: string;
  /** Only for an audit by hashes; refused here. */
  readonly tiles?: boolean;
  readonly trust?: string;
}

/** `audit`: replays a whole log from its entries, and decides every admission again under the rules that were in force. */
export async function audit(session: Session, flags: AuditFlags = {}): Promise<number> {
  const { terminal } = session;
  const misplaced = (['tiles', 'trust'] as const).find((name) => flags[name] !== undefined);
  if (misplaced !== undefined) throw new UsageError(`--${misplaced} goes with --hash-only`);
  const client = session.client();
  const findings: AuditFinding[] = [];
  const onFinding = (finding: AuditFinding): void => {
    if (findings.length >= MOST_FINDINGS) return;
    findings.push(finding);
    const { index, code, rule, message } = finding;
    terminal.line(`${terminal.colour('bad', '✗')} entry ${index}: ${printable(message)}`);
    terminal.line(`    decided by ${printable(rule)} (${code})`);
  };
  const enrolments = new EvidenceAudit(session.trust().origin);
  const { head, state } = await replayLog(session, client, {
    onFinding,
    ...(flags.resume === undefined ? {} : { resume: resolve(session.cwd, flags.resume) }),
    ...(flags.evidence ? { onEntry: (...seen) => enrolments.see(...seen) } : {}),
  });
  const against = findings.length;
  const evidence = flags.evidence ? await enrolments.examine(session, client, onFinding) : undefined;
  const { origin } = session.trust();
  terminal.line(`${head.size} entries replayed; they hash to the signed head, root ${Buffer.from(head.root).toString('hex')}`);
  terminal.line(
    against === 0
      ? `${terminal.colour('good', '✓')} every entry was admitted by the rules in force for it`
      : terminal.colour('bad', `${against} entries are in the log against its rules`),
  );
  if (evidence !== undefined) terminal.line(sentenceOf(evidence));
  if (state.policy !== undefined) {
    terminal.line(
      `  policy of entry ${state.policyIndex} in force; administrators ${state
        .administrators()
        .map(({ id }) => id)
        .join(', ')}, ${state.threshold} of whom must agree`,
    );
    for (const { index, record } of state.proposals())
      terminal.line(`  a change of the ${record.subject} waits for administrators: entry ${index}`);
  }
  terminal.result({
    origin,
    size: head.size,
    root: Buffer.from(head.root).toString('hex'),
    policy: state.policyIndex,
    administrators: state.administrators().map(({ id }) => id),
    threshold: state.threshold,
    log_keys: state.logKeys,
    witnesses: state.witnesses,
    ...(evidence === undefined ? {} : { evidence }),
    findings,
  });
  return findings.length === 0 ? EXIT.ok : EXIT.failed;
}
