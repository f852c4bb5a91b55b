import { AttestationError } from './errors.js';
import { malformed, TpmReader } from './tpm-reader.js';

/** TPM_GENERATED_VALUE: only the TPM itself signs what begins so with a restricted key ("\xffTCG"). */
const MAGIC = 0xff544347;
const TPM_ST_ATTEST_QUOTE = 0x8018;

/** What else a TPM may attest, by the tag: none of it is a quote. */
const OTHERS: Readonly<Record<number, string>> = {
  32788: 'an NV index',
  32789: 'the audit of a command',
  32790: 'the audit of a session',
  32791: 'that a key is loaded',
  32793: 'the time',
  32794: 'the creation of an object',
  32796: 'the digest of an NV index',
};

/** The hash algorithm of the one bank of registers that counts here: TPM_ALG_SHA256. */
export const TPM_ALG_SHA256 = 0x000b;

/** A name is an algorithm and a digest of at most 64 bytes; a digest is at most as long. */
const LONGEST_NAME = 66;
const LONGEST_DIGEST = 64;
const MOST_BANKS = 16;
/** Bytes of a bitmap: 32 registers. */
const LARGEST_BITMAP = 4;

/** The largest TPMS_ATTEST of a quote within these bounds, in bytes. */
export const LARGEST_QUOTE = 512;

/** Registers that were selected of one bank. */
export interface PcrSelection {
  /** TPM_ALG_ID of the bank. */
  readonly hash: number;
  /** Ascending. */
  readonly pcrs: readonly number[];
}

/** What a TPM signs about its registers: a TPMS_ATTEST of the type quote (TPM 2.0 Library part 2, section 10.12.12). */
export interface TpmQuote {
  /** The TPM's qualified name of the key that signs. */
  readonly signer: Uint8Array;
  /** What the one who asked has put in: the nonce. */
  readonly extraData: Uint8Array;
  /** Milliseconds for which the TPM has run since it was cleared. */
  readonly clock: bigint;
  /** Counts of resets and of restarts. A TPM adds a number of its own to each when the key is in the owner's hierarchy. */
  readonly resetCount: number;
  readonly restartCount: number;
  /** Whether the clock is sure never to have shown a larger value. */
  readonly safe: boolean;
  readonly firmware: bigint;
  readonly selection: readonly PcrSelection[];
  /** The digest of the selected registers, one after the other. */
  readonly pcrDigest: Uint8Array;
}

/**
 * Reads a TPMS_ATTEST of the type quote, every byte of it.
 * @throws AttestationError attestation/malformed, or attestation/unsupported for another type of attestation
 */
export function parseQuote(bytes: Uint8Array): TpmQuote {
  if (bytes.length > LARGEST_QUOTE) throw malformed(`a quote has at most ${LARGEST_QUOTE} bytes, got ${bytes.length}`);
  const reader = new TpmReader(bytes, 'the quote');
  if (reader.uint32('its magic value') !== MAGIC) throw malformed('no TPM made this: a quote begins with ff544347');
  const type = reader.uint16('its type');
  if (type !== TPM_ST_ATTEST_QUOTE) {
    const other = OTHERS[type];
    if (other === undefined) throw malformed(`an attestation of the type ${type.toString(16)} is not known`);
    throw new AttestationError('attestation/unsupported', `this attests ${other}, and not registers`);
  }
  const quote = {
    signer: reader.sized(LONGEST_NAME, 'the name of the signer'),
    extraData: reader.sized(LONGEST_DIGEST, 'the nonce'),
    clock: reader.uint64('the clock'),
    resetCount: reader.uint32('the count of resets'),
    restartCount: reader.uint32('the count of restarts'),
    safe: yesOrNo(reader.uint8('the safe flag')),
    firmware: reader.uint64('the version of the firmware'),
    selection: readSelection(reader),
    pcrDigest: reader.sized(LONGEST_DIGEST, 'the digest of the registers'),
  };
  reader.end();
  return quote;
}

/** TPMI_YES_NO */
function yesOrNo(value: number): boolean {
  if (value > 1) throw malformed(`the safe flag is ${value}, and neither 0 nor 1`);
  return value === 1;
}

/** TPML_PCR_SELECTION */
function readSelection(reader: TpmReader): PcrSelection[] {
  const count = reader.uint32('the count of banks');
  if (count > MOST_BANKS) throw malformed(`${count} banks are selected, and a TPM has at most ${MOST_BANKS}`);
  return Array.from({ length: count }, (): PcrSelection => {
    const hash = reader.uint16('the algorithm of a bank');
    const size = reader.uint8('the size of a bitmap');
    if (size === 0 || size > LARGEST_BITMAP) throw malformed(`a bitmap of ${size} bytes selects no registers`);
    const bitmap = reader.bytes(size, 'a bitmap');
    const pcrs = Array.from({ length: size * 8 }, (_, pcr) => pcr).filter((pcr) => ((bitmap[pcr >> 3] >> (pcr & 7)) & 1) === 1);
    return { hash, pcrs };
  });
}
