import { type Hasher, MerkleInputError, ProofError, verifySubtreeConsistency } from '@treering/merkle';
import {
  type Checkpoint,
  type Note,
  NoteError,
  type OpenedNote,
  openNote,
  parseCheckpoint,
  parseNote,
  parseSignSubtree,
  type Signer,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { Problem } from '@treering/server';
import { signatureLines } from './cosign.js';
import { readAs400 } from './untrusted.js';

/** A cosigner, of which there may be several at one address. */
interface Cosigner {
  readonly signers: readonly Signer[];
}

/** What sign-subtree works with. */
export interface SubtreeSigning {
  /** The first one that signed the checkpoint signs its part. */
  readonly cosigners: readonly Cosigner[];
  /** @throws Problem 404 */
  readonly requireKnown: (origin: string) => void;
  /** Whether this cosigner may sign parts of the tree of this checkpoint. @throws Problem 503 */
  readonly requireAble: (cosigner: Cosigner, checkpoint: Checkpoint, note: OpenedNote) => void;
  readonly hasher: Hasher;
}

/**
 * sign-subtree (https://c2sp.org/tlog-witness): cosignature lines for a part of a tree whose head one of the cosigners has
 * cosigned, with the keys of just this one: what a witness says is never exchanged for what a mirror says.
 * @throws Problem 400, 403, 404, 422 or 503
 */
export function signSubtree(body: Uint8Array, { cosigners, requireKnown, requireAble, hasher }: SubtreeSigning): string {
  const { start, end, hash, proof, checkpoint: bytes } = readAs400(() => parseSignSubtree(body));
  const { parsed, checkpoint } = readAs400(() => {
    const note = parseNote(bytes);
    return { parsed: note, checkpoint: parseCheckpoint(note.text) };
  });
  const { origin, size, root } = checkpoint;
  requireKnown(origin);
  const opened = openCosigned(parsed, cosigners);
  const cosigner = whoSigned(opened, cosigners);
  requireAble(cosigner, checkpoint, opened);
  try {
    verifySubtreeConsistency(start, end, size, hash, root, proof, hasher);
  } catch (error) {
    if (error instanceof MerkleInputError) throw new Problem(400, 'witness/malformed', error.message);
    if (error instanceof ProofError) throw new Problem(422, 'witness/inconsistent', error.message);
    throw error;
  }
  const lines = cosigner.signers.flatMap(({ signSubtree: sign }) => sign?.({ origin, start, end, hash }) ?? []);
  if (lines.length === 0) throw new Problem(404, 'witness/no-subtrees', 'this witness has no key that cosigns subtrees');
  return signatureLines(lines);
}

function openCosigned(note: Note, cosigners: readonly Cosigner[]): OpenedNote {
  try {
    return openNote(
      note,
      cosigners.flatMap(({ signers }) => signers.map(({ key }) => key)),
      nodeEd25519,
    );
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    throw new Problem(403, 'witness/not-cosigned', `this witness has not cosigned the checkpoint: ${error.message}`);
  }
}

function whoSigned({ verified }: OpenedNote, cosigners: readonly Cosigner[]): Cosigner {
  const signed = ({ signers }: Cosigner): boolean => verified.some(({ key }) => signers.some((signer) => signer.key === key));
  return cosigners.find(signed) as Cosigner;
}
