import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as recorder from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(recorder).sort(), [
    'RecorderError',
    'RecorderStore',
    'Worker',
    'createApp',
    'parseConfig',
    'parseEvent',
    'parseMapping',
    'recorderStore',
    'resolveSource',
    'segmentOf',
    'serveRecorder',
    'signDelivery',
    'verifyDelivery',
    'withoutSecrets',
  ]);
});

test.run();
