import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as witness from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(witness).sort(), [
    'ByteSource',
    'Mirror',
    'MirrorConflict',
    'SizeConflict',
    'Witness',
    'WitnessError',
    'WitnessStore',
    'configSchema',
    'createApp',
    'createCosignerKeys',
    'createFileAnchor',
    'createMetrics',
    'openCosignerKeys',
    'originHash',
    'parseLogList',
    'serveWitness',
    'unlockWitness',
    'witnessFolder',
  ]);
});

test.run();
