import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as keys from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(keys).sort(), [
    'KeyError',
    'decryptKey',
    'encryptKey',
    'isEncrypted',
    'openKey',
    'openSeed',
    'parsePkcs11Uri',
    'requireNoteSigner',
    'requireStatementSigner',
  ]);
});

test('an error of a key has a code, a message, a name and what caused it', () => {
  const cause = new Error('why');
  const error = new keys.KeyError('key/token', 'the token does not sign', { cause });
  assert.instance(error, Error);
  assert.is(error.name, 'KeyError');
  assert.is(error.code, 'key/token');
  assert.is(error.message, 'the token does not sign');
  assert.is(error.cause, cause);
});

test.run();
