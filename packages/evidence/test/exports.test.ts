import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as evidence from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(evidence).sort(), [
    'ATTESTATION_KEY',
    'ATTESTATION_ROLE',
    'DECISION_SALT_SIZE',
    'DISCLOSURES',
    'EvidenceError',
    'LARGEST_ATTACHMENT',
    'PackIndex',
    'REQUIRED_CLAIMS',
    'REQUIRED_RECEIPT_CLAIMS',
    'asksAbout',
    'decisionRoot',
    'decodeAlarmProof',
    'decodeDecision',
    'decodeItem',
    'describeQuestion',
    'encodeAlarmProof',
    'encodeDecision',
    'encodeItem',
    'examineAttestations',
    'findDecision',
    'formatTlogProof',
    'holds',
    'isAlarmProof',
    'isCose',
    'isPack',
    'logTime',
    'newestTime',
    'parseAlarmProof',
    'parseTlogProof',
    'proveDecision',
    'questionSchema',
    'readPack',
    'recordAlarms',
    'signAlarmProof',
    'timeText',
    'verifyAlarmProof',
    'verifyCoseReceipt',
    'verifyPack',
    'verifyTlogProof',
    'writePack',
  ]);
});

test('the claims without which no proof file holds', () => {
  assert.equal([...evidence.REQUIRED_CLAIMS].sort(), ['head-signed', 'included', 'quorum']);
});

test.run();
