export { decodeCbor, encodeCbor } from './cbor.js';
export { type CborProfile, compareBytes } from './cbor-scan.js';
export { type CborInput, CborTag, type CborValue } from './cbor-value.js';
export {
  ALG,
  type CoseKey,
  coseKeyThumbprint,
  createCoseKey,
  encodeCoseKey,
  keySetMember,
  parseCoseKey,
} from './cose-key.js';
export { type DsseEnvelope, dsseFromJson, dssePae, parseDsse, verifyDsse } from './dsse.js';
export { StatementError, type StatementErrorCode } from './errors.js';
export { decodeBase64Url, encodeBase64Url, fromJson, type Json, toJson } from './json-view.js';
export { issueReceipt, parseReceipt, type Receipt, ReceiptIssuer, type ReceiptProof, verifyReceipt } from './receipt.js';
export {
  checkSignature,
  createStatementSigner,
  HEADER,
  parseSign1,
  type Sign1,
  type SignatureCheck,
  type StatementSigner,
  signatureCheck,
  sigStructure,
  verifySign1,
} from './sign1.js';
export {
  type EnvelopeOf,
  MAX_STATEMENT_SIZE,
  parseStatement,
  type SignedStatement,
  type StatementClaims,
  signStatement,
  twinOf,
} from './signed-statement.js';
export { isOwnContentType, RECORD_CONTENT_TYPE, type StatementHeader } from './statement-header.js';
export { attachReceipts, readReceipts, receiptsOf } from './transparent.js';
