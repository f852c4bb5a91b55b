import type { Checkpoint } from './checkpoint.js';
import { NoteError } from './errors.js';
import { concatBytes, encodeUtf8, uint64 } from './text.js';

/*
 * https://c2sp.org/tlog-cosignature. What stands behind the key id in a signature line:
 *
 *   +----------------------+---------------------------------------+
 *   | timestamp, u64 BE    | signature, 64 bytes (0x04, Ed25519)   |
 *   | seconds since epoch  |         or 2420 bytes (0x06, ML-DSA)  |
 *   +----------------------+---------------------------------------+
 */

/** Bytes of an ML-DSA-44 signature (FIPS 204). */
export const MLDSA44_SIGNATURE_SIZE = 2420;

const MAX_TIMESTAMP = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

/** The message that an Ed25519 cosignature (0x04) signs: a header with the time, then the whole note text. */
export function ed25519CosignatureMessage(timestamp: bigint, noteText: string): Uint8Array {
  return encodeUtf8(`cosignature/v1\ntime ${checkTimestamp(timestamp)}\n${noteText}`);
}

/** Leaves [start, end) of the tree of `origin`, with the subtree's hash (32 bytes). A whole tree has start 0. */
export interface CosignedSubtree {
  readonly origin: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly hash: Uint8Array;
}

/**
 * The message that an ML-DSA-44 cosignature (0x06) signs:
 * "subtree/v1\n" 0x00, cosigner name, timestamp, origin, start, end, hash; names behind one byte of length.
 * @throws NoteError (note/malformed) when a name has no or more than 255 bytes, or a subtree beside 0 carries a time
 */
export function mldsa44CosignatureMessage(cosigner: string, timestamp: bigint, subtree: CosignedSubtree): Uint8Array {
  checkTimestamp(timestamp);
  if (subtree.start !== 0n && timestamp !== 0n) {
    throw new NoteError('note/malformed', 'a cosignature of a subtree that does not start at 0 has no time');
  }
  for (const bound of [subtree.start, subtree.end]) {
    if (bound < 0n || bound > MAX_UINT64) throw new NoteError('note/malformed', 'a subtree lies between 0 and 2^64 - 1');
  }
  if (subtree.hash.length !== 32) throw new NoteError('note/malformed', 'a subtree hash has 32 bytes');
  return concatBytes(
    encodeUtf8('subtree/v1\n\0'),
    shortText(cosigner),
    uint64(timestamp),
    shortText(subtree.origin),
    uint64(subtree.start),
    uint64(subtree.end),
    subtree.hash,
  );
}

/** The whole tree of a checkpoint as a subtree. */
export function wholeTree(checkpoint: Checkpoint): CosignedSubtree {
  if (checkpoint.extensions.length > 0) {
    throw new NoteError(
      'note/malformed',
      'a checkpoint with extension lines gets no ML-DSA cosignature: it would not cover them',
    );
  }
  return { origin: checkpoint.origin, start: 0n, end: checkpoint.size, hash: checkpoint.root };
}

/** Splits a cosignature into its time and its signature of `signatureSize` bytes. */
export function splitCosignature(
  bytes: Uint8Array,
  signatureSize: number,
): { timestamp: bigint; signature: Uint8Array } | undefined {
  if (bytes.length !== 8 + signatureSize) return undefined;
  const timestamp = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
  return timestamp > MAX_TIMESTAMP ? undefined : { timestamp, signature: bytes.subarray(8) };
}

function checkTimestamp(timestamp: bigint): bigint {
  if (timestamp < 0n || timestamp > MAX_TIMESTAMP)
    throw new NoteError('note/malformed', 'a timestamp is from 0 to 2^63 - 1 seconds');
  return timestamp;
}

function shortText(text: string): Uint8Array {
  const bytes = encodeUtf8(text);
  if (bytes.length < 1 || bytes.length > 255) throw new NoteError('note/malformed', 'a cosigned name has 1 to 255 bytes');
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}
