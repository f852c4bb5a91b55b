import { createHash, createPublicKey } from 'node:crypto';
import { coseKeyThumbprint, type StatementSigner } from '@treering/statement';
import {
  base64url,
  CompactEncrypt,
  calculateJwkThumbprint,
  importJWK,
  type JWK,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXAMPLES } from '../../../packages/record/test/examples.js';
import { badToken, enrollingLog, enrolmentRequest, type RequestParts } from './enrolling.js';
import { makeStatement, ORIGIN, signerFrom } from './fixture.js';
import { IdentityProvider, listen, provider } from './identity-provider.js';

// Tokens that enrol and tokens that do not. Each that is refused differs in one thing from one that enrols.

const issuer = await IdentityProvider.start();
const other = await IdentityProvider.start();
const lure = { requests: 0 };
const attacker = await listen((_, response) => {
  lure.requests++;
  response.end(JSON.stringify({ keys: [...other.keys] }));
});
test.after(() => {
  for (const server of [issuer, other, attacker]) server.close();
});

/** The log's time, in seconds, which stands still unless a test moves it on. */
let time = Math.floor(Date.now() / 1000);

const log = await enrollingLog(
  [
    provider(issuer.issuer),
    provider(issuer.issuer, { name: 'company', kind: 'person', binding: 'nonce' }),
    provider(issuer.issuer, { name: 'github', binding: 'audience' }),
    provider(issuer.issuer, { name: 'sender', binding: 'cnf' }),
    provider(issuer.issuer, { name: 'strict', algorithms: ['ES256'], token_age: 60 }),
  ],
  () => time * 1000,
);

let counter = 0;
/** Claims that enrol, of a token that nobody used. */
const claims = (change: JWTPayload = {}): JWTPayload => ({
  iss: issuer.issuer,
  sub: 'repo:acme/models:ref:refs/heads/main',
  aud: 'treering',
  iat: time,
  exp: time + 300,
  jti: `token-${++counter}`,
  repository: 'acme/models',
  ...change,
});

/** The same without one claim. */
const without = (name: string): JWTPayload => Object.fromEntries(Object.entries(claims()).filter(([key]) => key !== name));

/** The nonce as the documents describe it. */
function nonceFor(signer: StatementSigner, origin = ORIGIN): string {
  const text = `treering/enrolment/v1\0${origin}\0`;
  return createHash('sha256').update(text).update(coseKeyThumbprint(signer.key)).digest('base64url');
}

const jwkOf = ({ key }: StatementSigner): JWK => ({ kty: 'OKP', crv: 'Ed25519', x: base64url.encode(key.x) });
const publicJwk = (kid: string): JWK => issuer.keys.find((key) => key.kid === kid) as JWK;

for (const kid of ['ec', 'rsa'])
  test(`a token under an ${kid.toUpperCase()} key enrols the key for as long as the policy says, and no longer`, async () => {
    const signer = signerFrom();
    const { index, id, record } = await log.enrols(await issuer.sign(claims(), kid), { signer });
    assert.match(id, /^ci-[a-z2-7]{26}$/);
    assert.equal([record.kind, record.roles, record.valid_until], ['workload', ['machine'], time + 3600]);
    const signed = async () => {
      const record = { ...EXAMPLES.verification.minimal, subject: 'deploy/wink' };
      return makeStatement({ signer, id, iat: time, record });
    };
    time += 3599;
    assert.is((await log.post((await signed()).entry)).status, 201);
    time += 2;
    const answer = await log.post((await signed()).entry);
    const { code, rule } = (await answer.json()) as { code: string; rule: string };
    assert.equal([answer.status, code, rule], [403, 'governance/expired-key', `identity@${index}`]);
  });

test('the same subject of the same issuer always gets the same id, and another subject another', async () => {
  const ids = [];
  for (const sub of ['a', 'a', 'b']) ids.push((await log.enrols(await issuer.sign(claims({ sub })))).id);
  assert.is(ids[0], ids[1]);
  assert.is.not(ids[0], ids[2]);
});

