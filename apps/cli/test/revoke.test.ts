import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { enrol, recordModel, refuses, sizeOf } from './people.js';

// Whoever loses a key loses what it may do from the next entry on, and nothing of what it did.

const desk = await deskWithLog();
test.after(() => desk.served.close());

desk.write(
  'policy.yaml',
  `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config, deployment], on: ['**'] }
  - { name: approvers, who: { roles: [approver] }, may: [approval], on: ['**'] }
  - { name: registrars, who: { roles: [registrar] }, may: [identity], on: [identity/*], grants: [engineer] }
approvals:
  - { on: deploy/**, need: 1, roles: [approver], not_author: false }
`,
);
await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'Registrars enrol and revoke engineers.']);

const ADMINISTRATORS = 'charter/administrators';
const revoke = (id: string, ...more: string[]): string[] => ['revoke', id, '--reason', `The key of ${id} was lost.`, ...more];
const recordAt = async (index: number) => (await desk.result(['show', String(index)])).record;

/** The arguments that record a model. */
function modelOf(name: string, version: string, key: string): string[] {
  desk.write(`${name}/weights`, `weights of ${version}`);
  const about = ['--name', name, '--version', version, '--reason', `Version ${version} of the model.`];
  return ['record', 'model', name, ...about, '--key', key];
}

/** Makes another key of somebody, and enrols it. */
async function secondKey(id: string, file: string): Promise<{ key: string; thumbprint: string }> {
  const { thumbprint, enrolment } = await desk.result(['keygen', id, '--out', file]);
  await desk.result(['record', 'identity', '--file', enrolment]);
  return { key: file, thumbprint };
}

test('what a key signed before it was revoked stays valid, and what it signs later is refused with the entry that decided', async () => {
  const key = await enrol(desk, 'eve', 'engineer');
  const before = await desk.result(modelOf('eves', '1', key));
  const revoked = await desk.result(revoke('eve'));
  assert.is(revoked.subject, 'identity/eve');
  assert.is(revoked.proof, desk.path('identity-eve-revoked.tlog-proof'));
  const { type, action, id, reason } = await recordAt(revoked.index);
  assert.equal([type, action, id, reason], ['identity', 'revoke', 'eve', 'The key of eve was lost.']);
  const { stderr } = await refuses(desk, modelOf('eves', '2', key), 4, 'governance/revoked-key');
  assert.ok(stderr.includes(`identity@${revoked.index}`), stderr);
  assert.is((await desk.result(['verify', before.proof])).verified, true);
  assert.is((await desk.result(['verify', revoked.proof])).verified, true);
  assert.is((await recordAt(before.index)).version, '1');
  assert.equal((await desk.result(['audit'])).findings, []);
});

test('a revoked key is never enrolled again, and somebody gets a new one', async () => {
  const key = await enrol(desk, 'fay', 'engineer');
  const { index } = await desk.result(revoke('fay'));
  const { stderr } = await refuses(desk, ['record', 'identity', '--file', 'fay.identity.yaml'], 4, 'governance/revoked-key');
  assert.ok(stderr.includes(`identity@${index}`), stderr);
  const fresh = await secondKey('fay', 'fay-new.key');
  await desk.result(modelOf('fays', '1', fresh.key));
  await refuses(desk, modelOf('fays', '2', key), 4, 'governance/revoked-key');
});

test('all keys of an identity end, or only the one with the thumbprint', async () => {
  const first = await enrol(desk, 'gil', 'engineer');
  const second = await secondKey('gil', 'gil-2.key');
  const third = await secondKey('gil', 'gil-3.key');
  await desk.result(revoke('gil', '--thumbprint', second.thumbprint));
  await refuses(desk, modelOf('gils', '1', second.key), 4, 'governance/revoked-key');
  await desk.result(modelOf('gils', '2', first));
  await desk.result(modelOf('gils', '3', third.key));
  await desk.result([...revoke('gil'), '--reason', 'He does not work here any more.']);
  for (const key of [first, third.key]) await refuses(desk, modelOf('gils', '4', key), 4, 'governance/revoked-key');
});

