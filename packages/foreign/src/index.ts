export { type BundleMaterial, parseBundle, type SigstoreBundle } from './bundle.js';
export { claimsOf } from './claims.js';
export { ForeignError, type ForeignErrorCode } from './errors.js';
export { IN_TOTO_PAYLOAD, type InTotoStatement, parseInToto } from './in-toto.js';
export { parseStrictJson } from './strict-json.js';
