import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as cli from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(cli).sort(), ['main']);
});

test.run();
