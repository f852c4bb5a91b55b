import { type Hasher, MerkleInputError, ProofError, verifySubtreeConsistency } from '@treering/merkle';
import {
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
  readonly hasher: Hasher;
}

/** A cosigner's lines for a part of a tree. */
export interface SignedSubtree {
  readonly origin: string;
  /** Whose keys signed the checkpoint, and the part. */
  readonly cosigner: Cosigner;
  readonly lines: string;
}

/**
 * sign-subtree (https://c2sp.org/tlog-witness): cosignature lines for a part of a tree whose head one of the cosigners has
 * cosigned, with the keys of just this one: what a witness says is never exchanged for what a mirror says.
 * @throws Problem 400, 403, 404 or 422
 */
export function signSubtree(body: Uint8Array, { cosigners, requireKnown, hasher }: SubtreeSigning): SignedSubtree {
  const { start, end, hash, proof, checkpoint: bytes } = readAs400(() => parseSignSubtree(body));
  const { parsed, checkpoint } = readAs400(() => {
    const note = parseNote(bytes);
    return { parsed: note, checkpoint: parseCheckpoint(note.text) };
  });
  const { origin, size, root } = checkpoint;
  requireKnown(origin);
  const cosigner = whoSigned(parsed, cosigners);
  try {
    verifySubtreeConsistency(start, end, size, hash, root, proof, hasher);
  } catch (error) {
    if (error instanceof MerkleInputError) throw new Problem(400, 'witness/malformed', error.message);
    if (error instanceof ProofError) throw new Problem(422, 'witness/inconsistent', error.message);
    throw error;
  }
  const lines = cosigner.signers.flatMap(({ signSubtree: sign }) => sign?.({ origin, start, end, hash }) ?? []);
  if (lines.length === 0) throw new Problem(404, 'witness/no-subtrees', 'this witness has no key that cosigns subtrees');
  return { origin, cosigner, lines: signatureLines(lines) };
}

function whoSigned(note: Note, cosigners: readonly Cosigner[]): Cosigner {
  let opened: OpenedNote;
  try {
    opened = openNote(
      note,
      cosigners.flatMap(({ signers }) => signers.map(({ key }) => key)),
      nodeEd25519,
    );
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    throw new Problem(403, 'witness/not-cosigned', `this witness has not cosigned the checkpoint: ${error.message}`);
  }
  const signed = ({ signers }: Cosigner): boolean =>
    opened.verified.some(({ key }) => signers.some((signer) => signer.key === key));
  return cosigners.find(signed) as Cosigner;
}
