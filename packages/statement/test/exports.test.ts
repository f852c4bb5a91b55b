import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as portable from '../src/index.js';
import * as node from '../src/node/index.js';

test('the public face of @treering/statement', () => {
  assert.equal(Object.keys(portable).sort(), [
    'ALG',
    'CborTag',
    'HEADER',
    'MAX_STATEMENT_SIZE',
    'RECORD_CONTENT_TYPE',
    'ReceiptIssuer',
    'StatementError',
    'attachReceipts',
    'checkSignature',
    'compareBytes',
    'coseKeyThumbprint',
    'createCoseKey',
    'createStatementSigner',
    'decodeBase64Url',
    'decodeCbor',
    'dsseFromJson',
    'dssePae',
    'encodeBase64Url',
    'encodeCbor',
    'encodeCoseKey',
    'fromJson',
    'isOwnContentType',
    'issueReceipt',
    'keySetMember',
    'parseCoseKey',
    'parseDsse',
    'parseReceipt',
    'parseSign1',
    'parseStatement',
    'readReceipts',
    'receiptsOf',
    'sigStructure',
    'signStatement',
    'signatureCheck',
    'toJson',
    'twinOf',
    'verifyDsse',
    'verifyReceipt',
    'verifySign1',
  ]);
});

test('the public face of @treering/statement/node', () => {
  assert.equal(Object.keys(node).sort(), ['checkSignatureOffThread']);
});

test('algorithm numbers and header labels are those of the IANA COSE registries', () => {
  assert.equal(portable.ALG, { es256: -7, eddsa: -8, ed25519: -19, es384: -35 });
  assert.equal(portable.HEADER, {
    algorithm: 1,
    critical: 2,
    contentType: 3,
    keyId: 4,
    cwtClaims: 15,
    x5chain: 33,
    payloadHashAlgorithm: 258,
    preimageContentType: 259,
    payloadLocation: 260,
    receipts: 394,
    verifiableDataStructure: 395,
    verifiableDataProofs: 396,
  });
});

test.run();
