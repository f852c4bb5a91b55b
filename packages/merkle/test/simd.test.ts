import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HASH_SIZE, portableHasher } from '../src/index.js';
import { opensslHasher } from '../src/node/index.js';
import { createSimdHasher, isSimdAvailable, kernelModule } from '../src/simd/index.js';
import { INITIAL_HASH, ROUND_CONSTANTS } from '../src/simd/sha256-words.js';
import { hex } from './memory-tiles.js';

const hasher = createSimdHasher(opensslHasher);

test('the constants are those of FIPS 180-4', () => {
  const words = (list: readonly number[]): string => list.map((word) => word.toString(16).padStart(8, '0')).join(' ');
  assert.is(words(INITIAL_HASH), '6a09e667 bb67ae85 3c6ef372 a54ff53a 510e527f 9b05688c 1f83d9ab 5be0cd19');
  assert.is(words(ROUND_CONSTANTS.slice(0, 4)), '428a2f98 71374491 b5c0fbcf e9b5dba5');
  assert.is(words(ROUND_CONSTANTS.slice(60)), '90befffa a4506ceb bef9a3f7 c67178f2');
  assert.is(new Set(ROUND_CONSTANTS).size, 64);
});

test('the module is valid, always the same, and imports nothing', () => {
  const bytes = kernelModule();
  assert.ok(WebAssembly.validate(bytes));
  assert.is(createHash('sha256').update(bytes).digest('hex'), createHash('sha256').update(kernelModule()).digest('hex'));
  const module = new WebAssembly.Module(bytes);
  assert.equal(WebAssembly.Module.imports(module), []);
  assert.equal(
    WebAssembly.Module.exports(module).map(({ name, kind }) => `${kind} ${name}`),
    ['memory memory', 'function nodes', 'function messages'],
  );
});

test('leaves of every length that the kernel takes, and of some that it does not', () => {
  const entries = Array.from({ length: 900 }, (_, length) => randomBytes(length));
  const output = new Uint8Array(entries.length * HASH_SIZE);
  hasher.hashLeaves(entries, output);
  entries.forEach((entry, i) => {
    const wanted = createHash('sha256').update(Uint8Array.of(0)).update(entry).digest('hex');
    assert.is(hex(output.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE)), wanted, `${i} bytes`);
  });
});

test('batches of leaves of mixed lengths keep their order', () => {
  const entry = fc.uint8Array({ minLength: 0, maxLength: 900 });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 0, maxLength: 300 }), (entries) => {
      const output = new Uint8Array(entries.length * HASH_SIZE);
      hasher.hashLeaves(entries, output);
      const wanted = new Uint8Array(entries.length * HASH_SIZE);
      opensslHasher.hashLeaves(entries, wanted);
      return hex(output) === hex(wanted);
    }),
    { numRuns: 60 },
  );
});

test('each lane of the kernel belongs to its pair: every byte of a group counts', () => {
  const input = randomBytes(4 * 64);
  const before = new Uint8Array(4 * HASH_SIZE);
  hasher.hashNodes(input, 4, before);
  for (let byte = 0; byte < input.length; byte++) {
    const changed = Uint8Array.from(input);
    changed[byte] ^= 1 << (byte % 8);
    const after = new Uint8Array(4 * HASH_SIZE);
    const wanted = new Uint8Array(4 * HASH_SIZE);
    hasher.hashNodes(changed, 4, after);
    portableHasher.hashNodes(changed, 4, wanted);
    assert.is(hex(after), hex(wanted), `byte ${byte}`);
    for (let pair = 0; pair < 4; pair++) {
      const same = hex(before.subarray(pair * 32, pair * 32 + 32)) === hex(after.subarray(pair * 32, pair * 32 + 32));
      assert.is(same, pair !== Math.floor(byte / 64), `byte ${byte}, pair ${pair}`);
    }
  }
});

test('hashers do not share memory', () => {
  const other = createSimdHasher(portableHasher);
  const input = randomBytes(64 * 8);
  const [first, second] = [new Uint8Array(8 * HASH_SIZE), new Uint8Array(8 * HASH_SIZE)];
  hasher.hashNodes(input, 8, first);
  other.hashNodes(randomBytes(64 * 8), 8, second);
  other.hashNodes(input, 8, second);
  assert.is(hex(first), hex(second));
});

test('where the kernel cannot be made, as with little address space, the base hashes everything and the name says so', () => {
  const { Instance } = WebAssembly;
  const poor = createSimdHasher(portableHasher);
  try {
    Object.defineProperty(WebAssembly, 'Instance', {
      configurable: true,
      writable: true,
      value: class {
        constructor() {
          throw new RangeError('could not allocate memory');
        }
      },
    });
    const input = randomBytes(64 * 8);
    const [own, wanted] = [new Uint8Array(8 * HASH_SIZE), new Uint8Array(8 * HASH_SIZE)];
    portableHasher.hashNodes(input, 8, wanted);
    poor.hashNodes(input, 8, own);
    assert.is(hex(own), hex(wanted));
    poor.hashLeaves([input, input], own);
    assert.is(hex(own.subarray(0, HASH_SIZE)), hex(portableHasher.hashLeaf(input)));
    assert.is(poor.name, portableHasher.name);
  } finally {
    Object.defineProperty(WebAssembly, 'Instance', { configurable: true, writable: true, value: Instance });
  }
});

test('where SIMD may not be compiled it is not available', () => {
  assert.ok(isSimdAvailable());
  const { Module } = WebAssembly;
  try {
    Object.defineProperty(WebAssembly, 'Module', {
      configurable: true,
      writable: true,
      value: class {
        constructor() {
          throw new WebAssembly.CompileError('forbidden by the policy of the page');
        }
      },
    });
    assert.not.ok(isSimdAvailable());
  } finally {
    Object.defineProperty(WebAssembly, 'Module', { configurable: true, writable: true, value: Module });
  }
});

test.run();
