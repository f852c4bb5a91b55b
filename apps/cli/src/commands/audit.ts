import { nodeMeans } from '@treering/foreign/node';
import { Audit, type AuditFinding } from '@treering/governance';
import { printable } from '@treering/record';
import { EXIT } from '../exit.js';
import type { Session } from '../session.js';

const MOST_FINDINGS = 1000;

/** `audit`: replays a whole log from its entries, and decides every admission again under the rules that were in force. */
export async function audit(session: Session): Promise<number> {
  const { terminal } = session;
  const client = session.client();
  const head = await client.head();
  const replay = new Audit(nodeMeans);
  const findings: AuditFinding[] = [];
  const bar = terminal.progress('auditing');
  const report = (finding: AuditFinding): void => {
    if (findings.length >= MOST_FINDINGS) return;
    findings.push(finding);
    const { index, code, rule, message } = finding;
    terminal.line(`${terminal.colour('bad', '✗')} entry ${index}: ${printable(message)}`);
    terminal.line(`    decided by ${printable(rule)} (${code})`);
  };
  try {
    for await (const entry of client.replay(head)) {
      const audited = await replay.next(entry);
      if (!audited.admitted) report(audited.finding);
      if (replay.size % 256 === 0) bar.update(replay.size, head.size);
    }
  } finally {
    bar.stop();
  }
  const { state } = replay;
  const { origin } = session.trust();
  // The rules within a log could be somebody else's: its charter names the log, and its keys sign the head.
  if (head.size > 0 && state.charter !== undefined && state.charter.origin !== origin) {
    report({
      index: 0,
      code: 'governance/bad-charter',
      rule: 'charter',
      message: `the charter is for ${state.charter.origin}, and this log is ${origin}`,
    });
  }
  terminal.line(`${head.size} entries replayed; they hash to the signed head, root ${Buffer.from(head.root).toString('hex')}`);
  terminal.line(
    findings.length === 0
      ? `${terminal.colour('good', '✓')} every entry was admitted by the rules in force for it`
      : terminal.colour('bad', `${findings.length} entries are in the log against its rules`),
  );
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
    findings,
  });
  return findings.length === 0 ? EXIT.ok : EXIT.failed;
}
