import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as portable from '../src/index.js';
import * as node from '../src/node/index.js';

test('the public face of @treering/report', () => {
  assert.equal(Object.keys(portable).sort(), ['LARGEST_EMBEDDED', 'ReportError', 'embedPack']);
});

test('the public face of @treering/report/node', () => {
  assert.equal(Object.keys(node).sort(), ['readTemplate']);
});

test('an error says its code and its class', () => {
  const error = new portable.ReportError('report/too-large', 'a sentence');
  assert.instance(error, Error);
  assert.equal([error.name, error.code, error.message], ['ReportError', 'report/too-large', 'a sentence']);
});

test.run();
