import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as face from '../src/index.js';

test('the public face of @treering/attestation', () => {
  assert.equal(Object.keys(face).sort(), [
    'AttestationError',
    'EVENT_KINDS',
    'EVIDENCE_FORMAT',
    'EVIDENCE_TYPE',
    'LAST_STATIC_PCR',
    'MOST_EVENTS',
    'PCRS',
    'REQUIRED_QUOTE_CLAIMS',
    'attestationNonce',
    'decodeEvent',
    'decodeEvidence',
    'encodeEvent',
    'encodeEvidence',
    'parseQuote',
    'parseTpmSignature',
    'quoteHolds',
    'replayEvents',
    'verifyQuote',
  ]);
});

test('an error says its code and its class', () => {
  const cause = new Error('why');
  const error = new face.AttestationError('attestation/malformed', 'a sentence', { cause });
  assert.instance(error, Error);
  assert.equal([error.name, error.code, error.message], ['AttestationError', 'attestation/malformed', 'a sentence']);
  assert.is(error.cause, cause);
});

test.run();
