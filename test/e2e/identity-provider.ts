import type { RequestListener } from 'node:http';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import Provider, { type Context } from 'oidc-provider';
import { listen } from '../../apps/log/test/identity-provider.js';

/** Somebody with an account. */
export interface Account {
  readonly sub: string;
  readonly email: string;
  readonly name: string;
  readonly groups: readonly string[];
}

/** A client that people log in with on a device. */
const client = (client_id: string) => ({
  client_id,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
  response_types: [],
  redirect_uris: [],
});

/** What a device is told, and shows to whoever is to confirm it. */
export interface DeviceCode {
  readonly user_code: string;
  readonly verification_uri_complete: string;
}

/**
 * A real OpenID provider on loopback, for people who log in with any password.
 * @param carriesNonce whether the nonce of a device's request comes back in the ID token, which no standard asks for
 */
export async function openIdProvider(accounts: readonly Account[], carriesNonce: boolean) {
  let listener: RequestListener = (_, response) => response.end();
  const { url, close } = await listen((request, response) => listener(request, response));
  let key = await signingKey('first');
  const userCodeConfirmSource = (ctx: Context, form: string): void => {
    ctx.body = form;
  };
  const successSource = async (ctx: Context): Promise<void> => {
    ctx.body = 'confirmed';
    const { deviceCode } = ctx.oidc;
    if (!carriesNonce) return;
    deviceCode.nonce = deviceCode.params.nonce;
    await deviceCode.save();
  };
  const configuration = {
    // The command's, and one of somebody else with the same accounts.
    clients: [client('treering'), client('other')],
    cookies: { keys: ['a key of the tests'] },
    features: { deviceFlow: { enabled: true, successSource, userCodeConfirmSource }, devInteractions: { enabled: true } },
    claims: { openid: ['sub', 'groups'], email: ['email'], profile: ['name'] },
    conformIdTokenClaims: false,
    ttl: { DeviceCode: 300, IdToken: 300, AccessToken: 300, Grant: 300, Interaction: 300, Session: 300 },
    findAccount: (_: unknown, sub: string) => {
      const account = accounts.find((known) => known.sub === sub);
      return account && { accountId: sub, claims: () => account };
    },
  };
  const tokens: string[] = [];
  const codes: ((code: DeviceCode) => void)[] = [];
  const start = (): void => {
    const provider = new Provider(url, { ...configuration, jwks: { keys: [key] } });
    listener = provider.callback();
    provider.on('device_authorization.success', ({ body }) => {
      // Devices would ask only every five seconds.
      Object.assign(body as object, { interval: 1 });
      for (const resolve of codes.splice(0)) resolve(body as DeviceCode);
    });
    provider.on('grant.success', ({ body }) => tokens.push((body as { id_token: string }).id_token));
  };
  start();
  return {
    issuer: url,
    close,
    /** Signs with a new key from now on, and serves no other. */
    async rotate(): Promise<void> {
      key = await signingKey('second');
      start();
    },
    /** The private key that it signs with, as somebody has it who broke in there. */
    key: () => key,
    /** ID tokens that it gave. */
    tokens,
    /** The next code that a device is given. */
    nextCode: () =>
      new Promise<DeviceCode>((resolve) => {
        codes.push(resolve);
      }),
  };
}

async function signingKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256', kid };
}

/** An ID token for somebody who confirms the code of a device (RFC 8628), given to whichever client asks. */
export async function idToken(issuer: string, clientId: string, account: Account): Promise<string> {
  const post = async (path: string, body: Readonly<Record<string, string>>) =>
    (await fetch(`${issuer}${path}`, { method: 'POST', body: new URLSearchParams(body) })).json();
  const device = (await post('/device/auth', { client_id: clientId, scope: 'openid email profile' })) as DeviceCode & {
    device_code: string;
  };
  await browse(device.verification_uri_complete, { login: account.sub, password: 'any' });
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
  const answer = await post('/token', { client_id: clientId, grant_type, device_code: device.device_code });
  const { id_token } = answer as { id_token?: string };
  if (id_token === undefined) throw new Error(`no token was given: ${JSON.stringify(answer)}`);
  return id_token;
}

/**
 * Opens an address as a browser without scripts would, and sends every form that comes, until there is none.
 * @param fill what is typed into the fields that are empty
 * @returns the last page
 */
export async function browse(address: string, fill: Readonly<Record<string, string>>): Promise<string> {
  const cookies = new Map<string, string>();
  let url = new URL(address);
  let body: URLSearchParams | undefined;
  for (let step = 0; step < 30; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const method = body === undefined ? 'GET' : 'POST';
    const response = await fetch(url, { method, headers: { cookie }, redirect: 'manual', ...(body && { body }) });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    const page = await response.text();
    const location = response.headers.get('location');
    const form = /<form[^>]*action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(page);
    body = undefined;
    if (location !== null) url = new URL(location, url);
    else if (form === null || response.status >= 400) return page;
    else {
      url = new URL(form[1], url);
      body = fieldsOf(form[2], fill);
    }
  }
  throw new Error(`the pages from ${address} come to no end`);
}

function fieldsOf(form: string, fill: Readonly<Record<string, string>>): URLSearchParams {
  const fields = new URLSearchParams();
  for (const [input] of form.matchAll(/<input[^>]*>/g)) {
    const attribute = (name: string): string | undefined => new RegExp(`\\s${name}="([^"]*)"`).exec(input)?.[1];
    const name = attribute('name') ?? '';
    fields.set(name, attribute('value') ?? fill[name] ?? '');
  }
  return fields;
}