const CLAIMS: readonly [string, () => JWTPayload, RegExp][] = [
  ['another audience', () => claims({ aud: 'other' }), /claim aud/],
  ['an audience that only begins alike', () => claims({ aud: 'treering/x' }), /claim aud/],
  ['no audience', () => without('aud'), /claim aud/],
  ['several audiences that names nobody as its holder', () => claims({ aud: ['treering', 'other'] }), /several audiences/],
  ['several audiences and another holder', () => claims({ aud: ['treering', 'other'], azp: 'other' }), /several audiences/],
  ['another issuer', () => claims({ iss: other.issuer }), /claim iss/],
  ['the issuer with a slash behind it', () => claims({ iss: `${issuer.issuer}/` }), /claim iss/],
  ['no issuer', () => without('iss'), /claim iss/],
  ['no subject', () => without('sub'), /claim sub/],
  ['a subject that is a number', () => claims({ sub: 7 as never }), /claim sub/],
  ['a subject that is an object', () => claims({ sub: { id: 'a' } as never }), /claim sub/],
  ['a subject that is null', () => claims({ sub: null as never }), /claim sub/],
  ['an empty subject', () => claims({ sub: '' }), /claim sub/],
  ['no expiry', () => without('exp'), /claim exp/],
  ['an expiry that is no number', () => claims({ exp: String(time + 300) as never }), /claim exp/],
  ['no time of issue', () => without('iat'), /claim iat/],
  ['an expiry of 30 seconds ago', () => claims({ exp: time - 30 }), /expired/],
  ['a beginning in 31 seconds', () => claims({ nbf: time + 31 }), /claim nbf/],
  ['an issue in 31 seconds', () => claims({ iat: time + 31 }), /claim iat/],
  ['an issue of 631 seconds ago', () => claims({ iat: time - 631 }), /older than the policy takes/],
];
for (const [what, make, detail] of CLAIMS)
  test(`a token with ${what} is refused`, async () => log.refuses(await issuer.sign(make()), badToken(detail)));

test('a token for something else that carries the same claims is refused', async () => {
  for (const typ of ['logout+jwt', 'secevent+jwt', 'application/secevent+JWT'])
    await log.refuses(await issuer.sign(claims(), 'ec', { typ }), badToken(/for something else/));
  await log.enrols(await issuer.sign(claims({ aud: ['treering', 'other'], azp: 'treering' })));
});

test('clocks may differ by just under 30 seconds, and the policy may take younger tokens only', async () => {
  for (const change of [{ exp: time - 29 }, { nbf: time + 30 }, { iat: time + 30 }, { iat: time - 630 }])
    await log.enrols(await issuer.sign(claims(change)));
  await log.enrols(await issuer.sign(claims({ iat: time - 90 })), { provider: 'strict' });
  const old = await issuer.sign(claims({ iat: time - 91 }));
  await log.refuses(old, badToken(/older than the policy takes/), { provider: 'strict' });
});

test('a token of an issuer that the policy does not name is refused under every provider', async () => {
  const token = await other.sign(claims({ iss: other.issuer }));
  await log.refuses(token, badToken(/signature does not hold/));
  await log.refuses(token, { status: 403, code: 'enrolment/unknown-provider', detail: /nobody/ }, { provider: 'nobody' });
  assert.equal(other.requests, [], 'nothing was asked of it');
});

test('a token whose claims fit no grant is refused by the provider of the policy', async () => {
  for (const repository of ['acme/other', 'acme/models2', 'ACME/models', 7, null, { x: 'acme/models' }, undefined])
    await log.refuses(await issuer.sign(claims({ repository })), {
      status: 403,
      code: 'enrolment/no-grant',
      rule: /^oidc\/ci$/,
    });
});

test('an unsigned token is refused, in every spelling', async () => {
  const unsigned = new UnsecuredJWT(claims()).encode();
  await log.refuses(unsigned, badToken(/algorithm is none of RS256/));
  const [, payload, signature] = (await issuer.sign(claims())).split('.');
  for (const alg of ['none', 'None', 'NONE', '', undefined, null, 0]) {
    const header = base64url.encode(JSON.stringify({ alg, kid: 'ec' }));
    for (const end of ['', signature])
      await log.refuses(`${header}.${payload}.${end}`, badToken(/algorithm is none of|malformed/));
  }
});

