import { mkdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Desk, deskWithLog } from './fixture.js';

const desk = await deskWithLog();
const { url, vkey } = desk.served;
const other = 'http://127.0.0.1:1';

test.after(() => desk.served.close());

/** A desk that knows of no log but what its own files say. */
function bareDesk(settings?: string): Desk {
  const bare = new Desk();
  if (settings !== undefined) bare.write('treering.yaml', settings);
  return bare;
}

for (const [word, near] of [
  ['log_ulr', 'log_url'],
  ['logkey', 'log_key'],
  ['keys', 'key'],
  ['Data', 'data'],
] as const) {
  test(`an unknown setting "${word}" is answered with the nearest spelling`, async () => {
    const { code, stderr } = await bareDesk(`${word}: x\n`).call(['show']);
    assert.is(code, 2);
    assert.match(stderr, `there is no setting "${word}"; did you mean "${near}"?`);
  });
}

for (const [name, text] of [
  ['no YAML', 'a: [b\n'],
  ['a list', '- log_url\n'],
  ['a text', 'hello\n'],
  ['a URL that is a number', 'log_url: 5\n'],
  ['a URL that is none', 'log_url: "not a url"\n'],
  ['a URL of another scheme', 'log_url: "file:///etc/passwd"\n'],
  ['a key that is a list', 'log_key: [a]\n'],
] as const) {
  test(`a project file that is ${name} is refused, and named`, async () => {
    const { code, stderr } = await bareDesk(text).call(['show']);
    assert.is(code, 2);
    assert.match(stderr, 'treering.yaml');
  });
}

test('a project file that is empty says nothing', async () => {
  const { code, stderr } = await bareDesk('').call(['show']);
  assert.is(code, 2);
  assert.match(stderr, /no key of the log is known/);
});

test('the project file is found in a folder above', async () => {
  const bare = bareDesk(`log_url: ${url}\nlog_key: ${vkey}\n`);
  mkdirSync(bare.path('a', 'b'), { recursive: true });
  const { json } = await bare.call(['show', '--json'], { cwd: bare.path('a', 'b') });
  assert.is(json().origin, 'log.test/cli');
});

test('the nearest project file is the one that counts', async () => {
  const bare = bareDesk(`log_url: ${other}\nlog_key: ${vkey}\n`);
  bare.write('inner/treering.yaml', `log_url: ${url}\nlog_key: ${vkey}\n`);
  assert.is((await bare.call(['show'])).code, 3);
  assert.is((await bare.call(['show'], { cwd: bare.path('inner') })).code, 0);
});

test('flags go before the environment, and that before the project file', async () => {
  const bare = bareDesk(`log_url: ${other}\nlog_key: ${vkey}\n`);
  assert.is((await bare.call(['show'])).code, 3, 'the file says where');
  assert.is((await bare.call(['show'], { env: { TREERING_LOG_URL: url } })).code, 0, 'the environment says otherwise');
  assert.is((await bare.call(['show', '--url', other], { env: { TREERING_LOG_URL: url } })).code, 3, 'the flag has it');
});

test('paths in the project file are relative to it, and paths of flags to the folder', async () => {
  const bare = bareDesk(`log_url: ${url}\nlog_key: ${vkey}\nkey: mine/admin.key\n`);
  mkdirSync(bare.path('deep'));
  const { code, stderr } = await bare.call(['record', 'incident', '--file', bare.write('i.yaml', incident)], {
    cwd: bare.path('deep'),
  });
  assert.is(code, 2);
  assert.match(stderr, bare.path('mine', 'admin.key'));
  const flagged = await bare.call(['record', 'incident', '--file', '../i.yaml', '--key', 'other.key'], {
    cwd: bare.path('deep'),
  });
  assert.match(flagged.stderr, bare.path('deep', 'other.key'));
});

const incident = `subject: incident/1
reason: Something happened to the model.
severity: low
aware_at: 1767225600000
affected: []
`;

test("the key of a log on this machine is taken from its folder, and nobody else's", async () => {
  const bare = bareDesk();
  bare.write('data/log.vkey', `${vkey}\n`);
  bare.write('data/log.url', `${url}\n`);
  assert.is((await bare.result(['show'])).origin, 'log.test/cli');
  const without = await bareDesk().call(['show', '--url', url]);
  assert.is(without.code, 2);
  assert.match(without.stderr, /not from the log/);
});

test('init writes the project file once, and the commands use it', async () => {
  const bare = bareDesk();
  const result = await bare.result(['init', '--url', url, '--log-key', vkey]);
  assert.is(result.log_key, vkey);
  assert.is((await bare.result(['show'])).origin, 'log.test/cli');
  const again = await bare.call(['init', '--url', url, '--log-key', vkey]);
  assert.is(again.code, 2);
  assert.match(again.stderr, /exists/);
});

test('init takes no URL and no key that are none', async () => {
  assert.is((await bareDesk().call(['init', '--url', url, '--log-key', 'nonsense'])).code, 2);
  const bare = bareDesk();
  assert.is((await bare.call(['init', '--url', 'not a url', '--log-key', vkey])).code, 2);
  assert.match((await bare.call(['show'])).stderr, /no key of the log is known/, 'no file was left that nobody can read');
});

test('a serving log refuses settings that are none', async () => {
  for (const [flag, value] of [
    ['--listen', 'nowhere'],
    ['--rate', '-1'],
    ['--rate', 'many'],
    ['--identity-rate', '-1'],
    ['--identity-burst', '0'],
    ['--log-level', 'loud'],
    ['--publish-interval', '1'],
    ['--public-url', 'ftp://x'],
  ]) {
    const { code, stderr } = await desk.call(['log', 'serve', flag, value]);
    assert.is(code, 2, `${flag} ${value}: ${stderr}`);
  }
});

test.run();
