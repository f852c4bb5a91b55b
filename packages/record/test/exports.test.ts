import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as portable from '../src/index.js';
import * as node from '../src/node/index.js';

test('the public face of @treering/record', () => {
  assert.equal(Object.keys(portable).sort(), [
    'DEFAULT_IGNORED',
    'RecordError',
    'SALT_SIZE',
    'aroundChanges',
    'articleSections',
    'configDigest',
    'createAttachment',
    'decodeRecord',
    'diffLines',
    'diffRecords',
    'diffTensors',
    'encodeRecord',
    'formatManifest',
    'headerLength',
    'indexByArticle',
    'isSubject',
    'manifestRoot',
    'openAttachment',
    'parseHeader',
    'parseManifest',
    'printable',
    'recordFromJson',
    'recordSchemas',
    'recordToJson',
    'renderRecord',
    'reportDeadline',
    'reportDueAt',
    'retentionOf',
    'retentionPresets',
    'sortResources',
    'stateDigest',
    'validateRecord',
  ]);
});

test('the public face of @treering/record/node', () => {
  assert.equal(Object.keys(node).sort(), ['hashFile', 'hashModel']);
});

test('an error says its code and its class', () => {
  const error = new portable.RecordError('manifest/changed', 'a sentence');
  assert.instance(error, Error);
  assert.equal([error.name, error.code, error.message], ['RecordError', 'manifest/changed', 'a sentence']);
});

test.run();
