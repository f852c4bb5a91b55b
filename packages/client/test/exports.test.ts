import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as client from '../src/index.js';
import * as node from '../src/node/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(client).sort(), [
    'ClientError',
    'EnrolledKeys',
    'EntryMismatch',
    'Follower',
    'HistoryMismatch',
    'LogClient',
    'MirrorClient',
    'MonitorClient',
    'ProvedTree',
    'TlogReader',
    'WitnessClient',
    'auditHashes',
    'createHeadMemory',
    'openHead',
    'requireContained',
  ]);
});

test('what the package exports for Node alone', () => {
  assert.equal(Object.keys(node).sort(), ['createFileHeadMemory']);
});

test.run();
