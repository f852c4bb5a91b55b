export { admit, checkClock, clockSkew, DEFAULT_CLOCK_SKEW } from './admit.js';
export { isApproved, rulesFor, type Tally, tallyApprovals } from './approvals.js';
export { Audit, type Audited, type AuditFinding, type AuditListener, type Prepared } from './audit.js';
export {
  type Authenticated,
  authenticate,
  type CertificateFinding,
  keyFor,
  looksLikeBundle,
  type Means,
} from './authenticate.js';
export { type Candidate, createCandidate, type IssuerFinding, type Verified } from './candidate.js';
export type { Decision, Refusal } from './decision.js';
export { rolesFor } from './enrolment.js';
export { GovernanceError, type RefusalCode } from './errors.js';
export { explainPolicy, mistakesIn, type PolicyReading } from './explain.js';
export { matchesGlob, matchesText } from './glob.js';
export { prepareAhead } from './prepare-ahead.js';
export { ruleFor } from './rules.js';
export { restoreState, restoreStateInParts, type SavedState, saveState, saveStateInParts } from './snapshot.js';
export { GovernanceState } from './state.js';
export type { ApprovalFact, Freeze, Identity, LatestRecord, Proposal, Version } from './state-parts.js';
export type { Undo } from './undo.js';
