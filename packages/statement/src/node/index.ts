import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { SignatureThread } from '@treering/note/node';
import { encodeBase64Url } from '../json-view.js';
import type { SignatureCheck } from '../sign1.js';

/** One thread for all that this process checks. It starts when there is much to check, and does not keep the process alive. */
const ed25519 = new SignatureThread({ onLost: (error) => process.emitWarning(error) });

/**
 * The same verdict as `checkSignature`, computed on other threads than the calling one. The bytes must not change before the answer.
 * @throws TableMismatchError of `@treering/note/tables` (by rejection) when two computations differ, which is no verdict
 */
export function checkSignatureOffThread({ key, message, signature }: SignatureCheck): Promise<boolean> {
  if (key.curve === 'Ed25519') return ed25519.verify(key.x, message, signature);
  if (signature.length !== key.x.length * 2) return Promise.resolve(false);
  let publicKey: KeyObject;
  try {
    const jwk = { kty: 'EC', crv: key.curve, x: encodeBase64Url(key.x), y: encodeBase64Url(key.y as Uint8Array) };
    publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return Promise.resolve(false);
  }
  const digest = key.curve === 'P-256' ? 'sha256' : 'sha384';
  return new Promise((resolve, reject) => {
    verify(digest, message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature, (error, valid) => {
      if (error === null) resolve(valid);
      else reject(error);
    });
  });
}
