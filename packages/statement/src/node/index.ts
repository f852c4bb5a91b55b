import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { verifyEd25519OffThread } from '@treering/note/node';
import { encodeBase64Url } from '../json-view.js';
import type { SignatureCheck } from '../sign1.js';

/** The same verdict as `checkSignature`, computed on libuv's thread pool instead of the calling thread. */
export function checkSignatureOffThread({ key, message, signature }: SignatureCheck): Promise<boolean> {
  if (key.curve === 'Ed25519') return verifyEd25519OffThread(key.x, message, signature);
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
