import { generateKeyPairSync } from 'node:crypto';
import { Problem } from '@treering/server';
import { encodeCoseKey } from '@treering/statement';
import { CompactSign, SignJWT } from 'jose';
import { TokenVerifier } from '../../../apps/log/src/oidc.js';
import { examineEvidence, formatEvidence } from '../../../apps/log/src/oidc-evidence.js';
import { ofText, type Target, target } from '../target.js';
import { author, DIGEST, ORIGIN, TIME } from './samples.js';

const ISSUER = 'https://issuer.test';
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k' };
const token = await new SignJWT({
  sub: 'pipeline',
  iss: ISSUER,
  aud: 'treering',
  iat: TIME,
  exp: TIME + 300,
  repository: 'acme/models',
})
  .setProtectedHeader({ alg: 'EdDSA', kid: 'k' })
  .sign(privateKey);
const provider = {
  name: 'ci',
  issuer: ISSUER,
  audience: 'treering',
  binding: 'none' as const,
  valid_for: 3600,
  grants: [{ claims: { repository: 'acme/*' }, roles: ['engineer'] }],
  kind: 'pipeline' as const,
};
type Provider = Parameters<TokenVerifier['verify']>[0];
const pinned = { ...provider, jwks: [jwk] } as unknown as Provider;
const discovered = provider as unknown as Provider;
const verifier = new TokenVerifier();
const verify = (text: string) => verifier.verify(pinned, text, TIME * 1000, ORIGIN, DIGEST);
const evidence = formatEvidence(pinned, await verify(token), TIME);

/** Verifies a token with these claims, well signed. */
async function signedClaims(bytes: Uint8Array): Promise<unknown> {
  return verify(await new CompactSign(bytes).setProtectedHeader({ alg: 'EdDSA', kid: 'k' }).sign(privateKey));
}

/** Verifies a token with this header. */
async function withHeader(bytes: Uint8Array): Promise<unknown> {
  const [, payload, signature] = token.split('.');
  return verify(`${Buffer.from(bytes).toString('base64url')}.${payload}.${signature}`);
}

/** A verifier to whom the issuer answers one of two requests with these bytes. */
function answering(part: 'discovery' | 'keys') {
  const answers = {
    discovery: JSON.stringify({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` }),
    keys: JSON.stringify({ keys: [jwk] }),
  };
  return async (bytes: Uint8Array): Promise<unknown> => {
    const from = new TokenVerifier(async (url) => {
      const asked = url.endsWith('/openid-configuration') ? 'discovery' : 'keys';
      return new Response(asked === part ? (bytes as Uint8Array<ArrayBuffer>) : answers[asked]);
    });
    return from.verify(discovered, token, TIME * 1000, ORIGIN, DIGEST);
  };
}

/** Evidence is examined, and what does not hold is told in sentences. Refused is what has more mistakes than it began with. */
async function examined(bytes: Uint8Array, most: number): Promise<number> {
  const record = {
    v: 1,
    type: 'identity',
    subject: 'identity/x',
    reason: 'r',
    action: 'enrol',
    id: 'x',
    key: encodeCoseKey(author.key),
    roles: ['engineer'],
    valid_until: TIME + 60,
    oidc: { provider: 'ci', token: DIGEST },
  };
  const { mistakes } = await examineEvidence(bytes, { record: record as never, iat: TIME, provider: pinned, origin: ORIGIN });
  if (mistakes.length > most) throw new Problem(422, 'evidence/mistakes', mistakes[0]);
  return mistakes.length;
}
const mistakes = await examined(evidence, Number.POSITIVE_INFINITY);

const errors = [Problem];

/** What the log reads of tokens, of those who issue them, and of the evidence that it keeps. */
export const tokenTargets: readonly Target[] = [
  target({ name: 'token', form: 'lines', parse: ofText(verify), seeds: [token], errors }),
  target({
    name: 'token-claims',
    form: 'json',
    parse: signedClaims,
    seeds: [Buffer.from(token.split('.')[1], 'base64url')],
    errors,
  }),
  target({
    name: 'token-header',
    form: 'json',
    parse: withHeader,
    seeds: [Buffer.from(token.split('.')[0], 'base64url')],
    errors,
  }),
  target({
    name: 'discovery-document',
    form: 'json',
    parse: answering('discovery'),
    seeds: [JSON.stringify({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` })],
    errors,
  }),
  target({ name: 'key-set', form: 'json', parse: answering('keys'), seeds: [JSON.stringify({ keys: [jwk] })], errors }),
  target({ name: 'token-evidence', form: 'json', parse: (bytes) => examined(bytes, mistakes), seeds: [evidence], errors }),
];
