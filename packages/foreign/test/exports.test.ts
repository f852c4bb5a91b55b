import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as portable from '../src/index.js';
import * as node from '../src/node/index.js';

test('the public face of @treering/foreign', () => {
  assert.equal(Object.keys(portable).sort(), [
    'ForeignError',
    'IN_TOTO_PAYLOAD',
    'claimsOf',
    'parseBundle',
    'parseInToto',
    'parseStrictJson',
  ]);
});

test('the public face of @treering/foreign/node', () => {
  assert.equal(Object.keys(node).sort(), ['nodeMeans', 'verifyBundle', 'verifyCertificates', 'verifySigstore']);
  assert.equal(Object.keys(node.nodeMeans).sort(), ['bundle', 'certificates', 'checkSignature']);
});

test('an error says its code and its class', () => {
  const cause = new Error('why');
  const error = new portable.ForeignError('foreign/malformed', 'a sentence', { cause });
  assert.instance(error, Error);
  assert.equal([error.name, error.code, error.message], ['ForeignError', 'foreign/malformed', 'a sentence']);
  assert.is(error.cause, cause);
});

test.run();
