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
export {
  DECISION_SALT_SIZE,
  type Decision,
  decisionRoot,
  decodeDecision,
  encodeDecision,
  findDecision,
  proveDecision,
} from './decision.js';
export { EvidenceError, type EvidenceErrorCode } from './errors.js';
export { logTime, newestTime, timeText } from './log-time.js';
export { ATTESTATION_KEY, ATTESTATION_ROLE, examineAttestations } from './pack/attestation-claims.js';
export type { FileBytes } from './pack/byte-source.js';
export type { ProvedDecision } from './pack/decision-claims.js';
export {
  type Absence,
  type DecisionItem,
  decodeItem,
  encodeItem,
  LARGEST_ATTACHMENT,
  type PackHeader,
  type PackItem,
} from './pack/format.js';
export type { HeadSeen, Sighting } from './pack/head-seen.js';
export type { PackEntry } from './pack/pack-entry.js';
export { asksAbout, DISCLOSURES, describeQuestion, type Question, questionSchema } from './pack/question.js';
export { isPack, readPack } from './pack/read.js';
export { PackIndex, type Selection } from './pack/select.js';
export {
  type DisclosedAttachment,
  type PackListener,
  type PackReport,
  type PackTrust,
  verifyPack,
} from './pack/verify.js';
export { type PackHead, type PackParts, writePack } from './pack/write.js';
export { type RecordAlarm, recordAlarms } from './record-alarms.js';
export { formatTlogProof, parseTlogProof, type TlogProof } from './tlog-proof.js';
export { type AlarmReport, type AlarmTrust, verifyAlarmProof } from './verify-alarm-proof.js';
export {
  isCose,
  REQUIRED_RECEIPT_CLAIMS,
  type ReceiptReport,
  type ReceiptTrust,
  verifyCoseReceipt,
} from './verify-receipt.js';
export { type ProofReport, type ProofTrust, REQUIRED_CLAIMS, verifyTlogProof } from './verify-tlog-proof.js';
