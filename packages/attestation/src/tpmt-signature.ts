import { AttestationError } from './errors.js';
import { malformed, TpmReader } from './tpm-reader.js';
import { TPM_ALG_SHA256 } from './tpms-attest.js';

const TPM_ALG_ECDSA = 0x0018;

/** Signature schemes and hashes of TPM 2.0 that are not read here, for messages. */
const SCHEMES: Readonly<Record<number, string>> = {
  5: 'HMAC',
  20: 'RSASSA',
  22: 'RSAPSS',
  26: 'ECDAA',
  27: 'SM2',
  28: 'ECSCHNORR',
};
const HASHES: Readonly<Record<number, string>> = {
  4: 'SHA-1',
  12: 'SHA-384',
  13: 'SHA-512',
  18: 'SM3',
  39: 'SHA3-256',
  40: 'SHA3-384',
  41: 'SHA3-512',
};

/** Bytes of r and of s on P-256. */
const SCALAR = 32;

/** The largest signature that is read, in bytes. */
export const LARGEST_SIGNATURE = 2 + 2 + 2 * (2 + SCALAR);

/**
 * Reads a TPMT_SIGNATURE (TPM 2.0 Library part 2, section 11.3.4) of ECDSA on P-256 with SHA-256.
 * @returns r ‖ s, 64 bytes, as COSE has it
 * @throws AttestationError attestation/unsupported, which names the algorithm, or attestation/malformed
 */
export function parseTpmSignature(bytes: Uint8Array): Uint8Array {
  const reader = new TpmReader(bytes, 'the signature');
  const scheme = reader.uint16('its algorithm');
  if (scheme !== TPM_ALG_ECDSA) throw unsupported(SCHEMES[scheme], scheme);
  const hash = reader.uint16('its hash algorithm');
  if (hash !== TPM_ALG_SHA256) throw unsupported(HASHES[hash] && `ECDSA with ${HASHES[hash]}`, hash);
  const out = new Uint8Array(2 * SCALAR);
  for (const [i, name] of ['r', 's'].entries()) {
    const value = reader.sized(SCALAR, name);
    if (value.length === 0) throw malformed(`the signature has no ${name}`);
    out.set(value, (i + 1) * SCALAR - value.length);
  }
  reader.end();
  return out;
}

function unsupported(name: string | undefined, algorithm: number): AttestationError {
  if (name === undefined) return malformed(`the algorithm ${algorithm.toString(16)} of the signature is not known`);
  return new AttestationError(
    'attestation/unsupported',
    `the quote is signed with ${name}; only ECDSA on P-256 with SHA-256 is read`,
  );
}
