import { hexToBytes } from '@noble/hashes/utils.js';
import { equalBytes } from '@treering/merkle';
import { hex } from '@treering/note';
import { type RecordOf, stateDigest } from '@treering/record';
import { type Refusal, refuse } from './decision.js';
import { matchesGlob, reaches } from './glob.js';
import type { GovernanceState } from './state.js';

/** What a deployment says that runs is what it names. */

/**
 * Checks that the state of a deployment is that of its model, configuration and image (formats.md, state digest), so that what is
 * approved is what is observed later. A model or configuration that the log does not have can be named where no rule asks for
 * approvals, and in an emergency; an end says only what ends.
 */
export function checkState(state: GovernanceState, record: RecordOf<'deployment'>): Refusal | undefined {
  if (record.phase === 'ended') return undefined;
  const [model, config] = (['model', 'config'] as const).map((part) => {
    const content = state.content(hex(record[part]));
    return content?.type === part ? hexToBytes(content.digest) : undefined;
  });
  if (model !== undefined && config !== undefined) {
    const expected = stateDigest(model, config, record.image);
    if (equalBytes(expected, record.state)) return undefined;
    const message = `the state of this model, configuration and image is ${hex(expected)}, and not ${hex(record.state)}`;
    return refuse('governance/invalid-record', 'deployment', message);
  }
  const rule = state.policy?.approvals?.find(
    ({ on }) => reaches(on, 'model') || reaches(on, 'config') || matchesGlob(on, record.subject),
  );
  if (rule === undefined || record.break_glass) return undefined;
  const part = model === undefined ? 'model' : 'config';
  const message = `the log has no ${part} record with the leaf hash ${hex(record[part])}, so nobody knows what would run, and whose it is`;
  return refuse('governance/not-approved', `policy@${state.policyIndex}/approvals/${rule.on}`, message);
}
