import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as deployment from '../src/index.js';

test('the public face of @treering/deployment', () => {
  assert.equal(Object.keys(deployment).sort(), [
    'ENDS',
    'countingRecords',
    'inService',
    'parsePinnedImage',
    'reconcile',
    'verifyPermit',
  ]);
});

test.run();
