export { EnrolledKeys } from './enrolled-keys.js';
export { ClientError, type ClientErrorCode } from './errors.js';
export { createHeadMemory, type HeadMemory } from './head-memory.js';
export type { Fetch, HttpOptions } from './http.js';
export { LogClient, type LogClientOptions, type LoggedEntry, type ReadEntry, type VerifiedHead } from './log-client.js';
export { MirrorClient, type MirrorClientOptions, type MirroredHead } from './mirror-client.js';
