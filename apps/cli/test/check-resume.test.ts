import { readFileSync, writeFileSync } from 'node:fs';
import { type CborInput, decodeCbor, encodeCbor } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { recordModel } from './people.js';

// A check that goes on where the last one ended finds what one from the beginning finds, whatever the log lists of a subject.

const desk = await deskWithLog();
test.after(() => desk.served.close());
const admin = desk.path('data/keys/admin.key');
desk.write('prompt.txt', 'You are careful.\n');
const model = await recordModel(desk, 'triage', '1', admin);
const named = ['--name', 'triage', '--version', '1', '--reason', 'The first configuration.'];
const config = await desk.result(['record', 'config', 'prompt.txt', ...named]);
desk.write('targets.yaml', 'environment: prod\nservices:\n  - { service: triage, model: triage, config: [prompt.txt] }\n');

/** Logs a deployment; `more` are further lines of its record. */
const deploy = async (phase: string, more = ''): Promise<{ index: number; leaf: string }> => {
  const facts = `subject: deploy/prod/triage\nreason: The service goes live.\nphase: ${phase}\nenvironment: prod\nservice: triage\n`;
  desk.write('deployment.yaml', `${facts}model: "${model.leaf}"\nconfig: "${config.leaf}"\napprovals: []\n${more}`);
  return desk.result(['record', 'deployment', '--file', 'deployment.yaml']);
};

/** Entries that the log leaves out when it lists a subject. */
const hidden = new Set<number>();
const { fetch } = globalThis;
const lie = (async (input: string, init?: RequestInit) => {
  const response = await fetch(input, init);
  if (!response.ok || !new URL(input).pathname.startsWith('/v1/subjects/')) return response;
  const page = (await response.json()) as { records: { index: number }[] };
  return Response.json({ ...page, records: page.records.filter(({ index }) => !hidden.has(index)) });
}) as typeof fetch;

/** Verdict about the service, and the deployment that it was compared with, when the log lists what it likes. */
async function checked(...more: string[]): Promise<[string, number | undefined]> {
  globalThis.fetch = lie;
  try {
    const { code, stdout, stderr } = await desk.call(['check', '--targets', 'targets.yaml', '--no-record', '--json', ...more]);
    const { services, match } = JSON.parse(stdout);
    assert.is(code, match === false ? 1 : 0, stdout + stderr);
    return [services[0].verdict, services[0].deployment?.index];
  } finally {
    globalThis.fetch = fetch;
  }
}

/** Fails unless both ways find this. */
async function expect(...found: [string, number | undefined]): Promise<void> {
  assert.equal(await checked(), found, 'from the beginning');
  assert.equal(await checked('--resume', 'progress'), found, 'from where the last one ended');
}

test('a log that lists a service without its end is not believed', async () => {
  await expect('mismatch', undefined);
  await deploy('intent');
  await expect('in-progress', undefined);
  const active = await deploy('active');
  await expect('match', active.index);
  const ended = await deploy('ended', `refs: [{ rel: ends, leaf: "${active.leaf}" }]\n`);
  hidden.add(ended.index);
  await expect('mismatch', undefined);
  // Nor is it when the end is not the newest record.
  await deploy('intent');
  await expect('in-progress', undefined);
  const again = await deploy('active');
  await expect('match', again.index);
});

test('what ended the announcement that was in service counts when the announcement came before the last check', async () => {
  const intent = await deploy('intent');
  await checked('--resume', 'progress');
  const active = await deploy('active');
  await expect('match', active.index);
  await deploy('ended', `refs: [{ rel: ends, leaf: "${intent.leaf}" }]\n`);
  await expect('mismatch', undefined);
});

test('a file that keeps no deployments, or other ones than they are written, does not hide any', async () => {
  const active = await deploy('active');
  await expect('match', active.index);
  const saved = decodeCbor(new Uint8Array(readFileSync(desk.path('progress'))), { tags: [] }) as Map<string, CborInput>;
  assert.is((saved.get('deployments') as unknown[]).length, 1);
  for (const deployments of [undefined, 7, [7], [[1, new Uint8Array(32), new Uint8Array(3), null]]]) {
    const changed = new Map(saved).set('deployments', deployments as CborInput);
    if (deployments === undefined) changed.delete('deployments');
    writeFileSync(desk.path('other'), encodeCbor(changed));
    assert.equal(await checked('--resume', 'other'), ['match', active.index]);
  }
});

test('a file that an audit wrote serves a check as well', async () => {
  assert.is((await desk.call(['audit', '--resume', 'shared'])).code, 0);
  const [verdict, index] = await checked();
  assert.is(verdict, 'match');
  assert.equal(await checked('--resume', 'shared'), [verdict, index]);
});

test.run();