test('a thumbprint that is none, or of a key of somebody else, is refused before anything is signed', async () => {
  await enrol(desk, 'hal', 'engineer');
  const { thumbprint } = await secondKey('ida', 'ida-2.key');
  for (const wrong of ['', 'x', thumbprint.toUpperCase(), thumbprint.slice(1), thumbprint, '00'.repeat(32)])
    await refuses(desk, revoke('hal', '--thumbprint', wrong), 2, 'cli/usage');
  await desk.result(modelOf('hals', '1', 'hal.key'));
});

test('who has no key, or none that is left, cannot be revoked', async () => {
  await refuses(desk, revoke('nobody'), 4, 'governance/unknown-key');
  await enrol(desk, 'jon', 'engineer');
  await desk.result(revoke('jon'));
  await refuses(desk, [...revoke('jon'), '--reason', 'To be quite sure of it.'], 4, 'governance/unknown-key');
});

test('an engineer revokes nobody, not even herself', async () => {
  const key = await enrol(desk, 'kim', 'engineer');
  await enrol(desk, 'lea', 'engineer');
  for (const id of ['lea', 'kim', 'admin']) await refuses(desk, revoke(id, '--key', key), 4, 'governance/not-allowed');
  await desk.result(modelOf('kims', '1', key));
});

test('a rule of the policy lets others revoke, but never an administrator', async () => {
  const registrar = await enrol(desk, 'max', 'registrar');
  const key = await enrol(desk, 'nia', 'engineer');
  const { stderr } = await refuses(desk, revoke('admin', '--key', registrar), 4, 'governance/not-allowed');
  assert.ok(stderr.includes(ADMINISTRATORS), stderr);
  const { index } = await desk.result(revoke('nia', '--key', registrar));
  assert.is((await desk.result(['show', String(index)])).issuer, 'log.test/cli/identity/max');
  await refuses(desk, modelOf('nias', '1', key), 4, 'governance/revoked-key');
});

test('a registrar who is revoked revokes nobody', async () => {
  const registrar = await enrol(desk, 'ola', 'registrar');
  await enrol(desk, 'pam', 'engineer');
  await desk.result(revoke('ola'));
  await refuses(desk, revoke('pam', '--key', registrar), 4, 'governance/revoked-key');
});

test('the last administrator cannot be revoked', async () => {
  const { stderr } = await refuses(desk, revoke('admin'), 4, 'governance/locks-out');
  assert.ok(stderr.includes(ADMINISTRATORS), stderr);
});

test('an approval counts no longer when the key that signed it is revoked', async () => {
  const key = await enrol(desk, 'quin', 'engineer');
  const approver = await enrol(desk, 'ray', 'approver');
  const { leaf: model } = await recordModel(desk, 'quins', '1', key);
  desk.write('prompt.txt', 'You are careful.\n');
  const about = ['--name', 'api', '--version', '1', '--reason', 'The first prompt.'];
  const { leaf: config } = await desk.result(['record', 'config', 'prompt.txt', ...about, '--key', key]);
  const deployment = (phase: string): string[] => {
    const what = `phase: ${phase}\nenvironment: production\nservice: quins\nmodel: "${model}"\nconfig: "${config}"\n`;
    const why = `subject: deploy/production/quins\nreason: The model goes into production.\n`;
    desk.write(`${phase}.yaml`, `${why}${what}approvals: []\n`);
    return ['record', 'deployment', '--file', `${phase}.yaml`, '--key', key];
  };
  const intent = await desk.result(deployment('intent'));
  await desk.result(['approve', String(intent.index), '--reason', 'It is good enough.', '--key', approver, '--yes']);
  await desk.result(revoke('ray'));
  await refuses(desk, deployment('active'), 4, 'governance/not-approved');
  const other = await enrol(desk, 'sue', 'approver');
  await desk.result(['approve', String(intent.index), '--reason', 'It is still good.', '--key', other, '--yes']);
  await desk.result(deployment('active'));
});

test('a reason that is too short revokes nobody', async () => {
  const key = await enrol(desk, 'tom', 'engineer');
  await refuses(desk, ['revoke', 'tom', '--reason', 'lost'], 2, 'record/invalid');
  await desk.result(modelOf('toms', '1', key));
});

test('--out names the proof file', async () => {
  await enrol(desk, 'una', 'engineer');
  const size = sizeOf(desk);
  const { proof, index } = await desk.result(revoke('una', '--out', 'proofs/una'));
  assert.equal([proof, index], [desk.path('proofs', 'una'), size]);
  assert.is((await desk.result(['verify', proof])).verified, true);
});

test.run();
