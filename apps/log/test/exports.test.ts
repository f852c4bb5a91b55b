import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as config from '../src/config.js';
import * as contentTypes from '../src/content-types.js';
import * as folder from '../src/data-folder.js';
import * as log from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(log).sort(), [
    'ConfigError',
    'GovernedAdmission',
    'Log',
    'Registrar',
    'STARTING_POLICY',
    'TokenVerifier',
    'activateKeys',
    'configSchema',
    'createApp',
    'createMetrics',
    'createSnapshotFile',
    'dataFolder',
    'enrolmentNonce',
    'examineEvidence',
    'fsck',
    'hasLog',
    'initLog',
    'jwkThumbprint',
    'logKeysFrom',
    'openAnchor',
    'openApi',
    'openLogKeys',
    'parseConfig',
    'pseudonymSecret',
    'retireKeys',
    'serveLog',
    'toProblem',
  ]);
});

test('what a command takes that runs no log', () => {
  assert.equal(Object.keys(config).sort(), ['ConfigError', 'configSchema', 'nearest', 'parseConfig']);
  assert.equal(Object.keys(contentTypes).sort(), ['ACCESS_CONTENT_TYPE', 'ENROLMENT_CONTENT_TYPE']);
  assert.equal(Object.keys(folder).sort(), ['dataFolder']);
});

test.run();
