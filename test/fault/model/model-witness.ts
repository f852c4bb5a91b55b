import { equalBytes, verifyConsistency } from '@treering/merkle';
import { type NoteSignature, openCheckpoint, parseNote, type Signer } from '@treering/note';
import { quickEd25519, trust } from './model-keys.js';

/** A head that a witness has cosigned. */
interface Cosigned {
  readonly size: number;
  readonly root: Uint8Array;
  /** As the log signed it. */
  readonly note: Uint8Array;
}

/** One request to cosign: the note, and the proof from the size that the witness is at. */
export interface CosignRequest {
  readonly note: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** The steps of a witness from a request to its answer. In this order a cosignature is never out before it is remembered. */
export const WITNESS_STEPS = ['remember', 'answer'] as const;
export type WitnessStep = (typeof WITNESS_STEPS)[number];

/** A witness (https://c2sp.org/tlog-witness) as far as what it has promised goes. */
export class ModelWitness {
  readonly signer: Signer;
  /** What a crash leaves. */
  remembered: Cosigned | undefined;
  /** The largest head for which a cosignature went out. */
  answered: Cosigned | undefined;

  constructor(signer: Signer) {
    this.signer = signer;
  }

  /** The head of a request, if it may be cosigned. @throws Error when it may not */
  check({ note, proof }: CosignRequest): Cosigned {
    const { checkpoint } = openCheckpoint(note, trust, quickEd25519);
    const size = Number(checkpoint.size);
    const before = this.remembered;
    if (before !== undefined) {
      if (size < before.size) throw new Error(`${this.signer.key.name} is at ${before.size} already`);
      if (size === before.size) {
        if (!equalBytes(before.root, checkpoint.root)) throw new Error('two roots of one size');
      } else verifyConsistency(before.size, size, before.root, checkpoint.root, proof);
    }
    return { size, root: checkpoint.root, note };
  }

  cosign(head: Cosigned): NoteSignature {
    this.answered = head;
    return this.signer.sign(parseNote(head.note).text, 1_700_000_000n);
  }
}
