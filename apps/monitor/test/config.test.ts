import { createSigner, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MonitorConfigError, parseConfig } from '../src/index.js';

const vkey = (name: string, type: number = KEY_TYPE.ed25519, fill = 1): string =>
  formatVerifierKey(createSigner(name, type, new Uint8Array(32).fill(fill)).key);
const WITNESS = vkey('w.test', KEY_TYPE.ed25519Cosignature);
const POLICY = `witness w ${WITNESS} http://w.test\nquorum w\n`;

const read = (text: string, files: Readonly<Record<string, string>> = { 'policy.txt': POLICY }) =>
  parseConfig(text, async (path) => {
    if (files[path] === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
    return files[path];
  });

const MINIMAL = `logs:\n  - keys: ['${vkey('log.test')}']\n    url: http://log.test\n`;

test('a minimal file, and its defaults', async () => {
  const config = await read(MINIMAL);
  assert.is(config.listen, '127.0.0.1:6970');
  assert.is(config.interval, 10);
  const [log] = config.logs;
  assert.is(log.origin, 'log.test');
  assert.is(log.audit, true);
  assert.is(log.staleAfter, 1800);
  assert.is(log.remindBefore, 172_800, 'two days');
  assert.is(log.policy, undefined);
});

test('everything that can be set', async () => {
  const { logs, peers, webhooks, name } = await read(
    `name: m.test/1
listen: '[::1]:7000'
interval: 2
peers: [https://other.test]
webhooks: [https://pager.test/hook]
logs:
  - keys: ['${vkey('log.test')}', '${vkey('log.test', KEY_TYPE.mldsa44Cosignature)}']
    url: https://log.test/
    policy: policy.txt
    stale_after: 60
    deploy_within: 90
    remind_before: 0
  - keys: ['${vkey('key.test', KEY_TYPE.ed25519, 3)}']
    origin: go.sum database tree
    url: https://sum.test
    audit: false
`,
  );
  assert.is(name, 'm.test/1');
  assert.equal(peers, ['https://other.test']);
  assert.equal(webhooks, ['https://pager.test/hook']);
  assert.is(logs[0].keys.length, 2);
  assert.is(logs[0].policy?.quorum, 'w');
  assert.is(logs[0].policyText, POLICY);
  assert.is(logs[0].deployWithin, 90);
  assert.is(logs[0].remindBefore, 0);
  assert.is(logs[1].origin, 'go.sum database tree');
  assert.is(logs[1].audit, false);
});

const MISTAKES: Readonly<Record<string, readonly [string, RegExp]>> = {
  'no YAML': ['logs: [', /YAML/],
  'no logs': ['logs: []', /logs/],
  nothing: ['', /file|object/],
  'an unknown member': [`${MINIMAL}intervall: 3\n`, /intervall/],
  'a key that is none': ["logs: [{keys: [abc], url: 'http://l'}]", /logs\.0/],
  'keys of two logs': [`logs: [{keys: ['${vkey('a.test')}', '${vkey('b.test')}'], url: 'http://l'}]`, /one name/],
  'a URL of another kind': [`logs: [{keys: ['${vkey('a.test')}'], url: 'file:///etc/passwd'}]`, /url/],
  'a policy that is not there': [`${MINIMAL}    policy: gone.txt\n`, /gone\.txt/],
  'a policy that is none': [`${MINIMAL}    policy: bad.txt\n`, /line 1/],
  'a time that is none': [`${MINIMAL}    remind_before: -1\n`, /remind_before/],
  'one log twice': [`${MINIMAL}${MINIMAL.replace('logs:\n', '')}`, /twice/],
};

for (const [what, [text, message]] of Object.entries(MISTAKES))
  test(`${what} is told`, async () => {
    const error = await read(text, { 'bad.txt': 'nonsense\n' }).catch((e: Error) => e);
    assert.instance(error, MonitorConfigError);
    assert.match((error as Error).message, message);
  });

test.run();
