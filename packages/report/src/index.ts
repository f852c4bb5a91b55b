export { embedPack, LARGEST_EMBEDDED } from './embed-pack.js';
export { ReportError, type ReportErrorCode } from './errors.js';
