import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IdentityProvider } from '../../apps/log/test/identity-provider.js';
import { oneLine, type RunningLog, Workplace } from './command.js';
import { browse, openIdProvider } from './identity-provider.js';

// People and pipelines get keys by the command, a log of its own process, and a real OpenID provider.

const JANE = { sub: 'u-4711', email: 'jane.roe@example.com', name: 'Jane Roe', groups: ['staff', 'ml-engineers'] };
const GUEST = { sub: 'u-4712', email: 'guest@example.com', name: 'A Guest', groups: ['staff'] };
const company = await openIdProvider([JANE, GUEST], true);
const plain = await openIdProvider([JANE, GUEST], false);
const forge = await IdentityProvider.start();
const cluster = await IdentityProvider.start();
const CLUSTER = 'https://kubernetes.default.svc';

const person = `kind: person, audience: treering, valid_for: 3600, grants: [{ claims: { groups: ml-engineers }, roles: [engineer] }]`;
const pipeline = `kind: workload, valid_for: 600`;
const POLICY = `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: recorders, who: { roles: [engineer, machine] }, may: [model], on: [model/*] }
  - { name: registrars, who: { roles: [registrar] }, may: [identity], on: [identity/*] }
oidc:
  - { name: company, prefix: p, issuer: '${company.issuer}', binding: nonce, ${person} }
  - { name: plain, prefix: q, issuer: '${plain.issuer}', binding: possession, ${person} }
  - { name: careless, prefix: r, issuer: '${plain.issuer}', binding: nonce, ${person} }
  - { name: github, prefix: gh, issuer: '${forge.issuer}', audience: log.example.org, binding: audience, ${pipeline},
      grants: [{ claims: { repository: acme/models, ref: refs/heads/main }, roles: [machine] }] }
  - { name: gitlab, prefix: gl, issuer: '${forge.issuer}', audience: 'https://log.example.org', binding: audience, ${pipeline},
      grants: [{ claims: { project_path: acme/*, ref_protected: 'true' }, roles: [machine] }] }
  - { name: jenkins, prefix: jk, issuer: '${forge.issuer}', audience: treering, binding: nonce, ${pipeline},
      grants: [{ claims: { project_path: acme/* }, roles: [machine] }] }
  - { name: cluster, prefix: k8s, issuer: '${CLUSTER}', audience: treering, binding: possession, ${pipeline}, token_age: 3600,
      jwks: ${JSON.stringify(cluster.keys)},
      grants: [{ claims: { kubernetes.io/namespace: ml, kubernetes.io/serviceaccount/name: deployer }, roles: [machine] }] }
  - { name: gone, prefix: x, issuer: 'http://127.0.0.1:9', audience: treering, binding: possession, ${pipeline},
      grants: [{ claims: { sub: '*' }, roles: [machine] }] }
`;

const place = new Workplace();
place.write('policy.yaml', POLICY);
place.write('model/weights', 'weights');
await place.result(['keygen', 'registrar', '--role', 'registrar', '--kind', 'workload']);
const REGISTRAR = { TREERING_REGISTRAR_KEY: place.path('registrar.key') };
let log: RunningLog = await place.up([], REGISTRAR);
await place.result(['policy', 'set', 'policy.yaml', '--reason', 'The rules for the tests.']);
await place.result(['record', 'identity', '--file', 'registrar.identity.yaml']);
let printed = '';
test.after(async () => {
  await log.stop();
  for (const server of [company, plain, forge, cluster]) server.close();
});

const headOf = async (): Promise<string> => {
  const { tree_size, sha256_root_hash } = await (await fetch(`${log.ready.url}/ct/v1/get-sth`)).json();
  return `${tree_size} ${sha256_root_hash}`;
};

/** Records a model with a key. */
const record = (name: string, key: string) =>
  place.result([
    'record',
    'model',
    'model',
    '--name',
    name,
    '--version',
    '1',
    '--reason',
    'A model for the tests.',
    '--key',
    key,
  ]);

