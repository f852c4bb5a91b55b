export { type Checkpoint, formatCheckpoint, parseCheckpoint } from './checkpoint.js';
export {
  type CosignedSubtree,
  ed25519CosignatureMessage,
  MLDSA44_SIGNATURE_SIZE,
  mldsa44CosignatureMessage,
} from './cosignature.js';
export { checkEd25519PublicKey, type Ed25519, portableEd25519 } from './ed25519.js';
export { NoteError, type NoteErrorCode } from './errors.js';
export {
  createVerifierKey,
  formatVerifierKey,
  hex,
  KEY_TYPE,
  MLDSA44_PUBLIC_KEY_SIZE,
  parseVerifierKey,
  type VerifierKey,
} from './key.js';
export {
  type AddEntriesHeader,
  formatAddEntriesHeader,
  formatMirrorInfo,
  MAX_TICKET_SIZE,
  MIRROR_INFO_TYPE,
  type MirrorInfo,
  parseMirrorInfo,
} from './mirror-request.js';
export {
  formatNote,
  formatSignatureLine,
  MAX_NOTE_SIZE,
  MAX_SIGNATURES,
  type Note,
  type NoteSignature,
  parseNote,
  parseSignatureLine,
} from './note.js';
export { isCosignatureKey, type LogTrust, type OpenedCheckpoint, openCheckpoint } from './open-checkpoint.js';
export {
  evaluateQuorum,
  type PolicyGroup,
  type PolicyLog,
  type PolicyWitness,
  parsePolicy,
  type QuorumResult,
  requireQuorum,
  type TrustPolicy,
} from './policy.js';
export { createEd25519Signer, createSigner, formatSignerKey, parseSignerKey, type Signer, type SignerKey } from './signer.js';
export { concatBytes, decodeBase64, decodeUtf8, encodeBase64, encodeUtf8, parseDecimal } from './text.js';
export { type OpenedNote, openNote, type VerifiedSignature, verifyEcdsa, verifyMldsa44 } from './verifier.js';
export {
  type AddCheckpointRequest,
  formatAddCheckpoint,
  formatSignSubtree,
  MAX_PROOF_HASHES,
  parseAddCheckpoint,
  parseSignSubtree,
  type SignSubtreeRequest,
} from './witness-request.js';
