import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { badToken, type EnrollingLog, enrollingLog, unreachable } from './enrolling.js';
import { IdentityProvider, json, listen, type Misbehaviour, provider } from './identity-provider.js';

// What the log asks an issuer for, how often, and what it makes of the answers.

const closing: { close(): void }[] = [];
test.after(() => {
  for (const server of closing) server.close();
});

const realNow = Date.now;
test.after.each(() => {
  Date.now = realNow;
});
/** Moves every clock of this process, also those of the keys that are kept. */
const pass = (seconds: number): void => {
  const later = Date.now() + seconds * 1000;
  Date.now = () => later;
};

let counter = 0;
/** A token that enrols, if the log finds the key. */
function token(issuer: IdentityProvider, kid = 'ec'): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const about = { repository: 'acme/models', jti: `token-${++counter}` };
  return issuer.sign({ iss: issuer.issuer, sub: 'pipeline', aud: 'treering', iat: now, exp: now + 300, ...about }, kid);
}

/** A new issuer with two keys, and a log that knows it. */
async function begin(change: Parameters<typeof provider>[1] = {}): Promise<{ issuer: IdentityProvider; log: EnrollingLog }> {
  const issuer = await IdentityProvider.start({ ec: 'ES256', ed: 'EdDSA' });
  closing.push(issuer);
  return { issuer, log: await enrollingLog([provider(issuer.issuer, change)], () => Date.now()) };
}

const redirectTo =
  (url: string): Misbehaviour =>
  (response) =>
    response.writeHead(302, { Location: url }).end();
/** 50 MB, of which nobody should take much. */
const giant: Misbehaviour = (response) => {
  const chunk = Buffer.alloc(64 * 1024, 0x20);
  let left = 800;
  const more = (): void => {
    while (left-- > 0) if (!response.write(chunk)) return void response.once('drain', more);
    response.end('{}');
  };
  response.writeHead(200, { 'Content-Type': 'application/json' });
  more();
};
const silent: Misbehaviour = () => undefined;
const stalling: Misbehaviour = (response) => void response.writeHead(200).write('{');
const dropping: Misbehaviour = (response) => void response.destroy();

/** Answers from which no keys come, whichever of both requests they answer. */
const ANSWERS: readonly [string, Misbehaviour][] = [
  ['status 500', json({ error: 'down' }, 500)],
  ['status 404', json({}, 404)],
  ['status 204', (response) => void response.writeHead(204).end()],
  ['no JSON', (response) => void response.end('<html>')],
  ['a list', json([])],
  ['null', json(null)],
  ['another document', json({ hello: 'world' })],
  ['a closed connection', dropping],
];
const PARTS = ['discovery', 'jwks'] as const;
const noKeys = unreachable(/^the identity provider ci cannot be asked for its keys/);
for (const part of PARTS)
  for (const [what, answer] of ANSWERS)
    test(`an issuer whose ${part} answers with ${what} cannot be asked, and is asked again later`, async () => {
      const { issuer, log } = await begin();
      issuer[part] = answer;
      const good = await token(issuer);
      await log.refuses(good, noKeys);
      issuer[part] = undefined;
      pass(31);
      await log.enrols(good);
    });

test('of a giant answer no more is read than is sensible', async () => {
  for (const part of PARTS) {
    const { issuer, log } = await begin();
    issuer[part] = giant;
    await log.refuses(await token(issuer), unreachable(/more than is sensible/));
  }
});

test('an issuer that never answers, or never ends its answer, is waited for some seconds, by all tokens together', async () => {
  const started = performance.now();
  const cases = PARTS.flatMap((part) => [silent, stalling].map((answer) => ({ part, answer })));
  await Promise.all(
    cases.map(async ({ part, answer }) => {
      const { issuer, log } = await begin();
      issuer[part] = answer;
      const tokens = await Promise.all(Array.from({ length: 20 }, () => token(issuer)));
      await Promise.all(tokens.map((one) => log.refuses(one, noKeys)));
      assert.is(issuer.requests.length, part === 'jwks' ? 2 : 1);
      issuer[part] = undefined;
      await log.enrols(tokens[0]);
    }),
  );
  assert.ok(performance.now() - started < 8000);
});

test('redirects are not followed, wherever they lead', async () => {
  const lured: unknown[] = [];
  const lure = await listen((request, response) => {
    lured.push(request.url);
    response.end('{}');
  });
  closing.push(lure);
  for (const part of PARTS) {
    const { issuer, log } = await begin();
    for (const url of [lure.url, `${issuer.issuer}/elsewhere`, 'file:///etc/passwd']) {
      issuer[part] = redirectTo(url);
      await log.refuses(await token(issuer), unreachable(/does not answer/));
    }
    assert.not(issuer.requests.includes('/elsewhere'));
  }
  assert.equal(lured, []);
});

test('an issuer that is not there cannot be asked, and the answer says when to come back', async () => {
  const { issuer, log } = await begin();
  issuer.close();
  const before = log.head();
  const answer = await log.ask(await token(issuer));
  const { code, retry_after } = (await answer.json()) as { code: string; retry_after: number };
  assert.equal([answer.status, code, retry_after], [503, 'enrolment/issuer-unreachable', 30]);
  assert.is(answer.headers.get('retry-after'), '30');
  assert.is(log.head(), before);
});

