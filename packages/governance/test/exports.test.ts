import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as governance from '../src/index.js';

test('the public face of @treering/governance', () => {
  assert.equal(Object.keys(governance).sort(), [
    'Audit',
    'DEFAULT_CLOCK_SKEW',
    'GovernanceError',
    'GovernanceState',
    'admit',
    'authenticate',
    'checkClock',
    'clockSkew',
    'createCandidate',
    'explainPolicy',
    'isApproved',
    'keyFor',
    'looksLikeBundle',
    'matchesGlob',
    'matchesText',
    'mistakesIn',
    'prepareAhead',
    'restoreState',
    'restoreStateInParts',
    'rolesFor',
    'ruleFor',
    'rulesFor',
    'saveState',
    'saveStateInParts',
    'tallyApprovals',
  ]);
});

test.run();
