import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { huggingFaceFiles, safetensors, writeAll } from './model-files.js';
import { refuses } from './people.js';

// Folders as the Hugging Face libraries write them: what is read of them, and what is refused.

const desk = await deskWithLog();
test.after(() => desk.served.close());

const args = (folder: string, ...flags: string[]): string[] => [
  'record',
  'model',
  folder,
  '--name',
  'tiny',
  '--version',
  '1',
  '--reason',
  'A tiny model for tests.',
  ...flags,
];
const recordOf = async ({ index }: { index: number }) => (await desk.result(['show', String(index)])).record;

/** The content of an attachment as JSON. */
async function attached(index: number, name: string): Promise<Record<string, unknown>> {
  const out = `${name}-${index}`;
  await desk.result(['attachment', String(index), name, '--out', out]);
  const { readFileSync } = await import('node:fs');
  return JSON.parse(readFileSync(desk.path(out), 'utf8')) as Record<string, unknown>;
}

test('parameters, format and licence are read from the files, and the rest is attached', async () => {
  const outcome = await desk.call([...args(writeAll(desk, 'tiny', huggingFaceFiles())), '--json']);
  assert.is(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stderr, 'generation_config.json says how the model decodes');
  const { index } = outcome.json();
  const record = await recordOf({ index });
  assert.equal([record.format, record.license, record.size.parameters], ['safetensors', 'apache-2.0', 10]);
  const summary = await attached(index, 'huggingface.json');
  assert.equal(summary.model_type, 'tiny');
  assert.equal(summary.architectures, ['TinyForCausalLM']);
  assert.equal(summary.weights, ['model-1.safetensors', 'model-2.safetensors']);
  assert.equal(summary.base_model, 'acme/base');
  assert.equal((summary.generation as Record<string, string>).temperature, '0.7');
});

test('what the user says wins over what the files say', async () => {
  const flags = ['--license', 'MIT', '--format', 'gguf', '--name', 'other'];
  const record = await recordOf(await desk.result(args(writeAll(desk, 'tiny', huggingFaceFiles()), ...flags)));
  assert.equal([record.format, record.license, record.name], ['gguf', 'MIT', 'other']);
});

test('parameters are counted once: an index or model.safetensors says what is loaded', async () => {
  const { 'model.safetensors.index.json': _, ...files } = huggingFaceFiles();
  const whole = { 'model.safetensors': safetensors({ x: [5, 5] }) };
  const parameters = async (folder: string, content: Record<string, string | Uint8Array>): Promise<number | undefined> =>
    (await recordOf(await desk.result(args(writeAll(desk, folder, content))))).size.parameters;
  assert.is(await parameters('doubled', { ...huggingFaceFiles(), 'consolidated.safetensors': safetensors({ x: [9] }) }), 10);
  assert.is(await parameters('one', { ...files, ...whole }), 25);
  assert.is(await parameters('scalar', { 'config.json': '{}', 'model.safetensors': safetensors({ x: [] }) }), 1);
  assert.is(await parameters('bare', { 'config.json': '{}', 'tokenizer.json': '{}', 'w.bin': 'w' }), undefined);
});

test('a folder with a config.json and nothing else of Hugging Face is a plain one', async () => {
  const record = await recordOf(await desk.result(args(writeAll(desk, 'plain', { 'config.json': 'no JSON', 'w.bin': 'w' }))));
  assert.equal([record.format, record.size.parameters], [undefined, undefined]);
  assert.equal(
    record.attachments.map(({ name }: { name: string }) => name),
    ['manifest.json'],
  );
});

test('a licence of its own name, several, or none', async () => {
  for (const [front, wanted] of [
    ['license: other\nlicense_name: acme-licence', 'acme-licence'],
    ['license: [mit, apache-2.0]', 'mit, apache-2.0'],
    ['language: en', undefined],
  ] as const) {
    const files = { ...huggingFaceFiles(), 'README.md': `---\n${front}\n---\n` };
    assert.is((await recordOf(await desk.result(args(writeAll(desk, 'licences', files))))).license, wanted);
  }
});

test('what is malformed or contradicts itself is refused with the name of the file', async () => {
  const index = (map: unknown): string => JSON.stringify({ weight_map: map });
  const good = { 'a.weight': 'model-1.safetensors' };
  let n = 0;
  for (const [name, content, why] of [
    ['config.json', '{', 'config.json is no JSON'],
    ['config.json', '[]', 'config.json is no JSON object'],
    ['config.json', '{"a":1,"a":2}', 'config.json is no JSON'],
    ['generation_config.json', 'temperature: 1', 'generation_config.json is no JSON'],
    ['tokenizer_config.json', 'NaN', 'tokenizer_config.json is no JSON'],
    ['tokenizer.json', '', 'tokenizer.json is no JSON'],
    ['model.safetensors.index.json', '{}', 'has no weight_map'],
    ['model.safetensors.index.json', index({}), 'has no weight_map'],
    ['model.safetensors.index.json', index({ ...good, x: 3 }), 'names no safetensors file for x'],
    ['model.safetensors.index.json', index({ ...good, x: 'model-9.safetensors' }), 'model-9.safetensors, which is not there'],
    ['model.safetensors.index.json', index({ ...good, x: '../model-1.safetensors' }), 'which is not there'],
    [
      'model.safetensors.index.json',
      index({ ...good, x: 'model-1.safetensors' }),
      'x is in model-1.safetensors, and it is not',
    ],
    ['model.safetensors.index.json', index({ 'a.weight': 'model-2.safetensors' }), 'and it is not'],
    ['README.md', '---\nlicense: [\n---\n', 'the front matter of'],
  ] as const) {
    const folder = writeAll(desk, `bad-${n++}`, { ...huggingFaceFiles(), [name]: content });
    const { stderr } = await refuses(desk, args(folder), 2, 'cli/usage');
    assert.match(stderr, why);
    assert.match(stderr, name);
  }
});

test.run();
