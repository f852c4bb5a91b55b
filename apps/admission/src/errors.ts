/** Stable codes of AdmissionError. */
export type AdmissionErrorCode = 'admission/certificate' | 'admission/config';

/** Why the webhook may not start. Switch on `code`; the message is a sentence for people. */
export class AdmissionError extends Error {
  override readonly name = 'AdmissionError';
  readonly code: AdmissionErrorCode;

  constructor(code: AdmissionErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
