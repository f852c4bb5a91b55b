import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { manifestRoot } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hexOf } from './attachment.js';
import { deskWithLog } from './fixture.js';
import { refuses } from './people.js';

// CycloneDX ML-BOMs: what is taken from them, what is refused, and what is written. What is written is checked with the schema
// and the validator of the CycloneDX project.

const desk = await deskWithLog();
test.after(() => desk.served.close());

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const FILES = { 'a.bin': 'one', 'sub/b.bin': 'two' };
for (const [name, content] of Object.entries(FILES)) desk.write(`wink/${name}`, content);
desk.write('single.gguf', 'weights');
const resources = Object.entries(FILES).map(([name, text]) => ({
  name,
  digest: new Uint8Array(Buffer.from(sha256(text), 'hex')),
}));
const ROOT = Buffer.from(manifestRoot(resources)).toString('hex');

const hashes = (content: string, alg = 'SHA-256') => ({ hashes: [{ alg, content }] });
const model = (over: object = {}) => ({
  type: 'machine-learning-model',
  'bom-ref': 'wink',
  name: 'Wink',
  version: '1.8.0',
  ...hashes(ROOT),
  licenses: [{ license: { id: 'MIT' } }],
  pedigree: { ancestors: [{ type: 'machine-learning-model', name: 'base', version: '3', ...hashes('ab'.repeat(32)) }] },
  components: Object.entries(FILES).map(([name, text]) => ({ type: 'file', name, ...hashes(sha256(text)) })),
  modelCard: {
    modelParameters: {
      datasets: [
        { ref: 'corpus' },
        { type: 'dataset', name: 'notes', contents: { url: 'https://data.example/notes' } },
        { type: 'dataset', name: 'unsaid' },
      ],
    },
    quantitativeAnalysis: {
      performanceMetrics: [
        { type: 'f1', value: '0.91', slice: 'adults', confidenceInterval: { lowerBound: '0.9', upperBound: '0.92' } },
        { type: 'accuracy', value: '0.95' },
      ],
    },
  },
  ...over,
});
const CORPUS = {
  type: 'data',
  'bom-ref': 'corpus',
  name: 'corpus',
  description: 'Letters of a hospital.',
  ...hashes('cd'.repeat(32)),
};
const bomOf = (component: object, over: object = {}) => ({
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  metadata: { component },
  components: [CORPUS],
  ...over,
});
const args = (file: string, ...flags: string[]): string[] => [
  'bom',
  'import',
  file,
  '--path',
  'wink',
  '--reason',
  'As its supplier describes it.',
  ...flags,
];
const imported = async (bom: object, ...flags: string[]) => {
  desk.write('in.cdx.json', JSON.stringify(bom));
  const result = await desk.result(args('in.cdx.json', ...flags));
  return { ...result, record: (await desk.result(['show', String(result.index)])).record };
};

/** What the CycloneDX project's own validator finds; null when nothing. */
const violations = (text: string, version: Spec.Version = Spec.Version.v1dot6): Promise<unknown> =>
  new Validation.JsonStrictValidator(version).validate(text);

test('the validator finds what is wrong, so that its silence says something', async () => {
  assert.is(await violations(JSON.stringify(bomOf(model()))), null);
  assert.is.not(await violations(JSON.stringify(bomOf(model({ colour: 'red' })))), null);
  assert.is.not(await violations(JSON.stringify(bomOf(model(hashes('zz'))))), null);
});

test('a BOM becomes a model record, with the digest of the files', async () => {
  const { record, subject } = await imported(bomOf(model()));
  assert.equal([subject, record.version, record.license], ['model/wink', '1.8.0', 'MIT']);
  assert.is(hexOf(record.digest), ROOT);
  assert.equal(
    record.parents.map((p: { name: string; digest: never }) => [p.name, hexOf(p.digest)]),
    [['base 3', 'ab'.repeat(32)]],
  );
  const [corpus, notes, unsaid] = record.training_data;
  assert.equal([corpus.name, corpus.provenance, hexOf(corpus.digest)], ['corpus', 'Letters of a hospital.', 'cd'.repeat(32)]);
  assert.equal([notes.name, notes.provenance, notes.digest], ['notes', 'https://data.example/notes', undefined]);
  assert.match(unsaid.provenance, 'does not say where it comes from');
  const attachment = record.attachments.find(({ name }: { name: string }) => name === 'bom.cdx.json');
  assert.equal(record.sbom, [{ format: 'CycloneDX 1.6', digest: attachment.digest }]);
});

