import { type Checkpoint, formatCheckpoint, formatSignatureLine, type NoteSignature, type Signer } from '@treering/note';
import { Problem } from '@treering/server';

/**
 * Cosignature lines over a re-encoding of what was parsed, never over the bytes that somebody sent.
 * @param time seconds since the epoch, not 0
 * @throws Problem 400 when no key can: ML-DSA cosignatures do not cover extension lines
 */
export function cosign(checkpoint: Checkpoint, signers: readonly Signer[], time: number): NoteSignature[] {
  const encoded = formatCheckpoint(checkpoint);
  const able = checkpoint.extensions.length === 0 ? signers : signers.filter((s) => s.signSubtree === undefined);
  if (able.length === 0)
    throw new Problem(400, 'witness/extensions', 'this witness cosigns no checkpoints with extension lines');
  return able.map((signer) => signer.sign(encoded, BigInt(time)));
}

/** The body of an answer with cosignatures: lines that a client appends to its checkpoint. */
export function signatureLines(lines: readonly NoteSignature[]): string {
  return lines.map((line) => `${formatSignatureLine(line)}\n`).join('');
}
