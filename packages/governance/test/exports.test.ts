import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as governance from '../src/index.js';

test('the public face of @treering/governance', () => {
  assert.equal(Object.keys(governance).sort(), [
    'DEFAULT_CLOCK_SKEW',
    'GovernanceError',
    'GovernanceState',
    'admit',
    'checkClock',
    'createCandidate',
    'keyFor',
    'matchesGlob',
  ]);
});

test.run();
