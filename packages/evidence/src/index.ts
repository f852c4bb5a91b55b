export {
  type AlarmKind,
  type AlarmProof,
  decodeAlarmProof,
  encodeAlarmProof,
  isAlarmProof,
  parseAlarmProof,
  type SignedAlarmProof,
  signAlarmProof,
} from './alarm-proof.js';
export { type Claim, holds } from './claim.js';
export { EvidenceError, type EvidenceErrorCode } from './errors.js';
export { type RecordAlarm, recordAlarms } from './record-alarms.js';
export { formatTlogProof, parseTlogProof, type TlogProof } from './tlog-proof.js';
export { type AlarmReport, type AlarmTrust, logTime, newestTime, verifyAlarmProof } from './verify-alarm-proof.js';
export {
  isCose,
  REQUIRED_RECEIPT_CLAIMS,
  type ReceiptReport,
  type ReceiptTrust,
  verifyCoseReceipt,
} from './verify-receipt.js';
export { type ProofReport, type ProofTrust, REQUIRED_CLAIMS, verifyTlogProof } from './verify-tlog-proof.js';
