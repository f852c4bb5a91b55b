import { NoteError } from './errors.js';
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8, parseDecimal } from './text.js';

/** Hashes in a proof beyond this number are refused: 2^63 leaves need no more. */
export const MAX_PROOF_HASHES = 63;

/** What a log sends to a witness (https://c2sp.org/tlog-witness, add-checkpoint). */
export interface AddCheckpointRequest {
  /** The size that the witness is believed to have cosigned last. */
  readonly oldSize: bigint;
  /** Consistency proof from that size, 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /** The signed note. */
  readonly checkpoint: Uint8Array;
}

/** What a witness that cosigned a checkpoint is asked for a part of it (https://c2sp.org/tlog-witness, sign-subtree). */
export interface SignSubtreeRequest {
  /** The leaves [start, end). */
  readonly start: bigint;
  readonly end: bigint;
  /** 32 bytes */
  readonly hash: Uint8Array;
  /** Subtree consistency proof, 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /** The signed note, with the witness's cosignature. */
  readonly checkpoint: Uint8Array;
}

/** The body of add-checkpoint. */
export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpointRequest): Uint8Array {
  return encodeUtf8(`old ${oldSize}\n${hashLines(proof)}\n${decodeUtf8(checkpoint)}`);
}

/** @throws NoteError (note/malformed) */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpointRequest {
  const { lines, checkpoint } = split(body);
  const [first = '', ...hashes] = lines;
  if (!first.startsWith('old ')) throw new NoteError('note/malformed', 'the first line reads "old <size>"');
  return { oldSize: parseDecimal(first.slice(4), 'the old size'), proof: parseHashes(hashes), checkpoint };
}

/** The body of sign-subtree. */
export function formatSignSubtree({ start, end, hash, proof, checkpoint }: SignSubtreeRequest): Uint8Array {
  return encodeUtf8(`subtree ${start} ${end}\n${encodeBase64(hash)}\n${hashLines(proof)}\n${decodeUtf8(checkpoint)}`);
}

/** @throws NoteError (note/malformed) */
export function parseSignSubtree(body: Uint8Array): SignSubtreeRequest {
  const { lines, checkpoint } = split(body);
  const [first = '', hash, ...hashes] = lines;
  const [word, start, end, ...more] = first.split(' ');
  if (word !== 'subtree' || end === undefined || more.length > 0 || hash === undefined)
    throw new NoteError('note/malformed', 'the first lines read "subtree <start> <end>" and the hash of the subtree');
  return {
    start: parseDecimal(start, 'the start'),
    end: parseDecimal(end, 'the end'),
    hash: parseHashes([hash])[0],
    proof: parseHashes(hashes),
    checkpoint,
  };
}

/** The lines before the first empty line, and the checkpoint behind it. */
function split(body: Uint8Array): { lines: string[]; checkpoint: Uint8Array } {
  const text = decodeUtf8(body);
  const at = text.indexOf('\n\n');
  if (at < 0) throw new NoteError('note/malformed', 'an empty line stands between the proof and the checkpoint');
  return { lines: text.slice(0, at).split('\n'), checkpoint: encodeUtf8(text.slice(at + 2)) };
}

function hashLines(hashes: readonly Uint8Array[]): string {
  return hashes.map((hash) => `${encodeBase64(hash)}\n`).join('');
}

function parseHashes(lines: readonly string[]): Uint8Array[] {
  if (lines.length > MAX_PROOF_HASHES)
    throw new NoteError('note/malformed', `a proof has at most ${MAX_PROOF_HASHES} hashes, got ${lines.length}`);
  return lines.map((line) => {
    const hash = decodeBase64(line);
    if (hash.length !== 32) throw new NoteError('note/malformed', `a hash has 32 bytes, got ${hash.length}`);
    return hash;
  });
}
