export { countingRecords, type DeploymentEntry, ENDS, type InService, inService } from './in-service.js';
export { type PermitQuestion, type PermitReport, type PermitTrust, verifyPermit } from './permit.js';
export { type PinnedImage, parsePinnedImage } from './pinned-image.js';
export { type Difference, type LoggedContent, type ObservedContent, reconcile } from './reconcile.js';
