export { type AdmissionOptions, GovernedAdmission } from './admission.js';
export { createApp } from './app.js';
export { ACCESS_CONTENT_TYPE } from './attachments.js';
export { ConfigError, configSchema, type LogConfig, nearest, parseConfig } from './config.js';
export { type DataFolder, dataFolder, openAnchor } from './data-folder.js';
export {
  ENROLMENT_CONTENT_TYPE,
  type Enrolled,
  enrolmentNonce,
  jwkThumbprint,
  pseudonymSecret,
  Registrar,
} from './enrolment.js';
export { type Finding, type FsckReport, fsck } from './fsck.js';
export { hasLog, type InitOptions, initLog, STARTING_POLICY } from './init.js';
export { activateKeys, type LogKeyPair, type LogKeys, logKeysFrom, openLogKeys, retireKeys } from './keys.js';
export { type Accepted, Log, type LogParts } from './log.js';
export { createMetrics } from './metrics.js';
export { TokenVerifier, type VerifiedToken } from './oidc.js';
export { openApi } from './openapi.js';
export { toProblem } from './problem.js';
export type { Server } from './routes/context.js';
export { type ServedLog, serveLog } from './serve.js';
export { createSnapshotFile, type Snapshot, type SnapshotStore } from './snapshot.js';
