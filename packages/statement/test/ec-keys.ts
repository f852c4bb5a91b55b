import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { ALG, type CoseKey, createCoseKey, type StatementSigner } from '../src/index.js';

/** A key pair of node:crypto with the COSE side of it. */
export interface TestKey {
  readonly privateKey: KeyObject;
  readonly key: CoseKey;
  /** The algorithm that goes with the curve. */
  readonly algorithm: number;
  /** The raw signature that COSE wants: r ‖ s for ECDSA. */
  sign(message: Uint8Array): Uint8Array;
}

/** The COSE key of a public key that node:crypto holds: from PEM, a certificate, or generated. */
export function coseKeyOf(publicKey: KeyObject): CoseKey {
  const { crv, x, y } = publicKey.export({ format: 'jwk' });
  const bytes = (text: string | undefined): Uint8Array => new Uint8Array(Buffer.from(text ?? '', 'base64url'));
  return createCoseKey(crv as CoseKey['curve'], bytes(x), y === undefined ? undefined : bytes(y));
}

/** A new key pair. */
export function generateTestKey(curve: CoseKey['curve']): TestKey {
  const { privateKey } =
    curve === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: curve });
  const digest = { Ed25519: null, 'P-256': 'sha256', 'P-384': 'sha384' }[curve];
  return {
    privateKey,
    key: coseKeyOf(createPublicKey(privateKey)),
    algorithm: { Ed25519: ALG.eddsa, 'P-256': ALG.es256, 'P-384': ALG.es384 }[curve],
    sign: (message) => new Uint8Array(sign(digest, message, { key: privateKey, dsaEncoding: 'ieee-p1363' })),
  };
}

/** The key pair as a signer whose signing takes time, as one in a KMS does. */
export function slowSigner({ key, algorithm, sign: signNow }: TestKey): StatementSigner {
  return { key, algorithm, sign: async (message) => signNow(message) };
}

/** SHA-256 of the parts, by node:crypto. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