/** Logs in with a device code, which somebody confirms in a browser. */
async function deviceLogin(provider: string, op: typeof company, account: { sub: string }, out = `${provider}.key`) {
  const code = op.nextCode();
  const args = ['login', '--provider', provider, '--scope', 'openid email profile', '--out', out, '--json'];
  const ended = place.run(args);
  const { user_code, verification_uri_complete } = await code;
  assert.is(await browse(verification_uri_complete, { login: account.sub, password: 'any' }), 'confirmed');
  const outcome = await ended;
  assert.match(outcome.stderr, verification_uri_complete);
  assert.match(outcome.stderr, user_code);
  return outcome;
}

/** Fails unless a login ends with this exit code and error, and neither a key nor an entry comes of it. */
async function refusesLogin(args: readonly string[], exit: number, code: string): Promise<void> {
  const before = await headOf();
  const { code: ended, stdout, stderr } = await place.run(['login', ...args, '--out', 'refused.key', '--json']);
  assert.equal([ended, (oneLine(stdout) as { error: { code: string } }).error.code], [exit, code], stdout + stderr);
  assert.is(await headOf(), before);
  assert.not(existsSync(place.path('refused.key')));
}

/** What `login --prepare` says. */
interface Prepared {
  readonly audience: string;
  readonly nonce: string;
}

const tokens: string[] = [];
/** Signs a token as a pipeline's service does, and writes it to a file. */
async function tokenFile(name: string, issuer: IdentityProvider, claims: Record<string, unknown>): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const token = await issuer.sign({ iss: issuer.issuer, iat: now, nbf: now - 5, exp: now + 300, jti: name, ...claims }, 'rsa');
  tokens.push(token);
  place.write(name, `${token}\n`);
  return name;
}

const github = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  sub: 'repo:acme/models:ref:refs/heads/main',
  repository: 'acme/models',
  repository_owner: 'acme',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  sha: '4c1f1b8f0a1de1f7b4a3c5d1f0e9d8c7b6a59483',
  workflow_ref: 'acme/models/.github/workflows/train.yml@refs/heads/main',
  run_id: '9876543210',
  actor: 'jroe',
  event_name: 'push',
  runner_environment: 'github-hosted',
  ...change,
});
const gitlab = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  sub: 'project_path:acme/models:ref_type:branch:ref:main',
  project_path: 'acme/models',
  namespace_path: 'acme',
  ref: 'main',
  ref_type: 'branch',
  ref_protected: 'true',
  pipeline_id: '1212',
  job_id: '3434',
  user_email: JANE.email,
  user_login: 'jroe',
  ...change,
});
const kubernetes = (name = 'deployer'): Record<string, unknown> => ({
  iss: CLUSTER,
  aud: ['treering'],
  iat: Math.floor(Date.now() / 1000) - 1800,
  exp: Math.floor(Date.now() / 1000) + 1800,
  sub: `system:serviceaccount:ml:${name}`,
  'kubernetes.io': {
    namespace: 'ml',
    node: { name: 'node-1', uid: '6f1b1f0e-0000-4000-8000-000000000001' },
    pod: { name: 'deployer-7c9', uid: '6f1b1f0e-0000-4000-8000-000000000002' },
    serviceaccount: { name, uid: '6f1b1f0e-0000-4000-8000-000000000003' },
  },
});

test('somebody who logs in gets a key for a limited time, bound by the nonce, and records with it', async () => {
  const outcome = await deviceLogin('company', company, JANE);
  assert.is(outcome.code, 0, outcome.stdout + outcome.stderr);
  const { id, roles, valid_until, key_file } = oneLine(outcome.stdout) as Record<string, unknown>;
  assert.match(id as string, /^p-[a-z2-7]{26}$/);
  assert.equal([roles, key_file], [['engineer'], place.path('company.key')]);
  assert.ok(Math.abs((valid_until as number) - Date.now() / 1000 - 3600) < 60);
  assert.is(statSync(place.path('company.key')).mode & 0o777, 0o600);
  const { index } = await record('by-jane', 'company.key');
  assert.match(readFileSync(place.path('company.key'), 'utf8'), id as string);
  assert.type(index, 'number');
});

test('a provider that does not carry the nonce enrols by possession, and nobody where the policy asks for the nonce', async () => {
  const before = await headOf();
  const { code, stdout } = await deviceLogin('careless', plain, JANE);
  assert.equal([code, (oneLine(stdout) as { error: { code: string } }).error.code], [4, 'enrolment/not-bound']);
  assert.is(await headOf(), before);
  assert.not(existsSync(place.path('careless.key')));
  assert.is((await deviceLogin('plain', plain, JANE)).code, 0);
  await record('by-jane-again', 'plain.key');
});

