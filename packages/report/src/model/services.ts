import { hex } from '@treering/note';
import { type Approval, approvalsByTarget, approvalsOf } from './approvals.js';
import { type EntryOf, type PackContent, signedAt } from './content.js';

/** A time during which a service ran one model in one configuration, as those who run it recorded. */
export interface Period {
  readonly deployment: EntryOf<'deployment'>;
  /** Seconds since the epoch. */
  readonly from: number;
  /** Undefined while nothing in the file ends it. */
  readonly until: number | undefined;
  /** The entry that ended or replaced it. */
  readonly endedBy: number | undefined;
  readonly model: EntryOf<'model'> | undefined;
  readonly config: EntryOf<'config'> | undefined;
  readonly approvals: readonly Approval[];
}

/** What ran as one service in one environment, the earliest first. */
export interface Service {
  readonly subject: string;
  readonly name: string;
  readonly environment: string;
  readonly periods: readonly Period[];
  /** A deployment that was announced last, and not put into service. */
  readonly announced: EntryOf<'deployment'> | undefined;
}

/** What was in service when, from the deployment records of a file, by subject. */
export function servicesIn(content: PackContent): Service[] {
  const bySubject = new Map<string, EntryOf<'deployment'>[]>();
  for (const entry of content.of('deployment')) {
    const list = bySubject.get(entry.record.subject);
    if (list === undefined) bySubject.set(entry.record.subject, [entry]);
    else list.push(entry);
  }
  const approvals = approvalsByTarget(content);
  return [...bySubject]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([subject, list]) => service(content, approvals, subject, list));
}

function service(
  content: PackContent,
  approvals: ReadonlyMap<string, readonly Approval[]>,
  subject: string,
  list: readonly EntryOf<'deployment'>[],
): Service {
  const periods: Period[] = [];
  let running: Omit<Period, 'until' | 'endedBy'> | undefined;
  const end = (by: EntryOf<'deployment'> | undefined): void => {
    if (running === undefined) return;
    periods.push({ ...running, until: by === undefined ? undefined : (signedAt(by) ?? 0), endedBy: by?.index });
    running = undefined;
  };
  for (const [i, deployment] of list.entries()) {
    const { phase, state, model, config } = deployment.record;
    if (phase === 'intent') continue;
    // The same state put into service again is a change of something else, such as the replicas.
    if (phase === 'active' && running !== undefined && hex(running.deployment.record.state) === hex(state)) continue;
    end(deployment);
    if (phase === 'ended') continue;
    running = {
      deployment,
      from: signedAt(deployment) ?? 0,
      model: content.find('model', model),
      config: content.find('config', config),
      approvals: approvalsOf(approvals, deployment, list[i - 1]),
    };
  }
  end(undefined);
  const last = list[list.length - 1];
  const { service: name, environment } = last.record;
  return { subject, name, environment, periods, announced: last.record.phase === 'intent' ? last : undefined };
}
