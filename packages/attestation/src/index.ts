export {
  type AttestationEvidence,
  decodeEvidence,
  EVIDENCE_FORMAT,
  EVIDENCE_TYPE,
  encodeEvidence,
} from './attestation-evidence.js';
export { type QuoteClaim, type QuoteClaimName, quoteHolds, REQUIRED_QUOTE_CLAIMS } from './claim.js';
export { AttestationError, type AttestationErrorCode } from './errors.js';
export {
  decodeEvent,
  EVENT_KINDS,
  encodeEvent,
  LAST_STATIC_PCR,
  type MeasuredEvent,
  MOST_EVENTS,
  PCRS,
  replayEvents,
} from './event-log.js';
export { attestationNonce } from './nonce.js';
export { type PcrSelection, parseQuote, type TpmQuote } from './tpms-attest.js';
export { parseTpmSignature } from './tpmt-signature.js';
export { type QuoteReport, type QuoteTrust, verifyQuote } from './verify-quote.js';