test('a discovery document of another issuer is refused, and its keys are not asked for', async () => {
  const { issuer, log } = await begin();
  for (const name of ['https://login.example.com', `${issuer.issuer}/`, issuer.issuer.toUpperCase()]) {
    issuer.discovery = json({ issuer: name, jwks_uri: `${issuer.issuer}/keys` });
    await log.refuses(await token(issuer), unreachable(/of another issuer/));
  }
  assert.is(issuer.keyRequests(), 0);
});

test('keys are not taken from another address without TLS', async () => {
  const [{ issuer, log }, elsewhere] = [await begin(), await IdentityProvider.start()];
  closing.push(elsewhere);
  issuer.discovery = json({ issuer: issuer.issuer, jwks_uri: `${elsewhere.issuer}/keys` });
  await log.refuses(await token(issuer), unreachable(/without TLS/));
  assert.equal(elsewhere.requests, []);
});

for (const address of ['', 'keys', 'file:///etc/passwd', 'data:application/json,{"keys":[]}'])
  test(`an address of keys that is none makes the issuer one that cannot be asked: ${address || 'nothing'}`, async () => {
    const { issuer, log } = await begin();
    issuer.discovery = json({ issuer: issuer.issuer, jwks_uri: address });
    await log.refuses(await token(issuer), unreachable(/./));
  });

test('secret keys and keys for encryption among those served verify nothing', async () => {
  const { issuer, log } = await begin();
  issuer.jwks = json({
    keys: [{ kty: 'oct', kid: 'ec', k: 'c2VjcmV0' }, ...issuer.keys.map((key) => ({ ...key, use: 'enc' }))],
  });
  await log.refuses(await token(issuer), badToken(/no such key/));
});

test('keys of the policy are taken without asking anybody', async () => {
  const issuer = await IdentityProvider.start({ ec: 'ES256', ed: 'EdDSA' });
  closing.push(issuer);
  const log = await enrollingLog([provider(issuer.issuer, { jwks: issuer.keys as never })]);
  await log.enrols(await token(issuer));
  await issuer.addKey('new');
  await log.refuses(await token(issuer, 'new'), badToken(/no such key/));
  assert.equal(issuer.requests, []);
});

test('keys are asked for once, also by tokens that come at once', async () => {
  const { issuer, log } = await begin();
  const tokens = await Promise.all(Array.from({ length: 20 }, () => token(issuer)));
  await Promise.all(tokens.map((one) => log.enrols(one)));
  assert.equal(issuer.requests, ['/.well-known/openid-configuration', '/keys']);
});

test('a new key is asked for when a token names it', async () => {
  const { issuer, log } = await begin();
  await log.enrols(await token(issuer));
  await issuer.addKey('new');
  pass(31);
  await log.enrols(await token(issuer, 'new'));
  assert.is(issuer.keyRequests(), 2);
});

test('a hundred tokens with keys that nobody knows make no hundred requests', async () => {
  const { issuer, log } = await begin();
  await log.enrols(await token(issuer));
  const unknown = async (i: number): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer.issuer, sub: 'x', aud: 'treering', iat: now, exp: now + 300 };
    return issuer.sign(claims, 'ec', { kid: `unknown-${i}` });
  };
  const bad = { status: 401, code: 'enrolment/bad-token', detail: /no such key/ };
  for (let i = 0; i < 50; i++) await log.refuses(await unknown(i), bad);
  assert.is(issuer.keyRequests(), 1);
  pass(31);
  const before = log.head();
  const answers = await Promise.all(Array.from({ length: 50 }, async (_, i) => log.ask(await unknown(i))));
  assert.equal([...new Set(answers.map(({ status }) => status))], [401]);
  assert.is(log.head(), before);
  assert.is(issuer.keyRequests(), 2);
  await log.enrols(await token(issuer));
});

test('a key that the issuer no longer serves is refused after the next time that keys are asked for', async () => {
  const { issuer, log } = await begin();
  await log.enrols(await token(issuer));
  issuer.removeKey('ec');
  await log.enrols(await token(issuer));
  pass(601);
  await log.refuses(await token(issuer), badToken(/no such key/));
  await log.enrols(await token(issuer, 'ed'));
  assert.is(issuer.keyRequests(), 2);
});

test('an issuer may move its keys to another address', async () => {
  const { issuer, log } = await begin();
  await log.enrols(await token(issuer));
  issuer.discovery = json({ issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/keys?v=2` });
  issuer.jwks = json({}, 404);
  pass(601);
  await log.enrols(await token(issuer));
});

test('keys that were kept do not outlive the time that they are kept for while the issuer is away', async () => {
  const { issuer, log } = await begin();
  await log.enrols(await token(issuer));
  issuer.jwks = json({}, 503);
  await log.enrols(await token(issuer));
  pass(601);
  await log.refuses(await token(issuer), unreachable(/^the identity provider ci cannot be asked/));
});

test.run();
