import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  MerkleInputError,
  MerkleStateError,
  ProofError,
  parseTilePath,
  tileHashReader,
  verifyInclusion,
} from '../src/index.js';
import { rejectsWith } from './refusal.js';

const CLASSES = [
  { Class: MerkleInputError, name: 'MerkleInputError', code: 'merkle/bad-input' },
  { Class: ProofError, name: 'ProofError', code: 'merkle/proof-failed' },
  { Class: MerkleStateError, name: 'MerkleStateError', code: 'merkle/impossible-state' },
];

for (const { Class, name, code } of CLASSES) {
  test(`${name} is an Error with the code ${code}`, () => {
    const cause = new Error('because');
    const error = new Class('what went wrong', { cause });
    assert.instance(error, Error);
    assert.equal([error.name, error.code, error.message, error.cause], [name, code, 'what went wrong', cause]);
    for (const other of CLASSES) assert.is(error instanceof other.Class, other.Class === Class);
  });
}

function thrownBy(act: () => unknown): { code?: string } {
  try {
    act();
  } catch (error) {
    return error as { code?: string };
  }
  throw new Error('nothing was thrown');
}

test('each kind of failure has its own code', async () => {
  const [leaf, root] = [new Uint8Array(32), new Uint8Array(32).fill(1)];
  assert.is(thrownBy(() => parseTilePath('tile')).code, 'merkle/bad-input');
  assert.is(thrownBy(() => verifyInclusion(0, 1, leaf, [], root)).code, 'merkle/proof-failed');
  const reader = tileHashReader(1, async () => new Uint8Array(64));
  await rejectsWith(MerkleStateError, () => reader.readHashes([{ level: 0, index: 0 }]));
});

test.run();
