export { AscendingAnchor, createFileAnchor, type HeadAnchor } from './anchor.js';
export { AuthenticReader } from './authentic-reader.js';
export { SequencerError, type SequencerErrorCode } from './errors.js';
export type { PoolLimits } from './pool.js';
export { type Cosign, Publisher, type PublisherOptions } from './publisher.js';
export { type RecoverOptions, recover, storedTree } from './recover.js';
export { Sequencer, type SequencerOptions } from './sequencer.js';
export type { Admission, Committed, Submission, Undo } from './submission.js';
