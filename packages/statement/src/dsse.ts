import { p256, p384 } from '@noble/curves/nist.js';
import { decodeUtf8, type Ed25519, encodeUtf8, portableEd25519 } from '@treering/note';
import { type CoseKey, uncompressedPoint } from './cose-key.js';
import { StatementError } from './errors.js';

/** A DSSE envelope (https://github.com/secure-systems-lab/dsse, version 1). */
export interface DsseEnvelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  /** `keyid` is a hint and nothing more. */
  readonly signatures: readonly { readonly keyid: string | undefined; readonly signature: Uint8Array }[];
}

const MAX_ENVELOPE_SIZE = 16 * 1024 * 1024;
const MAX_SIGNATURES = 64;

/**
 * Reads an envelope from JSON. Standard and URL-safe base64 are both read, as the specification demands.
 * @throws StatementError (dsse/malformed)
 */
export function parseDsse(bytes: Uint8Array): DsseEnvelope {
  if (bytes.length > MAX_ENVELOPE_SIZE)
    throw new StatementError('dsse/malformed', `an envelope has at most ${MAX_ENVELOPE_SIZE} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(decodeUtf8(bytes));
  } catch (error) {
    throw new StatementError('dsse/malformed', `the envelope is no JSON: ${(error as Error).message}`);
  }
  return dsseFromJson(json);
}

/** @throws StatementError (dsse/malformed) unless the value has the members of an envelope */
export function dsseFromJson(json: unknown): DsseEnvelope {
  const { payloadType, payload, signatures } = members(json);
  if (typeof payloadType !== 'string' || payloadType === '' || /\p{Cs}/u.test(payloadType))
    throw new StatementError('dsse/malformed', 'payloadType is no text');
  if (!Array.isArray(signatures) || signatures.length === 0 || signatures.length > MAX_SIGNATURES) {
    throw new StatementError('dsse/malformed', `an envelope has 1 to ${MAX_SIGNATURES} signatures`);
  }
  return {
    payloadType,
    payload: anyBase64(payload, 'payload'),
    signatures: signatures.map((item: unknown) => {
      const { keyid, sig } = members(item);
      if (keyid !== undefined && keyid !== null && typeof keyid !== 'string')
        throw new StatementError('dsse/malformed', 'keyid is no text');
      return { keyid: keyid ?? undefined, signature: anyBase64(sig, 'sig') };
    }),
  };
}

/** Pre-authentication encoding: "DSSEv1" SP length SP type SP length SP body. */
export function dssePae(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = encodeUtf8(payloadType);
  const head = encodeUtf8(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  const out = new Uint8Array(head.length + payload.length);
  out.set(head);
  out.set(payload, head.length);
  return out;
}

/**
 * Verifies that at least one signature of each given key holds, and returns the payload that may now be parsed.
 * ECDSA signatures are read in DER and as r ‖ s; the hash follows the curve.
 * @throws StatementError (dsse/bad-signature)
 */
export function verifyDsse(envelope: DsseEnvelope, keys: readonly CoseKey[], ed25519: Ed25519 = portableEd25519): Uint8Array {
  if (keys.length === 0) throw new StatementError('dsse/bad-signature', 'no key was given to verify the envelope with');
  const message = dssePae(envelope.payloadType, envelope.payload);
  for (const key of keys) {
    if (!envelope.signatures.some(({ signature }) => holds(key, message, signature, ed25519))) {
      throw new StatementError('dsse/bad-signature', 'no signature of the envelope holds under the key');
    }
  }
  return envelope.payload;
}

function holds(key: CoseKey, message: Uint8Array, signature: Uint8Array, ed25519: Ed25519): boolean {
  if (key.curve === 'Ed25519') return ed25519.verify(key.x, message, signature);
  const curve = key.curve === 'P-256' ? p256 : p384;
  return (['der', 'compact'] as const).some((format) => {
    try {
      return curve.verify(signature, message, uncompressedPoint(key), { lowS: false, format });
    } catch {
      return false;
    }
  });
}

function members(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new StatementError('dsse/malformed', 'a JSON object is missing');
  return value as Record<string, unknown>;
}

function anyBase64(value: unknown, what: string): Uint8Array {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value))
    throw new StatementError('dsse/malformed', `${what} is no base64`);
  try {
    return Uint8Array.from(atob(value.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  } catch {
    throw new StatementError('dsse/malformed', `${what} is no base64`);
  }
}
