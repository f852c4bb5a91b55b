export { AscendingAnchor, createFileAnchor, type HeadAnchor } from './anchor.js';
export { AuthenticReader } from './authentic-reader.js';
export { SequencerError, type SequencerErrorCode } from './errors.js';
export type { PoolLimits } from './pool.js';
export { type Cosign, Publisher, type PublisherOptions } from './publisher.js';
export { type RecoverOptions, recover, storedTree } from './recover.js';
export { type Admission, type Committed, Sequencer, type SequencerOptions, type Submission, type Undo } from './sequencer.js';
