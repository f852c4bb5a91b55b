import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as note from '../src/index.js';
import * as node from '../src/node/index.js';
import * as tables from '../src/tables/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(note).sort(), [
    'KEY_TYPE',
    'MAX_NOTE_SIZE',
    'MAX_PROOF_HASHES',
    'MAX_SIGNATURES',
    'MAX_TICKET_SIZE',
    'MIRROR_INFO_TYPE',
    'MLDSA44_PUBLIC_KEY_SIZE',
    'MLDSA44_SIGNATURE_SIZE',
    'NoteError',
    'checkEd25519PublicKey',
    'concatBytes',
    'createEd25519Signer',
    'createSigner',
    'createVerifierKey',
    'decodeBase64',
    'decodeUtf8',
    'ed25519CosignatureMessage',
    'encodeBase64',
    'encodeUtf8',
    'evaluateQuorum',
    'formatAddCheckpoint',
    'formatAddEntriesHeader',
    'formatCheckpoint',
    'formatMirrorInfo',
    'formatNote',
    'formatSignSubtree',
    'formatSignatureLine',
    'formatSignerKey',
    'formatVerifierKey',
    'hex',
    'isCosignatureKey',
    'mldsa44CosignatureMessage',
    'openCheckpoint',
    'openNote',
    'parseAddCheckpoint',
    'parseCheckpoint',
    'parseDecimal',
    'parseMirrorInfo',
    'parseNote',
    'parsePolicy',
    'parseSignSubtree',
    'parseSignatureLine',
    'parseSignerKey',
    'parseVerifierKey',
    'portableEd25519',
    'requireQuorum',
    'verifyEcdsa',
    'verifyMldsa44',
  ]);
});

test('what the package exports for Node alone', () => {
  assert.equal(Object.keys(node).sort(), [
    'SignatureThread',
    'holdEd25519',
    'nodeEd25519',
    'readKeyFile',
    'readSecretBytes',
    'readSecretFile',
    'verifyEd25519OffThread',
    'writeKeyFile',
    'writeSecretFile',
  ]);
});

test('what the package exports to verify from tables', () => {
  assert.equal(Object.keys(tables).sort(), ['TableMismatchError', 'createTableEd25519']);
});

test.run();
