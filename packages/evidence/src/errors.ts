/** Stable codes of EvidenceError. */
export type EvidenceErrorCode = 'evidence/malformed' | 'evidence/too-large';

/** A proof file that cannot be read. Whether what it says holds is told by claims, not by errors. */
export class EvidenceError extends Error {
  override readonly name = 'EvidenceError';
  readonly code: EvidenceErrorCode;

  constructor(code: EvidenceErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
