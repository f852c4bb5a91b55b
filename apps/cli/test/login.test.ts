import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IdentityProvider, json, listen } from '../../log/test/identity-provider.js';
import { deskWithLog } from './fixture.js';

// Between the command and the log stands somebody who answers for it, and wants people to log in elsewhere.

const [company, evil] = [await IdentityProvider.start(), await IdentityProvider.start()];
const desk = await deskWithLog();
const said = (issuer: string) => ({
  open: true,
  policy: 0,
  providers: [{ name: 'company', issuer, audience: 'evil', kind: 'person', binding: 'possession' }],
});
const between = await listen(async (request, response) => {
  if (request.url === '/v1/enrolment') return json(said(evil.issuer))(response);
  const answer = await fetch(`${desk.served.url}${request.url}`);
  response.writeHead(answer.status, { 'Content-Type': answer.headers.get('content-type') ?? '' });
  response.end(Buffer.from(await answer.arrayBuffer()));
});
desk.env.TREERING_LOG_URL = between.url;
test.after(async () => {
  for (const server of [company, evil, between]) server.close();
  await desk.served.close();
});

const policy = (oidc: string): string => `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: registrars, who: { roles: [registrar] }, may: [identity], on: ['identity/*'] }
${oidc}`;
const provider = (issuer: string): string => `oidc:
  - { name: company, issuer: '${issuer}', audience: treering, kind: person, prefix: p, binding: nonce, valid_for: 3600,
      grants: [{ claims: { sub: '*' }, roles: [engineer] }] }
`;
async function setPolicy(text: string): Promise<void> {
  desk.write('policy.yaml', text);
  const env = { TREERING_LOG_URL: desk.served.url };
  await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'The rules for the tests.'], { env });
}

test('nobody is sent to a provider that the policy in force does not name', async () => {
  const { code, stderr } = await desk.call(['login']);
  assert.is(code, 2);
  assert.match(stderr, 'the policy names none');
  assert.equal(evil.requests, []);
});

test('the provider is the one of the policy, whatever the log says beside it', async () => {
  await setPolicy(policy(provider(company.issuer)));
  const { code, stderr } = await desk.call(['login']);
  assert.is(code, 2, stderr);
  assert.match(stderr, `the identity provider ${company.issuer} did not log you in`);
  assert.ok(company.requests.length > 0);
  assert.equal(evil.requests, []);
  const prepared = await desk.result(['login', '--prepare']);
  assert.equal([prepared.issuer, prepared.audience], [company.issuer, 'treering']);
});

test('a provider that was named once is not the one in force', async () => {
  await setPolicy(policy(provider(evil.issuer)));
  await setPolicy(policy(provider(company.issuer)));
  company.requests.length = 0;
  await desk.call(['login']);
  assert.ok(company.requests.length > 0);
  assert.equal(evil.requests, []);
});

test.run();
