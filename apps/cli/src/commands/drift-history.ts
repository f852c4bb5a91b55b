import { isSubject } from '@treering/record';
import { DeployedReader } from '../deployed.js';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { drawTrends, trendsOfSubject } from '../trends.js';

/** Flags of `drift history`. */
export interface DriftHistoryFlags {
  readonly env: string;
  readonly service: string;
  /** `<metric>` or `<metric>@<slice>` */
  readonly metric?: string;
  readonly svg?: string;
  readonly limit: number;
}

/** `drift history`: how the metrics of a deployment went, from the records of the log, each proved. */
export async function driftHistory(session: Session, { env, service, metric, svg, limit }: DriftHistoryFlags): Promise<void> {
  const subject = `deploy/${env}/${service}`;
  if (!isSubject(subject)) throw new UsageError('--env and --service are segments of [a-z0-9._@-], such as prod and triage');
  const all = await trendsOfSubject(new DeployedReader(session, session.client()), subject, limit);
  const trends = all.filter((trend) => metric === undefined || nameOf(trend) === metric);
  if (trends.length === 0)
    throw new UsageError(
      all.length === 0
        ? `nothing was measured of ${subject} yet: "treering drift" does`
        : `${metric} was not measured of ${subject}; these were: ${all.map(nameOf).join(', ')}`,
    );
  const tolerated = trends.filter(({ points }) => points.some(({ min, max }) => min !== undefined || max !== undefined));
  const inTerminal = metric === undefined ? tolerated.length || 1 : trends.length;
  await drawTrends(session, subject, trends, { inTerminal, svg });
  session.terminal.result({ subject, trends, ...(svg === undefined ? {} : { svg }) });
}

function nameOf({ metric, slice }: { readonly metric: string; readonly slice?: string }): string {
  return slice === undefined ? metric : `${metric}@${slice}`;
}
