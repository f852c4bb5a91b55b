import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as wasm from '../src/index.js';

test('@treering/wasm exports exactly these names', () => {
  assert.equal(Object.keys(wasm).sort(), [
    'ModuleBuilder',
    'doWhile',
    'get',
    'i32',
    'i64',
    'seq',
    'set',
    'v128',
    'when',
    'whileLoop',
  ]);
});

test.run();
