export { admit, checkClock, DEFAULT_CLOCK_SKEW, type Decision, keyFor } from './admit.js';
export { type Candidate, createCandidate } from './candidate.js';
export { GovernanceError, type RefusalCode } from './errors.js';
export { matchesGlob } from './glob.js';
export { GovernanceState, type Identity, type LatestRecord, type Undo } from './state.js';