test('what the user says wins; 1.5 and 1.7 are read too, and a model among the components', async () => {
  const flags = ['--name', 'mine', '--version', '2', '--license', 'Apache-2.0', '--parent', 'other'];
  const { record } = await imported(bomOf(model(), { specVersion: '1.5' }), ...flags);
  assert.equal([record.name, record.version, record.license, record.parents], ['mine', '2', 'Apache-2.0', [{ name: 'other' }]]);
  const listed = { bomFormat: 'CycloneDX', specVersion: '1.7', components: [CORPUS, model()] };
  assert.is((await imported(listed)).record.sbom[0].format, 'CycloneDX 1.7');
});

test('a hash that is not that of the files is refused', async () => {
  const [file] = model().components;
  for (const component of [
    model(hashes('00'.repeat(32))),
    model({ components: [{ ...file, ...hashes('00'.repeat(32)) }] }),
    model({ components: [{ ...file, name: 'missing.bin' }] }),
  ]) {
    desk.write('bad.cdx.json', JSON.stringify(bomOf(component)));
    const { stderr } = await refuses(desk, args('bad.cdx.json'), 2, 'cli/usage');
    assert.match(stderr, 'nothing is recorded');
  }
});

test('a single file is compared under whatever algorithm the BOM names; what cannot be compared is said', async () => {
  const of = (alg: string, content: string) => bomOf(model({ components: [], ...hashes(content, alg) }));
  const sha512 = createHash('sha512').update('weights').digest('hex');
  desk.write('in.cdx.json', JSON.stringify(of('SHA-512', sha512)));
  assert.is((await desk.call(args('in.cdx.json', '--path', 'single.gguf'))).code, 0);
  desk.write('in.cdx.json', JSON.stringify(of('SHA-256', sha256('weights').toUpperCase())));
  assert.is((await desk.call(args('in.cdx.json', '--path', 'single.gguf'))).code, 0);
  desk.write(
    'in.cdx.json',
    JSON.stringify(of('SHA-512', sha512.replace(/^./, 'z').replace('z', sha512[0] === '0' ? '1' : '0'))),
  );
  await refuses(desk, args('in.cdx.json', '--path', 'single.gguf'), 2, 'cli/usage');
  desk.write('in.cdx.json', JSON.stringify(of('SHA-512', sha512)));
  const { code, stderr } = await desk.call(args('in.cdx.json'));
  assert.is(code, 0);
  assert.match(stderr, 'cannot be compared');
});

test('what is no BOM about one model is refused', async () => {
  for (const [text, why] of [
    ['{', 'is no JSON'],
    ['{"bomFormat":"CycloneDX","bomFormat":"CycloneDX"}', 'twice'],
    [JSON.stringify(bomOf(model(), { specVersion: '1.4' })), 'must be 1.5, 1.6 or 1.7'],
    [JSON.stringify(bomOf(model(), { bomFormat: 'SPDX' })), 'bomFormat'],
    [JSON.stringify(bomOf({ type: 'library', name: 'x' })), 'no component'],
    [JSON.stringify({ ...bomOf(model()), metadata: {}, components: [CORPUS, model(), model()] }), '2 components'],
    [JSON.stringify(bomOf(model(), { components: [] })), 'refers to the dataset corpus'],
    [JSON.stringify(bomOf(model({ name: '' }))), 'name'],
    [JSON.stringify(bomOf(model({ components: [{ type: 'file', name: 'a.bin' }] }))), 'without a SHA-256'],
  ]) {
    desk.write('bad.cdx.json', text);
    const { stderr } = await refuses(desk, args('bad.cdx.json'), 2, 'cli/usage');
    assert.match(stderr, why);
  }
  desk.write('bad.cdx.json', JSON.stringify(bomOf(model({ version: undefined }))));
  assert.match((await refuses(desk, args('bad.cdx.json'), 2, 'cli/usage')).stderr, "option '--version");
});

