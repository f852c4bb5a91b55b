import { configDigest, manifestRoot, type RecordOf, stateDigest } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXAMPLES } from '../../record/test/examples.js';
import { type LoggedContent, type ObservedContent, reconcile } from '../src/index.js';

// What runs against what was logged, in sentences.

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const resources = [
  { name: 'a.safetensors', digest: bytes(1) },
  { name: 'b.txt', digest: bytes(2) },
];
const tensors = [
  { name: 'a.safetensors:w', dtype: 'F32', shape: [2], digest: bytes(3) },
  { name: 'a.safetensors:v', dtype: 'F32', shape: [2], digest: bytes(4) },
];
const files = [{ path: 'prompt.txt', digest: bytes(5) }];
const model: RecordOf<'model'> = { ...EXAMPLES.model.minimal, name: 'score', version: '2', digest: manifestRoot(resources) };
const config: RecordOf<'config'> = { ...EXAMPLES.config.minimal, name: 'credit', version: '7', files };
const LOGGED: LoggedContent = {
  deployment: {
    index: 9,
    record: {
      ...EXAMPLES.deployment.minimal,
      service: 'credit',
      environment: 'prod',
      state: stateDigest(model.digest, configDigest(config)),
    },
  },
  model: { index: 3, record: model, resources, tensors },
  config: { index: 4, record: config, texts: new Map([['prompt.txt', 'Be careful.\nBe kind.\n']]) },
};
const SEEN: ObservedContent = {
  model: { digest: model.digest, resources, tensors },
  config: { digest: configDigest(config), said: { files }, texts: new Map() },
  image: undefined,
  running: true,
  unreadable: {},
  processes: [],
};
const text = (logged: LoggedContent | undefined, observed: ObservedContent | undefined): string[] =>
  reconcile(logged, observed).map(({ kind, text: sentence }) => `${kind}: ${sentence}`);

test('what is as it was logged differs in nothing, and neither does nothing from nothing', () => {
  assert.equal(reconcile(LOGGED, SEEN), []);
  assert.equal(reconcile(LOGGED, { ...SEEN, running: undefined }), []);
  assert.equal(reconcile(undefined, undefined), []);
  assert.equal(reconcile(undefined, { ...SEEN, model: undefined, running: undefined }), []);
  assert.equal(reconcile(undefined, { ...SEEN, running: false }), [], 'files that nothing runs');
});

test('both ways: what runs and is not logged, and what is logged and does not run', () => {
  assert.equal(text(undefined, SEEN), [
    'not-logged: it runs, and no deployment in the log is in service: it was started without one',
  ]);
  assert.match(text(undefined, { ...SEEN, running: undefined })[0], 'its model is there');
  assert.match(
    text(LOGGED, undefined)[0],
    'not-running: entry 9 puts credit in prod into service, and nothing here says where',
  );
  assert.equal(text(LOGGED, { ...SEEN, running: false, model: undefined, config: undefined }), [
    'not-running: entry 9 puts credit in prod into service, but it does not run',
    'not-running: entry 9 puts credit in prod into service, but its model is not there',
    'not-running: entry 9 puts credit in prod into service, but its configuration is not there',
  ]);
});

test('what cannot be read is no match, whether it is logged or not', () => {
  const parts = { model: 'the model cannot be read: a link', config: 'the configuration cannot be read: no YAML' };
  const observed = { ...SEEN, model: undefined, config: undefined, unreadable: parts };
  const wanted = ['unreadable: the model cannot be read: a link', 'unreadable: the configuration cannot be read: no YAML'];
  assert.equal(text(LOGGED, observed), wanted);
  assert.equal(text(undefined, { ...observed, running: false }), wanted);
});

test('files and tensors of a model that differ are named', () => {
  const now = [
    { name: 'a.safetensors', digest: bytes(8) },
    { name: 'c.txt', digest: bytes(2) },
  ];
  const changed = [{ ...tensors[0], digest: bytes(9) }, tensors[1], { ...tensors[1], name: 'a.safetensors:x' }];
  const observed = { ...SEEN, model: { digest: manifestRoot(now), resources: now, tensors: changed } };
  const [difference] = reconcile(LOGGED, observed);
  assert.is(
    difference.text,
    'the model is not score version 2 (entry 3): a.safetensors has changed, b.txt was removed, c.txt was added',
  );
  assert.equal(difference.lines, [
    '~ a.safetensors',
    '- b.txt',
    '+ c.txt',
    '~ tensor a.safetensors:w',
    '+ tensor a.safetensors:x',
  ]);
  const unread = { ...LOGGED, model: { index: 3, record: model } };
  assert.equal(reconcile(unread, observed), [{ kind: 'model', text: 'the model is not score version 2 (entry 3)' }]);
});

test('a file that was only renamed is named, where the manifest can be read', () => {
  const now = [{ name: 'a.bin', digest: bytes(1) }, resources[1]];
  const observed = { ...SEEN, model: { digest: manifestRoot(now), resources: now, tensors } };
  assert.equal(manifestRoot(now), model.digest);
  assert.equal(text(LOGGED, observed), [
    'model: the files of the model have other names than in entry 3: a.bin was added, a.safetensors was removed',
  ]);
});

test('lines of a configuration that differ are shown when both sides can be read', () => {
  const said = {
    files: [
      { path: 'prompt.txt', digest: bytes(6) },
      { path: 'more\u202e.yaml', digest: bytes(7) },
    ],
  };
  const digest = configDigest({ ...config, ...said });
  const texts = new Map([['prompt.txt', 'Be careful.\nBe \u001b[31mquick.\n']]);
  const differences = reconcile(LOGGED, { ...SEEN, config: { digest, said, texts } });
  assert.equal(differences, [
    { kind: 'config', text: 'more\\u{202e}.yaml is not in the configuration credit version 7 (entry 4)' },
    {
      kind: 'config',
      text: 'prompt.txt is not as in the configuration credit version 7 (entry 4): 1 line less, 1 more',
      lines: ['- Be kind.', '+ Be \\u{1b}[31mquick.'],
    },
  ]);
  const unread = reconcile(LOGGED, { ...SEEN, config: { digest, said, texts: new Map() } });
  assert.is(unread[1].lines, undefined);
});

test('files that are taken for something else than before do not match in silence', () => {
  const digest = configDigest({ ...config, system_prompt: bytes(5) });
  assert.match(
    text(LOGGED, { ...SEEN, config: { digest, said: { files }, texts: new Map() } })[0],
    'which is the system prompt',
  );
});

test('an image is compared where it was looked at', () => {
  const withImage = { ...LOGGED, deployment: { index: 9, record: { ...LOGGED.deployment.record, image: bytes(1) } } };
  assert.equal(reconcile(withImage, SEEN), []);
  assert.equal(reconcile(withImage, { ...SEEN, image: bytes(1) }), []);
  assert.equal(text(withImage, { ...SEEN, image: bytes(2) }), ['image: another image runs than the one that entry 9 names']);
  assert.equal(text(LOGGED, { ...SEEN, image: bytes(2) }), ['image: an image runs, and entry 9 names none']);
  assert.equal(text(LOGGED, { ...SEEN, processes: ['process 1 has loaded another file'] }), [
    'loaded: process 1 has loaded another file',
  ]);
});

test.run();