for (const kid of ['ec', 'rsa'])
  test(`an HMAC with the public ${kid.toUpperCase()} key as its secret is refused`, async () => {
    const key = createPublicKey({ key: publicJwk(kid) as never, format: 'jwk' });
    const secrets = [
      key.export({ type: 'spki', format: 'pem' }),
      key.export({ type: 'spki', format: 'der' }),
      JSON.stringify(publicJwk(kid)),
    ];
    for (const secret of secrets)
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        const jwt = new SignJWT(claims()).setProtectedHeader({ alg, kid });
        await log.refuses(await jwt.sign(new Uint8Array(Buffer.from(secret))), badToken(/algorithm is none of/));
      }
  });

test('an encrypted token is refused unread, whatever it would cost to decrypt', async () => {
  const token = new TextEncoder().encode(await issuer.sign(claims()));
  const encrypted = async (kid: string, alg: string): Promise<string> =>
    new CompactEncrypt(token)
      .setProtectedHeader({ alg, enc: 'A256GCM', kid, cty: 'JWT' })
      .encrypt(await importJWK(publicJwk(kid) as JWK, alg));
  const fivePartsOf = (header: object): string =>
    [JSON.stringify(header), 'a', 'b', 'c', 'd'].map((part) => base64url.encode(part)).join('.');
  const tokens = [
    await encrypted('rsa', 'RSA-OAEP'),
    await encrypted('ec', 'ECDH-ES'),
    fivePartsOf({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2c: 2 ** 31 - 1, p2s: 'AAAAAAAAAAA' }),
    fivePartsOf({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' }),
    fivePartsOf({ alg: 'ES256', enc: 'A256GCM', zip: 'DEF', kid: 'ec' }),
  ];
  for (const one of tokens) await log.refuses(one, badToken(/algorithm is none of|malformed/));
  await log.enrols(new TextDecoder().decode(token));
});

test('a header that names the algorithm of another kind of key is refused', async () => {
  const swap = async (kid: string, alg: string): Promise<string> => {
    const [, payload, signature] = (await issuer.sign(claims(), kid)).split('.');
    return `${base64url.encode(JSON.stringify({ alg, kid }))}.${payload}.${signature}`;
  };
  await log.refuses(await swap('ec', 'RS256'), badToken(/no such key/));
  await log.refuses(await swap('rsa', 'ES256'), badToken(/no such key/));
  await log.refuses(await swap('rsa', 'PS256'), badToken(/no such key/));
  await log.refuses(await swap('ec', 'ES384'), badToken(/algorithm is none of/));
  const rsa = await issuer.sign(claims(), 'rsa');
  await log.refuses(rsa, badToken(/algorithm is none of ES256$/), { provider: 'strict' });
});

test('keys and addresses of keys in a header are never used, nor asked for', async () => {
  const jwk = other.keys.find(({ kid }) => kid === 'ec') as JWK;
  for (const [name, value] of Object.entries({ jwk, jku: attacker.url, x5u: attacker.url, x5c: ['AAAA'] }))
    for (const kid of ['ec', 'theirs'])
      await log.refuses(
        await other.sign(claims(), 'ec', { kid, [name]: value }),
        badToken(kid === 'ec' ? /signature does not hold|malformed/ : /no such key/),
      );
  assert.is(lure.requests, 0);
  await log.enrols(await issuer.sign(claims(), 'ec', { jku: attacker.url, jwk }));
  assert.is(lure.requests, 0);
});

test('a header that demands what the log does not know is refused', async () => {
  const [, payload, signature] = (await issuer.sign(claims())).split('.');
  const header = base64url.encode(JSON.stringify({ alg: 'ES256', kid: 'ec', crit: ['exp'], exp: 1 }));
  await log.refuses(`${header}.${payload}.${signature}`, badToken(/malformed/));
});

test('a token that was changed after it was signed is refused', async () => {
  const [header, payload, signature] = (await issuer.sign(claims({ repository: 'acme/other' }))).split('.');
  const changed = base64url.encode(JSON.stringify(claims()));
  await log.refuses(`${header}.${changed}.${signature}`, badToken(/signature does not hold/));
  await log.refuses(`${header}.${payload}.${signature.slice(0, -4)}`, badToken(/signature does not hold/));
  await log.refuses(`${header}.${payload}.`, badToken(/signature does not hold|malformed/));
});

const GARBAGE: readonly [string, unknown][] = [
  ['nothing', ''],
  ['a word', 'token'],
  ['dots', '..'],
  ['no base64url', '*.*.*'],
  ['no JSON', `${base64url.encode('no')}.${base64url.encode('no')}.AAAA`],
  ['five parts', 'eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA'],
  ['other letters', 'пропуск.пропуск.пропуск'],
];
for (const [what, token] of GARBAGE)
  test(`garbage is refused as a token: ${what}`, async () => log.refuses(token, badToken(/malformed|algorithm is none of/)));

test('what is no text, or longer than a token ever is, is refused as a request', async () => {
  const malformed = { status: 400, code: 'enrolment/malformed' };
  for (const token of [1, null, new Uint8Array(3), ['a'], 'a'.repeat(16_385)]) await log.refuses(token, malformed);
  const tooLarge = { status: 413, code: 'request/too-large' };
  await log.refuses(await issuer.sign(claims({ padding: 'a'.repeat(40_000) })), tooLarge);
  await log.refusesRequest(new Uint8Array(Buffer.from(await issuer.sign(claims({ padding: 'a'.repeat(1e6) })))), tooLarge);
});

/** A binding: the claims that bind to a key. */
const BINDINGS: readonly [string, (signer: StatementSigner) => Promise<JWTPayload>, RegExp, string][] = [
  ['company', async (signer) => ({ nonce: nonceFor(signer) }), /nonce is for another key/, 'enrolment/not-bound'],
  ['github', async (signer) => ({ aud: `treering/${nonceFor(signer)}` }), /claim aud/, 'enrolment/bad-token'],
  [
    'sender',
    async (signer) => ({ cnf: { jkt: await calculateJwkThumbprint(jwkOf(signer)) } }),
    /cnf\.jkt/,
    'enrolment/not-bound',
  ],
];
for (const [name, bound, detail, code] of BINDINGS)
  test(`a token of ${name} enrols the key that it is bound to, and no other`, async () => {
    const [mine, theirs] = [signerFrom(), signerFrom()];
    const refused = { status: 401, code, detail };
    await log.refuses(await issuer.sign(claims()), refused, { provider: name, signer: mine });
    const token = await issuer.sign(claims(await bound(mine)));
    await log.refuses(token, refused, { provider: name, signer: theirs });
    await log.enrols(token, { provider: name, signer: mine });
  });

test('a nonce for the same key at another log, or of another type, binds nothing', async () => {
  const signer = signerFrom();
  for (const nonce of [nonceFor(signer, 'log.test/two'), [nonceFor(signer)], true])
    await log.refuses(
      await issuer.sign(claims({ nonce })),
      { status: 401, code: 'enrolment/not-bound' },
      { provider: 'company', signer },
    );
});

const REQUESTS: readonly [string, () => RequestParts, number, string][] = [
  ['signed with another key than the one to be enrolled', () => ({ key: signerFrom() }), 401, 'cose/bad-signature'],
  ['made 301 seconds ago', () => ({ iat: time - 301 }), 401, 'governance/clock'],
  ['made in 301 seconds', () => ({ iat: time + 301 }), 401, 'governance/clock'],
  ['for another log', () => ({ iss: 'log.test/two/enrolment' }), 400, 'enrolment/malformed'],
  ['of another content type', () => ({ contentType: 'application/vnd.treering.access' }), 400, 'enrolment/malformed'],
];
for (const [what, parts, status, code] of REQUESTS)
  test(`a good token in a request ${what} is refused, and stays good`, async () => {
    const token = await issuer.sign(claims());
    await log.refuses(token, { status, code }, parts());
    await log.enrols(token);
  });

test('a request whose bytes were changed is refused', async () => {
  const request = await enrolmentRequest(await issuer.sign(claims()), { iat: time });
  request[request.length - 1] ^= 1;
  await log.refusesRequest(request, { status: 401, code: 'cose/bad-signature' });
  await log.refusesRequest(new Uint8Array([0xd2, 0x84]), { status: 400, code: 'cbor/malformed' });
});

test.run();
