import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as admission from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(admission).sort(), [
    'AdmissionError',
    'PermitBook',
    'Refusal',
    'allowedImages',
    'configSchema',
    'createApp',
    'createMetrics',
    'decide',
    'formatReview',
    'parseRequest',
    'serveAdmission',
  ]);
});

test.run();
