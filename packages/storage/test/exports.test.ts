import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as contract from '../src/contract.js';
import * as face from '../src/index.js';

test('the public face is this', () => {
  assert.equal(Object.keys(face).sort(), ['HeadConflictError', 'StorageError', 'createMemoryStorage']);
  assert.equal(Object.keys(contract), ['storageContract']);
});

test.run();
