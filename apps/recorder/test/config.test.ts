import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig, type RecorderError } from '../src/index.js';

const good = { data: '/data', listen: '127.0.0.1:0', secret: 'the secret of the webhook', mappings: ['models:/=/srv'] };

test('settings are read, with their defaults', () => {
  const config = parseConfig(good);
  assert.equal(config.mappings, [{ prefix: 'models:/', folder: '/srv' }]);
  assert.is(config.log_level, 'info');
});

test('settings that cannot be meant are refused, and no message repeats the secret', () => {
  for (const over of [
    { secret: 'short secret' },
    { secret: undefined },
    { mappings: [] },
    { mappings: ['models:/'] },
    { listen: 'nowhere' },
    { colour: 'red' },
    { log_level: 'loud' },
  ])
    assert.throws(
      () => parseConfig({ ...good, ...over }),
      (error: RecorderError) => error.code === 'recorder/config' && !error.message.includes('secret of'),
    );
  assert.throws(
    () => parseConfig({ ...good, secret: 'short secret' }),
    (error: RecorderError) => !error.message.includes('short secret'),
  );
});

test.run();
