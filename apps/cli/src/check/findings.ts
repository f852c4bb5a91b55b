import type { LogClient } from '@treering/client';
import { type DeploymentEntry, type Difference, type InService, reconcile } from '@treering/deployment';
import { equalBytes } from '@treering/merkle';
import { printable, stateDigest } from '@treering/record';
import type { Session } from '../session.js';
import { readContent } from './logged.js';
import type { Observed } from './observed.js';

/** What came of looking at one service. */
export interface Finding {
  readonly service: string;
  readonly verdict: 'match' | 'mismatch' | 'inconclusive' | 'in-progress' | 'nothing';
  /** The record that put it into service. */
  readonly deployment: DeploymentEntry | undefined;
  /** State digest of what was found, 32 bytes. */
  readonly state: Uint8Array;
  readonly differences: readonly Difference[];
  /** What nobody looked at, in words. */
  readonly unseen: readonly string[];
}

const ZERO = new Uint8Array(32);

/**
 * Compares one service with the log.
 * @param logged where the log says that it stands, undefined when the log knows nothing of it; and whether what is announced may go
 *   live any moment
 * @param observed undefined when nobody says where it runs
 */
export async function findDifferences(
  session: Session,
  client: LogClient,
  service: string,
  { standing, coming }: { readonly standing: InService | undefined; readonly coming: boolean },
  observed: Observed | undefined,
): Promise<Finding> {
  const { active, announced } = standing ?? { active: undefined, announced: undefined };
  const image = observed?.content.image ?? active?.record.image;
  const { model, config } = observed?.content ?? {};
  const state = stateDigest(model?.digest ?? ZERO, config?.digest ?? ZERO, image);
  const found = { service, deployment: active, state, unseen: observed?.unseen ?? [] };
  const due = coming ? announced?.record : undefined;
  // The files are there before the log says that they are live.
  if (due !== undefined && model !== undefined && config !== undefined) {
    const announcedState = stateDigest(model.digest, config.digest, observed?.content.image ?? due.image);
    if (equalBytes(announcedState, due.state) && (active === undefined || !equalBytes(state, active.record.state)))
      return { ...found, verdict: 'in-progress', differences: [] };
  }
  const content = active === undefined ? undefined : await readContent(session, client, active, observed?.content);
  if (active !== undefined && content === undefined) {
    const text = `entry ${active.index} names a model or a configuration that the log does not have`;
    return { ...found, verdict: 'mismatch', differences: [{ kind: 'model', text }] };
  }
  const differences = reconcile(content, observed?.content);
  if (differences.length > 0) return { ...found, verdict: 'mismatch', differences };
  if (active === undefined) return { ...found, verdict: 'nothing', differences };
  // An image that nobody looked at may be any: that ends no alarm.
  const blind = active.record.image !== undefined && observed?.content.image === undefined;
  return { ...found, verdict: blind ? 'inconclusive' : 'match', differences };
}

/** A finding in one sentence, for the reason of a record: which files, and never what is in them. */
export function summaryOf({ service, verdict, differences, unseen }: Finding): string {
  const unlooked = unseen.length === 0 ? '' : ` Nobody looked at ${unseen.join(' and ')}.`;
  if (verdict === 'match') return `What runs as ${service} is what was logged.${unlooked}`;
  if (verdict === 'nothing') return `Nothing runs as ${service}, and nothing is logged to run.`;
  if (verdict === 'inconclusive') return `What was looked at of ${service} is what was logged.${unlooked}`;
  const list = differences.map(({ text }) => text).join('; ');
  return Array.from(printable(`What runs as ${service} is not what was logged: ${list}.${unlooked}`))
    .slice(0, 2000)
    .join('');
}
