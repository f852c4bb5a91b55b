import type { RecordOf } from '@treering/record';
import { coversGlob } from './glob.js';
import type { GovernanceState } from './state.js';
import type { Freeze } from './state-parts.js';

/** How subjects are closed to further records, and opened again. */

/** What a freeze says as `until` to lift those within its pattern. */
const LIFTS = 0;

/**
 * Whether a freeze is decided on by the administrators, as a proposal where several must agree: one that lifts others and, with a
 * threshold, one without an end or across kinds of subjects. One person alone would stop the log with it.
 */
export function isForAdministrators(
  { threshold }: Pick<GovernanceState, 'threshold'>,
  { on, until }: RecordOf<'freeze'>,
): boolean {
  if (until === LIFTS) return true;
  return threshold > 1 && (until === undefined || on.split('/')[0].includes('*'));
}

/** The freezes after one that is in force. */
export function withFreeze(freezes: readonly Freeze[], { on, until }: RecordOf<'freeze'>, index: number): readonly Freeze[] {
  if (until === LIFTS) return freezes.filter((freeze) => !coversGlob(on, freeze.on));
  return [...freezes, { on, until, index }];
}
