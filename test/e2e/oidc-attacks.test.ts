import { createHmac, createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { base64url, importJWK, type JWTPayload, SignJWT } from 'jose';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { oneLine, Workplace } from './command.js';
import { type Account, idToken, openIdProvider } from './identity-provider.js';

// Tokens of a real OpenID provider, and what somebody makes of them. Each that is refused differs in one thing from one that enrols.

const JANE: Account = { sub: 'u-4711', email: 'jane.roe@example.com', name: 'Jane Roe', groups: ['ml-engineers'] };
const company = await openIdProvider([JANE], false);
const gone = await openIdProvider([JANE], false);
/** Milliseconds in which the log does not ask an issuer a second time for keys that it did not find. */
const COOLDOWN = 30_000;

const place = new Workplace();
const terms = `kind: person, audience: treering, binding: possession, valid_for: 3600, grants: [{ claims: { groups: ml-engineers }, roles: [engineer] }]`;
place.write(
  'policy.yaml',
  `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: registrars, who: { roles: [registrar] }, may: [identity], on: [identity/*] }
oidc:
  - { name: company, prefix: p, issuer: '${company.issuer}', ${terms} }
  - { name: gone, prefix: g, issuer: '${gone.issuer}', ${terms} }
`,
);
await place.result(['keygen', 'registrar', '--role', 'registrar', '--kind', 'workload']);
const log = await place.up([], { TREERING_REGISTRAR_KEY: place.path('registrar.key') });
await place.result(['policy', 'set', 'policy.yaml', '--reason', 'The rules for the tests.']);
await place.result(['record', 'identity', '--file', 'registrar.identity.yaml']);
test.after(async () => {
  await log.stop();
  company.close();
});

let keys = 0;
/** Asks for an enrolment with a token. Returns the exit code and the error, if any. */
async function login(token: string, provider = 'company'): Promise<[number | null, string | undefined]> {
  place.write('token.jwt', `${token}\n`);
  const out = `key-${++keys}.key`;
  const args = ['login', '--provider', provider, '--token-file', 'token.jwt', '--out', out, '--json'];
  const { code, stdout } = await place.run(args);
  assert.is(existsSync(place.path(out)), code === 0, 'a key is written for an enrolment alone');
  return [code, (oneLine(stdout) as { error?: { code: string } }).error?.code];
}
const ENROLS = [0, undefined];
const BAD = [4, 'enrolment/bad-token'];

/** A fresh token of the real provider. */
const fresh = (clientId = 'treering'): Promise<string> => idToken(company.issuer, clientId, JANE);
const partsOf = (token: string): [string, string, string] => token.split('.') as [string, string, string];
const json = (value: unknown): string => base64url.encode(JSON.stringify(value));
const claimsOf = (token: string): JWTPayload => JSON.parse(Buffer.from(base64url.decode(partsOf(token)[1])).toString());

/** Signs other claims with the provider's own key. */
async function signed(token: string, change: JWTPayload): Promise<string> {
  const header = { alg: 'RS256', kid: company.key().kid as string };
  return new SignJWT({ ...claimsOf(token), ...change }).setProtectedHeader(header).sign(await importJWK(company.key()));
}

const seconds = (): number => Math.floor(Date.now() / 1000);

test('the token that everything below is made of enrols', async () => {
  assert.equal(await login(await fresh()), ENROLS);
  assert.equal(await login(await signed(await fresh(), { jti: 'signed here' })), ENROLS, 'what is signed here holds as well');
});

const ATTACKS: readonly [string, () => Promise<string>][] = [
  ['for another client of the same provider', () => fresh('other')],
  ['for another audience', async () => signed(await fresh(), { aud: 'payroll' })],
  ['for two audiences, given to the other', async () => signed(await fresh(), { aud: ['treering', 'other'], azp: 'other' })],
  ['that has expired', async () => signed(await fresh(), { iat: seconds() - 400, exp: seconds() - 100 })],
  ['that is not valid yet', async () => signed(await fresh(), { nbf: seconds() + 300 })],
  ['without an end', async () => signed(await fresh(), { exp: undefined })],
  ['of another issuer', async () => signed(await fresh(), { iss: gone.issuer })],
  [
    'whose header says that it is not signed',
    async () => {
      const [, payload] = partsOf(await fresh());
      return `${json({ alg: 'none', kid: 'first' })}.${payload}.${base64url.encode('x')}`;
    },
  ],
  [
    'whose header says "none" above the real signature',
    async () => {
      const [, payload, signature] = partsOf(await fresh());
      return `${json({ alg: 'none' })}.${payload}.${signature}`;
    },
  ],
  ...(['pem', 'der', 'jwk'] as const).map((format): [string, () => Promise<string>] => [
    `signed by HMAC with the public key (${format}) for a secret`,
    async () => {
      const [, payload] = partsOf(await fresh());
      const text = `${json({ alg: 'HS256', typ: 'JWT', kid: 'first' })}.${payload}`;
      return `${text}.${createHmac('sha256', publicKey(format)).update(text).digest('base64url')}`;
    },
  ]),
  [
    'with other claims under the real signature',
    async () => {
      const [header, , signature] = partsOf(await fresh());
      return `${header}.${json({ ...claimsOf(await fresh()), sub: 'u-1' })}.${signature}`;
    },
  ],
  [
    'with another algorithm in the header',
    async () => {
      const [header, payload, signature] = partsOf(await fresh());
      const said = JSON.parse(Buffer.from(base64url.decode(header)).toString());
      return `${json({ ...said, alg: 'PS256' })}.${payload}.${signature}`;
    },
  ],
];
for (const [what, make] of ATTACKS)
  test(`a token ${what} enrols nothing`, async () => assert.equal(await login(await make()), BAD));

/** What an attacker takes from the provider's key set, in the forms that libraries take for a secret. */
function publicKey(format: 'pem' | 'der' | 'jwk'): string | Buffer {
  const { kty, n, e } = company.key();
  const key = createPublicKey({ key: { kty, n, e }, format: 'jwk' });
  if (format === 'jwk') return JSON.stringify({ kty, n, e });
  return format === 'pem'
    ? key.export({ type: 'spki', format: 'pem' }).toString()
    : key.export({ type: 'spki', format: 'der' });
}

test('when the provider has changed its key, the new one counts and the old one no longer', async () => {
  const before = await fresh();
  await company.rotate();
  // Any of the tokens above may have made the log ask just now.
  await wait(COOLDOWN + 500);
  assert.equal(await login(await fresh()), ENROLS, 'signed with a key that the log has not seen');
  assert.equal(await login(before), BAD, 'signed with the key that is gone');
});

test('while the provider cannot be reached, nobody is enrolled, and that is no refusal', async () => {
  const token = await idToken(gone.issuer, 'treering', JANE);
  gone.close();
  assert.equal(await login(token, 'gone'), [3, 'enrolment/issuer-unreachable']);
  assert.equal(await login(await fresh()), ENROLS, 'others go on');
});

test('the log is as it should be after all of this', async () => {
  const { findings } = await place.result(['audit']);
  assert.equal(findings, []);
});

test.run();
