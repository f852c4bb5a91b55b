import type { RefusalCode } from './errors.js';
import type { LatestRecord } from './state-parts.js';

/** The verdict on one statement. `rule` names what decided. */
export type Decision = { readonly admitted: true; readonly rule: string } | Refusal;

/** The verdict that a statement is not admitted. */
export interface Refusal {
  readonly admitted: false;
  readonly code: RefusalCode;
  /** The rule that decided, such as `policy@0/engineers` or `default deny`. */
  readonly rule: string;
  readonly message: string;
  /** For governance/logged-before and statement/twin: the entry that is in the way. */
  readonly index?: number | undefined;
  /** For governance/prev-conflict: the subject's newest record, if it has one. */
  readonly current?: LatestRecord | undefined;
}

/** The rule by which administrators act on keys and policy. */
export const ADMINISTRATORS = 'charter/administrators';

/** The role that only administrators give. */
export const ADMINISTRATOR_ROLE = 'administrator';

/** Makes a refusal. */
export function refuse(code: RefusalCode, rule: string, message: string): Refusal {
  return { admitted: false, code, rule, message };
}
