export { EnrolledKeys } from './enrolled-keys.js';
export { ClientError, type ClientErrorCode } from './errors.js';
export {
  type EntryBatch,
  EntryMismatch,
  Follower,
  type FollowerOptions,
  HistoryMismatch,
  requireContained,
} from './follower.js';
export { auditHashes, type HashAudit, type HashAuditOptions } from './hash-audit.js';
export { createHeadMemory, type HeadMemory } from './head-memory.js';
export type { Fetch, HttpOptions } from './http.js';
export { LogClient, type LogClientOptions, type LoggedEntry, type ReadEntry } from './log-client.js';
export { MirrorClient, type MirrorClientOptions, type MirroredHead } from './mirror-client.js';
export { MonitorClient } from './monitor-client.js';
export { openHead, type VerifiedHead } from './open-head.js';
export { ProvedTree } from './proved-tree.js';
export { TlogReader, type TlogReaderOptions } from './tlog-reader.js';
export { type WitnessAnswer, WitnessClient } from './witness-client.js';