test('metrics become an evaluation when both leaves are given, and the files are those of the model', async () => {
  const { leaf: modelLeaf } = await imported(bomOf(model()));
  desk.write('prompt.txt', 'Be kind.');
  const config = ['record', 'config', 'prompt.txt', '--name', 'kind', '--version', '1', '--reason', 'The prompt as it is.'];
  const { leaf: configLeaf } = await desk.result(config);
  const both = ['--model-leaf', modelLeaf, '--config-leaf', configLeaf];
  const enough = ['--dataset', 'ef'.repeat(32), '--verdict', 'pass'];
  const { record, subject } = await imported(bomOf(model()), ...both, ...enough);
  assert.equal([subject, record.type, record.verdict], ['evaluation/wink', 'evaluation', 'pass']);
  assert.equal([hexOf(record.model), hexOf(record.config)], [modelLeaf, configLeaf]);
  assert.equal(record.metrics, [
    { name: 'f1', value: '0.91', slice: 'adults', interval: ['0.9', '0.92'] },
    { name: 'accuracy', value: '0.95' },
  ]);
  const refusal = async (flags: string[], why: string): Promise<void> => {
    const { stderr } = await refuses(desk, args('in.cdx.json', ...flags), 2, 'cli/usage');
    assert.match(stderr, why);
  };
  await refusal([...both.slice(0, 2), ...enough], 'give both');
  await refusal(both, 'give --dataset');
  await refusal(['--model-leaf', configLeaf, '--config-leaf', configLeaf, ...enough], 'is no model record');
  await refusal([...both, ...enough, '--path', 'single.gguf'], 'are not those of the model');
  desk.write('in.cdx.json', JSON.stringify(bomOf(model({ modelCard: {} }))));
  await refusal([...both, ...enough], 'no performance metrics');
  const words = { quantitativeAnalysis: { performanceMetrics: [{ type: 'f1', value: 'high' }] } };
  desk.write('in.cdx.json', JSON.stringify(bomOf(model({ modelCard: words }))));
  await refusal([...both, ...enough], 'no decimal number');
});

