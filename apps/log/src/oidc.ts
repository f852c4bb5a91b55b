import { createHash } from 'node:crypto';
import type { OidcProvider } from '@treering/record';
import { Problem } from '@treering/server';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeProtectedHeader,
  errors,
  exportJWK,
  type JWK,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { z } from 'zod';
import { enrolmentNonce } from './token-binding.js';

/** A token that holds. */
export interface VerifiedToken {
  readonly claims: JWTPayload;
  /** First and second part of the token as they came (base64url). */
  readonly header: string;
  readonly payload: string;
  /** SHA-256 of `header.payload`, which is what was signed: whatever is done to the signature, a token has one digest. */
  readonly digest: Buffer;
  /** The issuer's public key that the signature holds under. */
  readonly key: JWK;
}

/** Asymmetric algorithms that are taken when the provider names none. */
export const ALGORITHMS: readonly string[] = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'];
/** Seconds by which the issuer's clock may differ. */
export const CLOCK_TOLERANCE = 30;
/** Seconds that a token may be old when the provider does not say. */
export const TOKEN_AGE = 600;
/** Milliseconds: a request to the issuer, keys kept, and between two requests for keys that were not found. */
const TIMEOUT = 5_000;
const KEYS_KEPT = 10 * 60_000;
const COOLDOWN = 30_000;
const MOST_BYTES = 256 * 1024;

/** Tokens that carry the same claims as an ID token and prove nobody's presence (RFC 8725 section 3.11). */
const OTHER_TYPES = ['logout+jwt', 'secevent+jwt'];

const discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/** `fetch`, or what stands in for it in a test. */
type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Verifies tokens under the providers that the policy names (OpenID Connect Core 1.0 section 3.1.3.7, RFC 8725). Keys come from
 * the issuer's discovery document, are kept for some minutes, and asked for again when a token names one that is not known.
 */
export class TokenVerifier {
  readonly #fetch: Fetch;
  readonly #keys = new Map<string, { readonly keys: Promise<JWTVerifyGetKey>; readonly since: number }>();

  constructor(fetchFrom: Fetch = fetch) {
    this.#fetch = fetchFrom;
  }

