import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as server from '../src/index.js';

test('the public face of @treering/server', () => {
  assert.equal(Object.keys(server).sort(), [
    'ByteBudget',
    'IMMUTABLE',
    'KeptAnswers',
    'Problem',
    'RateLimit',
    'TITLES',
    'acceptsGzip',
    'answerCheckpoint',
    'answerTile',
    'base64',
    'body',
    'clientOf',
    'clientOfRequest',
    'createLogger',
    'createServerApp',
    'decimalParam',
    'hasMatch',
    'hashParam',
    'hex',
    'immutable',
    'listen',
    'problemBody',
    'readBody',
    'recordFailure',
  ]);
});

test.run();
