import { createHash } from 'node:crypto';
import { encodeCbor } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hexOf } from './attachment.js';
import { deskWithLog } from './fixture.js';
import { recordModel, refuses } from './people.js';

// What goes live is named by leaf hashes; its state follows from what they are.

const desk = await deskWithLog();
test.after(() => desk.served.close());

desk.write('prompt.txt', 'You are careful.\n');
const model = await recordModel(desk, 'wink', '1', desk.path('data/keys/admin.key'));
const about = ['--name', 'api', '--version', '1', '--reason', 'The first prompt.'];
const config = await desk.result(['record', 'config', 'prompt.txt', ...about]);
const recordAt = async (index: number) => (await desk.result(['show', String(index)])).record;
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** The arguments that record a deployment with these members besides. */
function deploy(members: Record<string, string> = {}): string[] {
  const named = { model: model.leaf, config: config.leaf, ...members };
  const lines = Object.entries(named).map(([name, value]) => `${name}: "${value}"\n`);
  const what = 'phase: intent\nenvironment: production\nservice: api\napprovals: []\n';
  desk.write(
    'deployment.yaml',
    `subject: deploy/production/api\nreason: The model goes into production.\n${what}${lines.join('')}`,
  );
  return ['record', 'deployment', '--file', 'deployment.yaml'];
}

/** The state as formats.md says, from what the log shows of the records. */
async function expected(image = '00'.repeat(32)): Promise<string> {
  const digest = hexOf((await recordAt(model.index)).digest);
  const prompt = createHash('sha256').update('You are careful.\n').digest();
  const sets = { files: [['prompt.txt', prompt]], guardrails: [], parameters: {}, system_prompt: prompt };
  const content = encodeCbor(sets as Parameters<typeof encodeCbor>[0]);
  const set = createHash('sha256').update('treering/config/v1').update(content).digest();
  const parts = [bytes(digest), set, bytes(image)];
  return createHash('sha256')
    .update(Buffer.concat([Buffer.from('treering/state/v1'), ...parts]))
    .digest('hex');
}

test('the state of a deployment follows from the model, the configuration and the image that it names', async () => {
  for (const image of [undefined, 'ab'.repeat(32)]) {
    const { index } = await desk.result(deploy(image === undefined ? {} : { image }));
    assert.is(hexOf((await recordAt(index)).state), await expected(image));
  }
});

test('a state that is said is logged only when it is the right one', async () => {
  await desk.result(deploy({ state: await expected() }));
  const { stderr } = await refuses(desk, deploy({ state: '11'.repeat(32) }), 4, 'governance/invalid-record');
  assert.ok(stderr.includes(await expected()), stderr);
});

test('of what is no model or no configuration nobody knows the state', async () => {
  const wrongs: readonly Record<string, string>[] = [{ model: config.leaf }, { config: model.leaf }];
  for (const wrong of wrongs)
    assert.match((await refuses(desk, deploy(wrong), 2, 'cli/usage')).stderr, 'say the state yourself');
  assert.is((await desk.call(deploy({ model: '11'.repeat(32) }))).code, 2);
});

test.run();
