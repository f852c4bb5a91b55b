import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Decision, decisionRoot } from '@treering/evidence';
import { nodeHasher } from '@treering/merkle/node';
import { printable, type RecordOf } from '@treering/record';
import { formatDecisions, readDecisions } from '../decision-file.js';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { entryId } from './read.js';

/** Flags of `decisions record`. */
export interface DecisionFlags {
  readonly deployment: string;
  readonly subject?: string;
  readonly reason: string;
  readonly keep?: string;
  readonly out?: string;
  readonly wait: boolean;
  readonly rebase: boolean;
}

/**
 * `decisions record`: logs that decisions were made, without saying which. The salts are written to a file before anything is
 * sent: who loses them can never prove a decision. A file that has its salts is recorded with them, so that one whose answer was lost
 * can be recorded again.
 */
export async function recordDecisions(session: Session, path: string, flags: DecisionFlags): Promise<void> {
  const given = resolve(session.cwd, path);
  const { decisions, fresh } = await readDecisions(given, false);
  const client = session.client();
  const deployed = await client.entry(entryId(flags.deployment));
  if (deployed.record?.type !== 'deployment' || deployed.record.phase !== 'active')
    throw new UsageError(`entry ${deployed.index} puts nothing into service: name a deployment of the phase active`);
  const { environment, service, state } = deployed.record;
  const subject = flags.subject ?? `decisions/${environment}/${service}`;
  const prev = await previousLeaf(client, subject);
  const times = decisions.map(({ at }) => at);
  const future = decisions.find(({ at }) => at > Date.now() + 300_000);
  if (future !== undefined) throw new UsageError(`decision ${printable(future.id)} lies in the future`);
  const record: RecordOf<'decision-batch'> = {
    v: 1,
    type: 'decision-batch',
    subject,
    reason: flags.reason,
    deployment: deployed.leaf,
    state,
    root: decisionRoot(decisions, nodeHasher),
    count: decisions.length,
    first_at: times.reduce((a, b) => Math.min(a, b)),
    last_at: times.reduce((a, b) => Math.max(a, b)),
    ...(prev === undefined ? {} : { prev }),
  };
  if (fresh)
    await keepSalts(session, resolve(session.cwd, flags.keep ?? `${path.replace(/\.jsonl?$/, '')}.decisions`), decisions);
  const proof =
    flags.out === undefined ? join(session.cwd, `${subject.replace(/\//g, '-')}.tlog-proof`) : resolve(session.cwd, flags.out);
  await submitRecord(session, client, record, { proof, wait: flags.wait, rebase: flags.rebase });
}

async function keepSalts(session: Session, path: string, decisions: readonly Decision[]): Promise<void> {
  await writeFile(path, formatDecisions(decisions), { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST'
      ? new UsageError(
          `${printable(path)} exists: it may hold the salts of this batch; record that file then, or name another with --keep`,
        )
      : error;
  });
  session.terminal.remark(`The decisions with their salts are in ${printable(path)}: keep it, nothing can be proved without.`);
}