test('a record is exported as a valid BOM, the same one each time, that can be imported again', async () => {
  const first = await imported(bomOf(model()), '--name', 'origin');
  const child = await imported(bomOf(model()), '--name', 'child', '--parent', first.leaf, '--change', 'finetune');
  const out = async (file: string, ...flags: string[]): Promise<string> => {
    await desk.result(['bom', 'export', String(child.index), '-o', file, ...flags]);
    return readFileSync(desk.path(file), 'utf8');
  };
  const text = await out('one.cdx.json');
  assert.is(await violations(text), null);
  assert.is(text, await out('two.cdx.json'));
  const { metadata, serialNumber } = JSON.parse(text);
  assert.match(serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const property = (name: string): string | undefined =>
    metadata.component.properties.find((p: { name: string }) => p.name === name)?.value;
  assert.equal(
    ['origin', 'index', 'leaf'].map((name) => property(`treering:${name}`)),
    ['log.test/cli', String(child.index), child.leaf],
  );
  assert.equal(
    metadata.component.components.map(({ name }: { name: string }) => name),
    Object.keys(FILES),
  );
  const again = await imported(JSON.parse(text), '--name', 'again');
  for (const member of ['digest', 'version', 'license', 'training_data'])
    assert.equal(again.record[member], child.record[member], member);
  assert.is(hexOf(again.record.parents[0].leaf), first.leaf);
  assert.is(hexOf(again.record.parents[0].digest), ROOT);
  // A leaf that the log does not have is a claim that nothing proves.
  const forged = text.replaceAll(first.leaf, '00'.repeat(32));
  desk.write('forged.cdx.json', forged);
  assert.is.not((await desk.call(args('forged.cdx.json', '--name', 'forged'))).code, 0);
  assert.is((await desk.call(['bom', 'export', String(child.index), '-o', 'one.cdx.json'])).code, 2, 'nothing is overwritten');
});

test('the leaf of an ancestor counts when it is that of a model record with the digest that the BOM says', async () => {
  const { leaf: modelLeaf } = await imported(bomOf(model()), '--name', 'ancestor');
  desk.write('prompt.txt', 'Be kind.');
  const config = ['record', 'config', 'prompt.txt', '--name', 'ancestor', '--version', '1', '--reason', 'The prompt as it is.'];
  const { leaf: configLeaf } = await desk.result(config);
  const importing = async (leaf: string, sha256?: string) => {
    const properties = [
      { name: 'treering:origin', value: 'log.test/cli' },
      { name: 'treering:leaf', value: leaf },
    ];
    const said = { type: 'machine-learning-model', name: 'llama', properties, ...(sha256 === undefined ? {} : hashes(sha256)) };
    desk.write('in.cdx.json', JSON.stringify(bomOf(model({ pedigree: { ancestors: [said] } }))));
    const { code, json, stderr } = await desk.call([...args('in.cdx.json', '--name', 'heir'), '--json']);
    assert.is(code, 0, stderr);
    const [{ leaf: of, digest }] = (await desk.result(['show', String(json().index)])).record.parents;
    return { leaf: of && hexOf(of), digest: digest && hexOf(digest), stderr };
  };
  const known = await importing(modelLeaf, ROOT);
  assert.equal([known.leaf, known.digest], [modelLeaf, ROOT]);
  assert.match(known.stderr, 'version 1.8.0 of model/ancestor');
  const taken = await importing(modelLeaf);
  assert.equal([taken.leaf, taken.digest], [modelLeaf, ROOT]);
  const other = await importing(configLeaf, 'ab'.repeat(32));
  assert.equal([other.leaf, other.digest], [undefined, 'ab'.repeat(32)]);
  assert.match(other.stderr, 'is no model record');
  const text = readFileSync(desk.path('in.cdx.json'), 'utf8').replace(configLeaf, modelLeaf);
  desk.write('in.cdx.json', text);
  assert.match((await refuses(desk, args('in.cdx.json'), 2, 'cli/usage')).stderr, 'nothing is recorded');
});

test('a BOM without a hash is said to have been compared with nothing', async () => {
  desk.write('in.cdx.json', JSON.stringify(bomOf(model({ hashes: [], components: [] }))));
  assert.match((await desk.call(args('in.cdx.json'))).stderr, 'nothing was compared');
  desk.write('in.cdx.json', JSON.stringify(bomOf(model({ hashes: [] }))));
  assert.not.match((await desk.call(args('in.cdx.json'))).stderr, 'nothing was compared');
});

test('evaluations of the model, and no others, stand in the exported model card', async () => {
  const { leaf, index } = await imported(bomOf(model()), '--name', 'measured');
  const config = ['record', 'config', 'prompt.txt', '--name', 'measured', '--version', '1', '--reason', 'The prompt as it is.'];
  const { leaf: configLeaf } = await desk.result(config);
  const flags = ['--model-leaf', leaf, '--config-leaf', configLeaf, '--dataset', 'ef'.repeat(32), '--verdict', 'pass'];
  const evaluation = await imported(bomOf(model()), ...flags);
  await desk.result(['bom', 'export', String(index), '-o', 'm.cdx.json', '--evaluation', String(evaluation.index)]);
  const text = readFileSync(desk.path('m.cdx.json'), 'utf8');
  assert.is(await violations(text), null);
  assert.equal(
    JSON.parse(text).metadata.component.modelCard.quantitativeAnalysis.performanceMetrics,
    model().modelCard.quantitativeAnalysis.performanceMetrics,
  );
  const other = await imported(bomOf(model()), '--name', 'unmeasured');
  const wrong = ['bom', 'export', String(other.index), '-o', 'n.cdx.json', '--evaluation', String(evaluation.index)];
  assert.match((await refuses(desk, wrong, 2, 'cli/usage')).stderr, 'evaluation of another model');
  assert.match((await refuses(desk, ['bom', 'export', configLeaf], 2, 'cli/usage')).stderr, 'is no model record');
});

test('a manifest that is not given out is left out, and said', async () => {
  const { index } = await imported(bomOf(model()), '--name', 'hidden', '--access', 'withheld');
  const { code, stderr } = await desk.call(['bom', 'export', String(index), '-o', 'h.cdx.json']);
  assert.is(code, 0, stderr);
  assert.match(stderr, 'withheld');
  assert.is(await violations(readFileSync(desk.path('h.cdx.json'), 'utf8')), null);
});

test.run();
