import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OidcProvider } from '@treering/record';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

/** Starts a server on a free port of this machine. */
export async function listen(listener: RequestListener): Promise<{ url: string; close(): void }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

/** How the issuer answers; what is undefined is answered as it should be. */
export type Misbehaviour = (response: ServerResponse) => void;

/** Answers with a value in JSON. */
export const json =
  (value: unknown, status = 200): Misbehaviour =>
  (response) => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
  };

/** An issuer of tokens on loopback that signs whatever it is told to. */
export class IdentityProvider {
  /** Keys that it serves. */
  readonly keys: JWK[] = [];
  /** Paths that it was asked for. */
  readonly requests: string[] = [];
  discovery: Misbehaviour | undefined;
  jwks: Misbehaviour | undefined;
  readonly issuer: string;
  readonly close: () => void;
  readonly #private = new Map<string, { key: CryptoKey; alg: string }>();

  private constructor(issuer: string, close: () => void) {
    this.issuer = issuer;
    this.close = close;
  }

  /** @param keys algorithms of its first keys, by key id */
  static async start(keys: Readonly<Record<string, string>> = { ec: 'ES256', rsa: 'RS256' }): Promise<IdentityProvider> {
    const { url, close } = await listen((request, response) => provider.#answer(request.url ?? '', response));
    const provider = new IdentityProvider(url, close);
    for (const [kid, alg] of Object.entries(keys)) await provider.addKey(kid, alg);
    return provider;
  }

  async addKey(kid: string, alg = 'ES256'): Promise<JWK> {
    const { publicKey, privateKey } = await generateKeyPair(alg);
    this.#private.set(kid, { key: privateKey, alg });
    const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
    this.keys.push(jwk);
    return jwk;
  }

  /** No longer serves a key, and still signs with it. */
  removeKey(kid: string): void {
    this.keys.splice(
      this.keys.findIndex((key) => key.kid === kid),
      1,
    );
  }

  /** Signs claims with one of its keys. `header` replaces members of the header. */
  sign(claims: JWTPayload, kid = 'ec', header: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const { key, alg } = this.#private.get(kid) as { key: CryptoKey; alg: string };
    return new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT', ...header }).sign(key);
  }

  /** How often its keys were asked for. */
  keyRequests(): number {
    return this.requests.filter((path) => path === '/keys').length;
  }

  #answer(path: string, response: ServerResponse): void {
    this.requests.push(path);
    const answers: Record<string, Misbehaviour> = {
      '/.well-known/openid-configuration': this.discovery ?? json({ issuer: this.issuer, jwks_uri: `${this.issuer}/keys` }),
      '/keys': this.jwks ?? json({ keys: this.keys }),
      '/keys?v=2': json({ keys: this.keys }),
    };
    (answers[path] ?? json({}, 404))(response);
  }
}

/** What the policy says of an identity provider, filled in for a pipeline. */
export function provider(issuer: string, change: Partial<OidcProvider> = {}): OidcProvider {
  const name = change.name ?? 'ci';
  return {
    name,
    issuer,
    audience: 'treering',
    kind: 'workload',
    prefix: name,
    binding: 'possession',
    grants: [{ claims: { repository: 'acme/models' }, roles: ['machine'] }],
    valid_for: 3600,
    ...change,
  };
}
