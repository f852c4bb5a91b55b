export { verifyCertificates } from './certificates.js';
export { nodeMeans, verifyBundle } from './means.js';
export { type SigstoreFinding, verifySigstore } from './sigstore.js';
