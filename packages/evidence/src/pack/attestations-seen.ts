import type { AttachmentRef } from '@treering/record';
import type { Claim } from '../claim.js';
import { type Examiner, listEntries, type PackEntry } from './pack-entry.js';

/** What looks at the attestations of a pack, and at the attachments in which their evidence is. */
export interface AttestationExaminer extends Examiner {
  /** An attachment of the file that is byte for byte what was recorded. */
  disclosed(ref: AttachmentRef, content: Uint8Array): void;
  claims(): Claim[];
}

/** Says which attestations nobody has examined. */
export class AttestationsSeen implements AttestationExaminer {
  readonly #indices: number[] = [];

  see({ index, record }: PackEntry): void {
    if (record?.type === 'attestation') this.#indices.push(index);
  }

  disclosed(): void {}

  claims(): Claim[] {
    if (this.#indices.length === 0) return [];
    const text = `The quotes of TPMs in ${listEntries(this.#indices)} are not examined here; "treering verify" does.`;
    return [{ name: 'attestation', verdict: 'not proved', text }];
  }
}
