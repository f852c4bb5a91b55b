import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8, NoteError, parseDecimal } from '@treering/note';
import { EvidenceError } from './errors.js';

/*
 * https://c2sp.org/tlog-proof
 *
 *   c2sp.org/tlog-proof@v1
 *   extra <base64>                    optional, not authenticated by itself; Treering puts the statement here
 *   index <decimal>
 *   <base64 of 32 bytes>              inclusion proof, leaf to root, zero or more lines
 *   <empty line>
 *   <signed checkpoint, verbatim>
 */

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
/** Files beyond this size are refused. */
const MAX_SIZE = 1024 * 1024;
/** A tree of 2^64 leaves has paths of 64 hashes. */
const MAX_HASHES = 64;

/** A proof file as read; nothing in it is checked yet. */
export interface TlogProof {
  /** What stands in the `extra` line; for Treering the entry (a signed statement). */
  readonly extra: Uint8Array | undefined;
  /** Exact to 2^64 - 1. */
  readonly index: bigint;
  /** 32 bytes each. */
  readonly hashes: readonly Uint8Array[];
  /** The signed note, verbatim. */
  readonly checkpoint: Uint8Array;
}

/** The text of a proof file. */
export function formatTlogProof(proof: TlogProof): Uint8Array {
  const lines = [
    FIRST_LINE,
    ...(proof.extra === undefined ? [] : [`extra ${encodeBase64(proof.extra)}`]),
    `index ${proof.index}`,
    ...proof.hashes.map(encodeBase64),
    '',
  ];
  return encodeUtf8(`${lines.join('\n')}\n${decodeUtf8(proof.checkpoint)}`);
}

/**
 * Reads a proof file strictly.
 * @throws EvidenceError
 */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  if (bytes.length > MAX_SIZE) throw new EvidenceError('evidence/too-large', `a proof file has at most ${MAX_SIZE} bytes`);
  try {
    return parse(decodeUtf8(bytes));
  } catch (error) {
    if (error instanceof NoteError)
      throw new EvidenceError('evidence/malformed', `the proof file is malformed: ${error.message}`);
    throw error;
  }
}

function parse(text: string): TlogProof {
  const fail = (why: string): never => {
    throw new EvidenceError('evidence/malformed', `the proof file is malformed: ${why}`);
  };
  const end = text.indexOf('\n\n');
  if (end < 0) return fail('there is no empty line before the checkpoint');
  const lines = text.slice(0, end).split('\n');
  if (lines.shift() !== FIRST_LINE) return fail(`the first line is not ${FIRST_LINE}`);
  const extra = lines[0]?.startsWith('extra ') ? decodeBase64((lines.shift() as string).slice('extra '.length)) : undefined;
  const index = lines.shift();
  if (index?.startsWith('index ') !== true) return fail('there is no index line');
  if (lines.length > MAX_HASHES) return fail(`there are more than ${MAX_HASHES} hashes`);
  const hashes = lines.map((line) => {
    const hash = decodeBase64(line);
    return hash.length === 32 ? hash : fail('a hash has not 32 bytes');
  });
  return {
    extra,
    index: parseDecimal(index.slice('index '.length), 'the index'),
    hashes,
    checkpoint: encodeUtf8(text.slice(end + 2)),
  };
}
