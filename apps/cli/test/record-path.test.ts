import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { huggingFaceFiles, safetensors, writeAll } from './model-files.js';
import { refuses } from './people.js';

// `treering record <path...>`: what paths are taken for, and what is left to the user to say.

const desk = await deskWithLog();
test.after(() => desk.served.close());

const WHY = ['--reason', 'Because a test needs it.'];
const MODEL = ['--version', '1', ...WHY];
const recordAt = async (index: number) => (await desk.result(['show', String(index)])).record;

test('a folder with weights is a model, under its own name, and why is said before it is signed', async () => {
  desk.write('Wink 1.8/w.bin', 'w');
  const { code, stdout, stderr } = await desk.call(['record', 'Wink 1.8', ...MODEL]);
  assert.is(code, 0, stderr);
  assert.match(stdout, /^Wink 1\.8: recorded as model, because it is a folder with w\.bin\.\n/);
  const { detected, subject } = await desk.result(['record', 'Wink 1.8', ...MODEL]);
  assert.equal([detected.kind, subject], ['model', 'model/wink-1.8']);
});

test('a file of weights is a model', async () => {
  desk.write('tiny.safetensors', safetensors({ x: [2] }));
  const { subject } = await desk.result(['record', 'tiny.safetensors', ...MODEL]);
  assert.is(subject, 'model/tiny');
});

test('a Hugging Face folder is a model, and with --config-name how it decodes is a configuration', async () => {
  writeAll(desk, 'hf', huggingFaceFiles());
  const result = await desk.result(['record', 'hf', ...MODEL, '--config-name', 'hf-decoding']);
  assert.match(result.detected.why, '2 safetensors files');
  assert.is(result.subject, 'model/hf');
  const { parameters, files, version } = await recordAt(result.config.index);
  assert.equal(parameters, {
    temperature: '0.7',
    top_p: '0.9',
    max_new_tokens: '64',
    do_sample: 'true',
    eos_token_id: '[1,2]',
  });
  assert.equal([files[0].path, version], ['generation_config.json', '1']);
  assert.ok(existsSync(desk.path('hf-decoding-1.tlog-proof')), 'not in the folder, whose digest it would change');
  const again = await desk.result(['record', 'hf', ...MODEL, '--config-name', 'hf-decoding']);
  assert.equal((await recordAt(again.index)).digest, (await recordAt(result.index)).digest);
});

test('--config-name without such a file is refused before anything is signed', async () => {
  const { stderr } = await refuses(desk, ['record', 'Wink 1.8', ...MODEL, '--config-name', 'x'], 2, 'cli/usage');
  assert.match(stderr, 'there is no');
});

test('prompts, YAML, JSON and texts are a configuration, alone or together', async () => {
  desk.write('guardrails.yaml', 'parameters: { temperature: 0.2 }\n');
  desk.write('prompt.txt', 'Be kind.');
  const one = await desk.result(['record', 'guardrails.yaml', ...MODEL]);
  assert.equal([one.detected.kind, one.subject], ['config', 'config/guardrails']);
  const two = await desk.result(['record', 'guardrails.yaml', 'prompt.txt', ...MODEL, '--name', 'both']);
  assert.equal([two.detected.kind, (await recordAt(two.index)).files.length], ['config', 2]);
});

test('a file that names the type of its record is that record, several are a batch', async () => {
  const incident = (n: number): string =>
    `type: incident\nsubject: incident/${n}\nreason: Something happened to it.\nseverity: low\naware_at: 1767225600000\naffected: []\n`;
  desk.write('one.yaml', incident(1));
  desk.write('two.yaml', incident(2));
  const one = await desk.result(['record', 'one.yaml']);
  assert.equal([one.detected.kind, one.subject], ['record', 'incident/1']);
  const { detected, results } = await desk.result(['record', 'one.yaml', 'two.yaml']);
  assert.equal([detected.kind, results.length], ['batch', 2]);
});

test('what another tool signed is foreign', async () => {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [],
    predicateType: 'https://e.example/p',
    predicate: {},
  };
  desk.write('statement.json', JSON.stringify(statement));
  const { stderr } = await refuses(desk, ['record', 'statement.json'], 2, 'cli/usage');
  assert.match(stderr, "option '--subject");
  const { detected, subject } = await desk.result(['record', 'statement.json', '--subject', 'model/wink']);
  assert.equal([detected.kind, subject], ['foreign', 'model/wink']);
});

test('what is not sure is refused with the commands that say it', async () => {
  desk.write('texts/a.txt', 'a');
  desk.write('unknown.xyz', 'x');
  desk.write('message.json', '{"type": "system", "content": "Be kind."}');
  desk.write('odd.yaml', 'type: incident\nsubject: incident/1\nparameters: { a: 1 }\n');
  desk.write('bom.json', '{"bomFormat": "CycloneDX"}');
  desk.write('named.cdx.json', '{}');
  desk.write('w.bin.dvc', 'outs: []');
  desk.write('broken.json', '{');
  desk.write('model.yaml', 'type: model\nsubject: model/x\n');
  for (const [paths, why] of [
    [['texts'], '"treering record model" or "treering record config"'],
    [['unknown.xyz'], 'nothing tells what unknown.xyz is'],
    [['message.json'], 'may be a record, because its type is system; or a config'],
    [['odd.yaml'], 'may be a record'],
    [['bom.json'], 'treering bom import'],
    [['named.cdx.json'], 'treering bom import'],
    [['w.bin.dvc'], 'is what DVC notes of w.bin'],
    [['broken.json'], 'cannot be read'],
    [['model.yaml'], 'made by "treering record model"'],
    [['guardrails.yaml', 'Wink 1.8'], 'one by one'],
    [['modle'], 'there is no'],
  ] as const) {
    const { stderr } = await refuses(desk, ['record', ...paths, ...MODEL, '--key', 'no-such.key'], 2, 'cli/usage');
    assert.match(stderr, why);
  }
});

test('--kind says it instead', async () => {
  const { subject } = await desk.result(['record', 'texts', '--kind', 'model', ...MODEL]);
  assert.is(subject, 'model/texts');
  const { subject: config } = await desk.result(['record', 'unknown.xyz', '--kind', 'config', '--name', 'x', ...MODEL]);
  assert.is(config, 'config/x');
  assert.is((await desk.call(['record', 'texts', '--kind', 'poem', ...MODEL])).code, 2);
});

test('what is missing is a usage error, as in the explicit commands', async () => {
  for (const [args, option] of [
    [['Wink 1.8', ...WHY], '--version'],
    [['Wink 1.8', '--version', '1'], '--reason'],
    [['guardrails.yaml', '--version', '1'], '--reason'],
    [['guardrails.yaml', 'prompt.txt', ...MODEL], '--name'],
  ] as const) {
    const { stderr } = await refuses(desk, ['record', ...args], 2, 'cli/usage');
    assert.match(stderr, `required option '${option}`);
  }
  assert.is((await desk.call(['record'])).code, 2);
});

test('the explicit commands are what they were', async () => {
  desk.write('model/w.bin', 'w');
  const { subject } = await desk.result(['record', 'model', 'model', '--name', 'm', ...MODEL]);
  assert.is(subject, 'model/m');
  assert.is((await desk.call(['record', 'model', 'model', ...MODEL])).code, 2, 'here the name is required');
  assert.match((await desk.call(['record', '--help'])).stdout, /foreign/);
});

test.run();