  /**
   * @param now milliseconds since the epoch
   * @param origin,kid of the log and of the key that is to be enrolled, for tokens whose audience names them
   * @throws Problem 401 when the token does not hold, 503 when the issuer cannot be asked
   */
  async verify(provider: OidcProvider, token: string, now: number, origin: string, kid: Uint8Array): Promise<VerifiedToken> {
    const [header = '', payload = ''] = token.split('.');
    const audience =
      provider.binding === 'audience' ? `${provider.audience}/${enrolmentNonce(origin, kid)}` : provider.audience;
    try {
      const { alg, typ } = decodeProtectedHeader(token);
      if (typ !== undefined && OTHER_TYPES.includes(typ.toLowerCase().replace(/^application\//, '')))
        throw refused('it is a token for something else');
      const algorithms = provider.algorithms ?? ALGORITHMS;
      if (alg === undefined || !algorithms.includes(alg as never))
        throw refused(`its algorithm is none of ${algorithms.join(', ')}`);
      const { payload: claims, key } = await jwtVerify(token, await this.#keysOf(provider), {
        issuer: provider.issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: CLOCK_TOLERANCE,
        maxTokenAge: provider.token_age ?? TOKEN_AGE,
        requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
        currentDate: new Date(now),
      });
      if (typeof claims.sub !== 'string' || claims.sub === '') throw refused('its claim sub names nobody');
      // Whoever else it is for could bring it here (OpenID Connect Core section 3.1.3.7).
      if ([claims.aud].flat().length > 1 && claims.azp !== audience)
        throw refused('it is for several audiences, and its claim azp names another than the policy');
      const digest = createHash('sha256').update(`${header}.${payload}`).digest();
      return { claims, header, payload, digest, key: await exportJWK(key as Parameters<typeof exportJWK>[0]) };
    } catch (error) {
      throw problemOf(error, provider);
    }
  }

  #keysOf(provider: OidcProvider): Promise<JWTVerifyGetKey> {
    if (provider.jwks !== undefined) return Promise.resolve(createLocalJWKSet({ keys: provider.jwks as unknown as JWK[] }));
    const known = this.#keys.get(provider.issuer);
    if (known !== undefined && Date.now() - known.since < KEYS_KEPT) return known.keys;
    const keys = this.#discover(provider.issuer);
    this.#keys.set(provider.issuer, { keys, since: Date.now() });
    // An issuer that could not be asked is asked again by the next token.
    keys.catch(() => this.#keys.delete(provider.issuer));
    return keys;
  }

  async #discover(issuer: string): Promise<JWTVerifyGetKey> {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await this.#get(url, { headers: { Accept: 'application/json' } });
    const document = discovery.safeParse(await response.json().catch(() => undefined));
    if (!document.success) throw unreachable('its discovery document is none');
    if (document.data.issuer !== issuer) throw unreachable('its discovery document is of another issuer');
    if (!URL.canParse(document.data.jwks_uri)) throw unreachable('its discovery document names no address of keys');
    const keys = new URL(document.data.jwks_uri);
    // Keys are only taken over TLS, or from the same address that serves the document on this machine.
    if (keys.protocol !== 'https:' && keys.origin !== new URL(issuer).origin)
      throw unreachable('its keys lie at an address without TLS');
    return createRemoteJWKSet(keys, {
      timeoutDuration: TIMEOUT,
      cacheMaxAge: KEYS_KEPT,
      cooldownDuration: COOLDOWN,
      [customFetch]: (address: string, init: RequestInit) => this.#getKeys(address, init),
    });
  }

  async #getKeys(address: string, init: RequestInit): Promise<Response> {
    const response = await this.#get(address, init);
    if (
      !keySet.safeParse(
        await response
          .clone()
          .json()
          .catch(() => undefined),
      ).success
    )
      throw unreachable('its keys are no key set');
    return response;
  }

  /** Without redirects, in bounded time, and never more than so many bytes. Anything but a 200 is no answer. */
  async #get(url: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await this.#fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) });
    } catch (error) {
      throw unreachable('it does not answer', error);
    }
    if (response.status !== 200) throw unreachable(`it answers with status ${response.status}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > MOST_BYTES) throw unreachable('it answers with more than is sensible');
      chunks.push(chunk);
    }
    return new Response(Buffer.concat(chunks), { headers: response.headers });
  }
}

class IssuerUnreachable extends Error {}

function unreachable(why: string, cause?: unknown): IssuerUnreachable {
  return new IssuerUnreachable(why, { cause });
}

function refused(why: string): Problem {
  return new Problem(401, 'enrolment/bad-token', `the token does not hold: ${why}`);
}

/** Which check failed, and nothing of what is in the token. */
function problemOf(error: unknown, { name }: OidcProvider): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof IssuerUnreachable || error instanceof errors.JWKSTimeout)
    return new Problem(
      503,
      'enrolment/issuer-unreachable',
      `the identity provider ${name} cannot be asked for its keys: ${error.message}`,
      { retryAfter: 30 },
    );
  if (error instanceof errors.JWTExpired) return refused('it has expired, or is older than the policy takes');
  if (error instanceof errors.JWTClaimValidationFailed)
    return refused(`its claim ${error.claim} is not what the policy asks for`);
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return refused('its issuer has no such key');
  if (error instanceof errors.JWSSignatureVerificationFailed) return refused('its signature does not hold');
  if (error instanceof errors.JOSEError || error instanceof TypeError) return refused('it is malformed');
  return new Problem(503, 'enrolment/issuer-unreachable', `the identity provider ${name} cannot be asked for its keys`, {
    retryAfter: 30,
  });
}
