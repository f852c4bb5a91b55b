import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as log from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(log).sort(), [
    'ACCESS_CONTENT_TYPE',
    'ConfigError',
    'GovernedAdmission',
    'Log',
    'Problem',
    'RateLimit',
    'STARTING_POLICY',
    'configSchema',
    'createApp',
    'createMetrics',
    'dataFolder',
    'fsck',
    'hasLog',
    'initLog',
    'nearest',
    'openAnchor',
    'openApi',
    'parseConfig',
    'serveLog',
    'toProblem',
  ]);
});

test.run();
