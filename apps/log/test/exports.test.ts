import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as log from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(log).sort(), [
    'ACCESS_CONTENT_TYPE',
    'ConfigError',
    'ENROLMENT_CONTENT_TYPE',
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
    'nearest',
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

test.run();
