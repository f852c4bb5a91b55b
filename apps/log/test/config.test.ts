import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError, configSchema, nearest, parseConfig } from '../src/config.js';

/** The message of a configuration's refusal. */
function refusal(value: Record<string, unknown>): string {
  try {
    parseConfig(value);
  } catch (error) {
    assert.instance(error, ConfigError);
    assert.is((error as ConfigError).code, 'config/invalid');
    return (error as ConfigError).message;
  }
  throw new Error(`${JSON.stringify(value)} was accepted`);
}

test('only the folder has no default', () => {
  const config = parseConfig({ data: '/srv/log' });
  assert.is(config.listen, '127.0.0.1:6962');
  assert.is(config.publish_interval, 1000);
  assert.is(config.trust_store, false);
  assert.match(refusal({}), /"data"/);
  assert.match(refusal({ data: '' }), /"data"/);
});

test('a misspelt setting is answered with the right spelling', () => {
  const misspelt = {
    lisen: 'listen',
    publish_intervall: 'publish_interval',
    poolbytes: 'pool_bytes',
    log_lvl: 'log_level',
    brust: 'burst',
    Data: 'data',
    attachement_bytes: 'attachment_bytes',
  };
  for (const [wrong, right] of Object.entries(misspelt)) {
    assert.is(refusal({ data: 'x', [wrong]: 1 }), `there is no setting "${wrong}"; did you mean "${right}"?`);
  }
});

test('the nearest word is that with the smallest edit distance', () => {
  assert.is(nearest('kitten', ['sitting', 'mitten', 'smitten']), 'mitten');
  assert.is(nearest('', ['ab', 'a']), 'a');
  for (const key of Object.keys(configSchema.shape)) assert.is(nearest(key, Object.keys(configSchema.shape)), key);
});

test('values out of bounds are refused by name', () => {
  const bad: [string, unknown][] = [
    ['listen', '6962'],
    ['listen', 'localhost'],
    ['listen', '127.0.0.1:x'],
    ['listen', '127.0.0.1:65536'],
    ['listen', '127.0.0.1:99999'],
    ['url', 'ftp://log.test'],
    ['url', 'log.test'],
    ['publish_interval', 0],
    ['publish_interval', 1.5],
    ['publish_interval', '1000'],
    ['pool_entries', 0],
    ['under_way', 0],
    ['pool_bytes', 100],
    ['attachment_bytes', 10],
    ['connections', 0],
    ['rate', -1],
    ['burst', 0],
    ['log_level', 'verbose'],
    ['trust_store', 'yes'],
  ];
  for (const [key, value] of bad)
    assert.match(refusal({ data: 'x', [key]: value }), new RegExp(`"${key}"`), `${key} = ${value}`);
});

test('an attachment that the store could not take is no setting', () => {
  assert.is(
    refusal({ data: 'x', attachment_bytes: 1024 ** 3 }),
    'the setting "attachment_bytes" is at most 535822336: the store takes no longer attachment',
  );
  assert.is(parseConfig({ data: 'x', attachment_bytes: 535_822_336 }).attachment_bytes, 535_822_336);
});

test('one upload always finds room', () => {
  assert.is(
    refusal({ data: 'x', body_bytes: 16_777_216 }),
    'the setting "body_bytes" is 16777216, which leaves no room for one upload: set at least 67371004, or an "attachment_bytes" that is smaller than 67108864',
  );
  assert.is(parseConfig({ data: 'x', body_bytes: 67_371_004 }).body_bytes, 67_371_004);
  assert.match(refusal({ data: 'x', body_bytes: 67_371_003 }), /no room for one upload/);
});

test('addresses that a log can listen on are accepted', () => {
  for (const listen of ['127.0.0.1:0', '[::1]:6962', '0.0.0.0:65535', 'localhost:80'])
    assert.is(parseConfig({ data: 'x', listen }).listen, listen);
});

test('a member of the prototype is no setting', () => {
  assert.match(refusal({ data: 'x', constructor: 1 }), /there is no setting "constructor"/);
  assert.match(refusal(JSON.parse('{"data":"x","__proto__":1}')), /there is no setting "__proto__"/);
});

test.run();
