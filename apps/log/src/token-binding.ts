import { createHash } from 'node:crypto';
import type { OidcProvider } from '@treering/record';
import { type CoseKey, coseKeyThumbprint, encodeBase64Url } from '@treering/statement';
import { calculateJwkThumbprint, type JWK, type JWTPayload } from 'jose';

/**
 * The value that binds a token to a key: base64url of SHA-256("treering/enrolment/v1" ‖ 0x00 ‖ origin ‖ 0x00 ‖ thumbprint).
 * Clients ask for it as the `nonce`, or behind a slash in the audience.
 */
export function enrolmentNonce(origin: string, kid: Uint8Array): string {
  return createHash('sha256').update(`treering/enrolment/v1\0${origin}\0`).update(kid).digest('base64url');
}

/** What is wrong with the way in which a token's claims name the key that is enrolled; undefined when all is well. */
export async function bindingMistake(
  { binding, audience }: OidcProvider,
  claims: JWTPayload,
  key: CoseKey,
  origin: string,
): Promise<string | undefined> {
  const nonce = enrolmentNonce(origin, coseKeyThumbprint(key));
  switch (binding) {
    case 'nonce':
      return claims.nonce === nonce ? undefined : 'its nonce is for another key';
    case 'audience':
      return [claims.aud].flat().includes(`${audience}/${nonce}`) ? undefined : 'its audience is for another key';
    case 'cnf': {
      const { cnf } = claims as { cnf?: { jkt?: unknown } };
      return cnf?.jkt === (await jwkThumbprint(key)) ? undefined : 'its confirmation (cnf.jkt) is for another key';
    }
    case 'possession':
      // The signature of the request was the proof; the token counts once.
      return undefined;
  }
}

/** The JWK thumbprint of a key (RFC 7638, base64url of 32 bytes), which a token's `cnf.jkt` names (RFC 9449). */
export function jwkThumbprint(key: CoseKey): Promise<string> {
  return calculateJwkThumbprint(jwkOf(key));
}

function jwkOf({ curve, x, y }: CoseKey): JWK {
  if (y === undefined) return { kty: 'OKP', crv: curve, x: encodeBase64Url(x) };
  return { kty: 'EC', crv: curve, x: encodeBase64Url(x), y: encodeBase64Url(y) };
}
