import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as recorder from '../src/index.js';
import * as segment from '../src/segment.js';
import * as withoutSecrets from '../src/without-secrets.js';

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
    'serveRecorder',
    'signDelivery',
    'verifyDelivery',
  ]);
});

test('what a command takes that runs no recorder', () => {
  assert.equal(Object.keys(segment), ['segmentOf']);
  assert.equal(Object.keys(withoutSecrets).sort(), ['shownSource', 'withoutSecrets']);
});

test.run();