test('somebody whose groups give no role is not enrolled', async () => {
  const before = await headOf();
  const { code, stdout } = await deviceLogin('company', company, GUEST, 'guest.key');
  assert.equal([code, (oneLine(stdout) as { error: { code: string } }).error.code], [4, 'enrolment/no-grant']);
  assert.is(await headOf(), before);
  assert.not(existsSync(place.path('guest.key')));
});

/** How a pipeline asks for a token that is bound to the key, and what another key is told that comes with it. */
const PIPELINES: readonly [string, string, (prepared: Prepared) => Record<string, unknown>, string][] = [
  ['github', 'log.example.org', ({ audience }) => github({ aud: audience }), 'enrolment/bad-token'],
  ['gitlab', 'https://log.example.org', ({ audience }) => gitlab({ aud: audience }), 'enrolment/bad-token'],
  ['jenkins', 'treering', ({ audience, nonce }) => gitlab({ aud: audience, nonce }), 'enrolment/not-bound'],
];
for (const [name, audience, claims, code] of PIPELINES)
  test(`a pipeline of ${name} prepares a key, asks for a token that names it, and records with it`, async () => {
    const out = `${name}.key`;
    const prepare = ['login', '--provider', name, '--prepare', '--out', out];
    const prepared = await place.result(prepare);
    assert.is(prepared.audience, name === 'jenkins' ? audience : `${audience}/${prepared.nonce}`);
    assert.equal(await place.result(prepare), prepared, 'the same key');
    const file = await tokenFile(`${name}.jwt`, forge, claims(prepared));
    await refusesLogin(['--provider', name, '--token-file', file], 4, code);
    const { id, roles } = await place.result(['login', '--provider', name, '--token-file', file, '--out', out]);
    assert.match(id, /^(?:gh|gl|jk)-[a-z2-7]{26}$/);
    assert.equal(roles, ['machine']);
    assert.is(statSync(place.path(out)).mode & 0o777, 0o600);
    assert.not(existsSync(place.path(`${out}.pending`)));
    await record(`by-${name}`, out);
  });

test('a pod in a cluster that the log cannot reach enrols by its service account, once', async () => {
  const file = await tokenFile('pod.jwt', cluster, kubernetes());
  const { id } = await place.result(['login', '--provider', 'cluster', '--token-file', file]);
  assert.match(id, /^k8s-[a-z2-7]{26}$/);
  await record('by-pod', 'cluster.key');
  await refusesLogin(['--provider', 'cluster', '--token-file', file], 4, 'governance/token-used');
});

const LOGINS: readonly [string, string, IdentityProvider, () => Record<string, unknown>, number, string][] = [
  ['of another service account', 'cluster', cluster, () => kubernetes('other'), 4, 'enrolment/no-grant'],
  ['of another cluster', 'cluster', forge, kubernetes, 4, 'enrolment/bad-token'],
  ['that has expired', 'cluster', cluster, () => ({ ...kubernetes(), exp: 1_767_225_600 }), 4, 'enrolment/bad-token'],
  ['without the audience of the key', 'github', forge, () => github({ aud: 'log.example.org' }), 4, 'enrolment/bad-token'],
  ['of an issuer that does not answer', 'gone', forge, () => github({ aud: 'treering' }), 3, 'enrolment/issuer-unreachable'],
  ['of a provider that is not named', 'nobody', forge, github, 2, 'cli/usage'],
];
for (const [what, provider, issuer, claims, exit, code] of LOGINS)
  test(`a token ${what} enrols nothing: exit code ${exit}`, async () => {
    const file = await tokenFile(`refused-${code}-${provider}.jwt`.replace('/', '-'), issuer, claims());
    await refusesLogin(['--provider', provider, '--token-file', file], exit, code);
  });

