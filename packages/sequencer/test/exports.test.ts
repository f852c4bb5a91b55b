import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as face from '../src/index.js';

test('the public face is this', () => {
  assert.equal(Object.keys(face).sort(), [
    'AscendingAnchor',
    'AuthenticReader',
    'Publisher',
    'Sequencer',
    'SequencerError',
    'createFileAnchor',
    'recover',
    'storedTree',
  ]);
});

test.run();
