import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as evidence from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(evidence).sort(), [
    'EvidenceError',
    'REQUIRED_CLAIMS',
    'REQUIRED_RECEIPT_CLAIMS',
    'decodeAlarmProof',
    'encodeAlarmProof',
    'formatTlogProof',
    'holds',
    'isAlarmProof',
    'isCose',
    'logTime',
    'newestTime',
    'parseAlarmProof',
    'parseTlogProof',
    'recordAlarms',
    'signAlarmProof',
    'verifyAlarmProof',
    'verifyCoseReceipt',
    'verifyTlogProof',
  ]);
});

test('the claims without which no proof file holds', () => {
  assert.equal([...evidence.REQUIRED_CLAIMS].sort(), ['head-signed', 'included', 'quorum']);
});

test.run();