test('a file that holds no token, and a key file that exists, are mistakes of the call', async () => {
  place.write('garbage.jwt', 'no token');
  await refusesLogin(['--provider', 'cluster', '--token-file', 'garbage.jwt'], 2, 'cli/usage');
  const file = await tokenFile('good.jwt', cluster, kubernetes());
  const before = readFileSync(place.path('cluster.key'), 'utf8');
  const { code } = await place.run(['login', '--provider', 'cluster', '--token-file', file, '--out', 'cluster.key']);
  assert.is(code, 2);
  assert.is(readFileSync(place.path('cluster.key'), 'utf8'), before);
});

test('a token of a megabyte is a mistake of the call too', async () => {
  const file = await tokenFile('giant.jwt', cluster, { ...kubernetes(), padding: 'a'.repeat(1_000_000) });
  const before = await headOf();
  const { code, stderr } = await place.run(['login', '--provider', 'cluster', '--token-file', file, '--out', 'giant.key']);
  assert.is(code, 2, stderr);
  assert.is(await headOf(), before);
  assert.not(existsSync(place.path('giant.key')));
});

test('after a restart used tokens stay used, and the same person has the same id', async () => {
  const first = oneLine((await deviceLogin('plain', plain, JANE, 'before.key')).stdout) as { id: string };
  const { stdout, stderr } = await log.stop();
  printed += stdout + stderr;
  log = await place.up([], REGISTRAR);
  await refusesLogin(['--provider', 'cluster', '--token-file', 'pod.jwt'], 4, 'governance/token-used');
  const second = oneLine((await deviceLogin('plain', plain, JANE, 'after.key')).stdout) as { id: string };
  assert.is(second.id, first.id);
  await record('after-restart', 'before.key');
});

/** The content of every file below a folder. */
const contents = (folder: string): Buffer[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((item) => {
    const path = join(folder, item.name);
    return item.isDirectory() ? contents(path) : item.isFile() ? [readFileSync(path)] : [];
  });
const windows = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.floor(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

test('no token is kept: no part of its signature is in the data folder, and header and claims only in the evidence', async () => {
  const files = contents(place.path('data'));
  const found = (part: Buffer): boolean => files.some((file) => file.includes(part));
  const all = [...tokens.filter((token) => token.length < 16_384), ...company.tokens, ...plain.tokens];
  assert.ok(all.length >= 10);
  for (const token of all) {
    const [header, payload, signature] = token.split('.');
    assert.not(found(Buffer.from(`${header}.${payload.slice(0, 8)}`)));
    for (const part of windows(Buffer.from(signature), 24)) assert.not(found(part));
    for (const part of windows(Buffer.from(signature, 'base64url'), 12)) assert.not(found(part));
  }
  const [, claims] = company.tokens[0].split('.');
  assert.ok(windows(Buffer.from(claims), 24).some(found), 'the search finds what is kept');
});

test('no entry says who somebody is, and what the server prints neither', async () => {
  const size = Number((await headOf()).split(' ')[0]);
  const names = [JANE, GUEST].flatMap(({ sub, email, name }) => [sub, email, name]);
  for (let index = 0; index < size; index++) {
    const entry = Buffer.from(await (await fetch(`${log.ready.url}/v1/entries/${index}`)).arrayBuffer());
    for (const name of [...names, 'jroe', 'system:serviceaccount'])
      assert.not(entry.includes(name), `${name} in entry ${index}`);
  }
  for (const name of [...names, ...tokens]) assert.not(printed.includes(name));
});

await place.result(['keygen', 'nobody']);

test('the log audits, and without a registrar it enrols nobody', async () => {
  const { code, stdout, stderr } = await place.run(['audit', '--evidence']);
  assert.is(code, 0, stdout + stderr);
  assert.match(stdout, "is the word of the log's operator");
  const { evidence, findings } = await place.result(['audit', '--evidence']);
  assert.equal(findings, []);
  assert.equal([evidence.bad, evidence.erased, evidence.pinned], [0, 0, 1], 'the cluster alone has its keys in the policy');
  assert.ok(evidence.good >= 8);
  const { code: asked, stdout: said } = await place.run(['audit', '--evidence', '--key', place.path('nobody.key'), '--json']);
  assert.equal([asked, (oneLine(said) as { error: { code: string } }).error.code], [4, 'attachment/restricted']);
  await log.stop();
  log = await place.up();
  await refusesLogin(['--provider', 'cluster', '--token-file', 'good.jwt'], 2, 'cli/usage');
});

test.run();
