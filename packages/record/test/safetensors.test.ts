import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { diffTensors, headerLength, parseHeader, RecordError, type TensorDigest, type TensorInfo } from '../src/index.js';
import { hashFile, hashModel } from '../src/node/index.js';
import { digestOf } from './examples.js';
import { refuses, rejects } from './expect-error.js';
import { bytesOf, safetensorsFile, sha256, tensorFile, withFolder } from './model-folder.js';

const MiB = 1024 * 1024;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (header: unknown, size: number): TensorInfo[] => parseHeader(utf8(JSON.stringify(header)), size);
const tensor = (dtype: string, shape: readonly unknown[], data_offsets: readonly unknown[]) => ({ dtype, shape, data_offsets });

/** Hashes bytes as a file. */
async function hashBytes(bytes: Uint8Array): Promise<Awaited<ReturnType<typeof hashFile>>> {
  let result: Awaited<ReturnType<typeof hashFile>> | undefined;
  await withFolder({ 'm.safetensors': bytes }, async (folder) => {
    result = await hashFile(join(folder, 'm.safetensors'), true, () => undefined);
  });
  return result as Awaited<ReturnType<typeof hashFile>>;
}

test('tensors come in the order of their bytes, whatever the order of the header', () => {
  const header = {
    __metadata__: { format: 'pt' },
    z: tensor('F32', [2, 2], [0, 16]),
    a: tensor('BF16', [3], [16, 22]),
    '': tensor('BOOL', [], [22, 23]),
  };
  assert.equal(parse(header, 23), [
    { name: 'z', dtype: 'F32', shape: [2, 2], begin: 0, end: 16 },
    { name: 'a', dtype: 'BF16', shape: [3], begin: 16, end: 22 },
    { name: '', dtype: 'BOOL', shape: [], begin: 22, end: 23 },
  ]);
  assert.equal(parse({}, 0), []);
  assert.equal(
    parseHeader(utf8('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}      '), 1).length,
    1,
    'padded with spaces',
  );
});

test('the size of a tensor follows from its dtype and shape', () => {
  const bits = {
    BOOL: 8,
    U8: 8,
    I8: 8,
    F8_E4M3: 8,
    F8_E5M2: 8,
    I16: 16,
    U16: 16,
    F16: 16,
    BF16: 16,
    I32: 32,
    U32: 32,
    F32: 32,
    I64: 64,
    U64: 64,
    F64: 64,
    F4: 4,
  };
  for (const [dtype, width] of Object.entries(bits)) {
    const size = (12 * width) / 8;
    assert.is(parse({ a: tensor(dtype, [3, 4], [0, size]) }, size)[0].end, size, dtype);
    for (const wrong of [size - 1, size + 1]) {
      refuses(
        () => parse({ a: tensor(dtype, [3, 4], [0, wrong]) }, wrong),
        'safetensors/invalid',
        `${dtype} in ${wrong}`,
        /size/,
      );
    }
  }
  refuses(() => parse({ a: tensor('F4', [3], [0, 2]) }, 2), 'safetensors/invalid', 'half a byte');
});

test('gaps, overlaps and bytes that belong to no tensor are refused', () => {
  const u8 = (begin: number, end: number) => tensor('U8', [end - begin], [begin, end]);
  assert.is(parse({ a: u8(0, 4), b: u8(4, 8) }, 8).length, 2);
  refuses(() => parse({ a: u8(0, 4), b: u8(5, 8) }, 8), 'safetensors/invalid', 'a gap', /"b"/);
  refuses(() => parse({ a: u8(0, 4), b: u8(3, 8) }, 8), 'safetensors/invalid', 'an overlap', /"b"/);
  refuses(() => parse({ a: u8(0, 8), b: u8(0, 8) }, 8), 'safetensors/invalid', 'the same bytes twice');
  refuses(() => parse({ a: u8(1, 8) }, 8), 'safetensors/invalid', 'a gap in front');
  refuses(() => parse({ a: u8(0, 7) }, 8), 'safetensors/invalid', 'a byte behind', /account/);
  refuses(() => parse({ a: u8(0, 9) }, 8), 'safetensors/invalid', 'a tensor beyond the file', /account/);
  refuses(() => parse({}, 1), 'safetensors/invalid', 'no tensor for a byte');
});

test('a header that is not understood is refused', () => {
  const wrong: Readonly<Record<string, string>> = {
    'no JSON': '{"a":',
    nothing: '',
    'a list': '[]',
    'a text': '"a"',
    null: 'null',
    'an unknown dtype': '{"a":{"dtype":"U9","shape":[1],"data_offsets":[0,1]}}',
    'a dtype that every object has': '{"a":{"dtype":"constructor","shape":[1],"data_offsets":[0,1]}}',
    'no dtype': '{"a":{"shape":[1],"data_offsets":[0,1]}}',
    'no shape': '{"a":{"dtype":"U8","data_offsets":[0,1]}}',
    'a shape that is a number': '{"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}}',
    'a negative shape': '{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}',
    'negative shapes whose product is right': '{"a":{"dtype":"U8","shape":[-1,-1],"data_offsets":[0,1]}}',
    'half a size': '{"a":{"dtype":"U8","shape":[0.5,2],"data_offsets":[0,1]}}',
    'a size as a text': '{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}',
    'a size beyond what numbers hold': '{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]}}',
    'a product beyond what numbers hold': '{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}}',
    'one offset': '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}',
    'three offsets': '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}',
    'offsets the wrong way round': '{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}',
    'a tensor that is null': '{"a":null}',
    'a tensor that is a list': '{"a":[]}',
    'a tensor that is a number': '{"a":1}',
  };
  for (const [what, header] of Object.entries(wrong)) refuses(() => parseHeader(utf8(header), 1), 'safetensors/invalid', what);
  refuses(() => parseHeader(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 1), 'safetensors/invalid', 'bad UTF-8');
});

test('whatever the header says, it is read or refused', () => {
  const number = fc.oneof(fc.nat({ max: 20 }), fc.constantFrom(-1, 0.5, 2 ** 53, 1e308));
  const entry = fc.record({
    dtype: fc.constantFrom('U8', 'F32', 'F4', 'X'),
    shape: fc.array(number, { maxLength: 3 }),
    data_offsets: fc.array(number, { maxLength: 3 }),
  });
  let read = 0;
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('a', 'b', '__proto__'),
        fc.oneof({ arbitrary: entry, weight: 5 }, { arbitrary: fc.jsonValue(), weight: 1 }),
        { maxKeys: 3 },
      ),
      fc.nat({ max: 20 }),
      (header, size) => {
        let tensors: TensorInfo[];
        try {
          tensors = parse(header, size);
        } catch (error) {
          assert.instance(error, RecordError);
          return;
        }
        read++;
        assert.is(
          tensors.reduce((sum, t) => sum + t.end - t.begin, 0),
          size,
        );
      },
    ),
    { seed: 42, numRuns: 3000 },
  );
  assert.ok(read > 20, `only ${read} headers were read`);
});

test('the length of the header is 8 bytes, little-endian, and bounded', () => {
  assert.is(headerLength(Uint8Array.of(0x02, 0x01, 0, 0, 0, 0, 0, 0)), 258);
  assert.is(headerLength(Uint8Array.of(9, 9, 2, 1, 0, 0, 0, 0, 0, 0, 9).subarray(2)), 258, 'a view into a larger buffer');
  const lengthOf = (n: bigint): Uint8Array => new Uint8Array(new BigUint64Array([n]).buffer);
  assert.is(headerLength(lengthOf(100_000_000n)), 100_000_000);
  for (const n of [100_000_001n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    refuses(() => headerLength(lengthOf(n)), 'safetensors/invalid', `${n} bytes`, new RegExp(`${n}`));
  }
  for (let size = 0; size < 8; size++)
    refuses(() => headerLength(new Uint8Array(size)), 'safetensors/invalid', `${size} bytes`);
});

test('every tensor has its own digest, across the borders of what is read at a time', async () => {
  const sizes = [0, 1, MiB - 1, MiB, MiB + 1, 0, 2 * MiB + 3, 7, 0];
  const tensors = Object.fromEntries(sizes.map((size, i) => [`layer.${i}`, bytesOf(size, i + 1)]));
  const file = tensorFile(tensors);
  const hashed = await hashBytes(file);
  assert.equal(hashed.digest, sha256(file));
  assert.is(hashed.size, file.length);
  assert.equal(
    hashed.tensors,
    Object.entries(tensors).map(([name, bytes]) => ({ name, dtype: 'U8', shape: [bytes.length], digest: sha256(bytes) })),
  );
});

test('a border exactly between two tensors belongs to neither', async () => {
  for (const shift of [-1, 0, 1]) {
    const names = { first: bytesOf(10, 1), second: bytesOf(MiB + 5, 2), third: bytesOf(9, 3) };
    // The header's own length decides where the borders of the file's mebibytes fall.
    const probe = tensorFile(names).length - (10 + MiB + 5 + 9);
    const tensors = { ...names, first: bytesOf(MiB - probe + shift, 1) };
    const file = tensorFile(tensors);
    const { tensors: found } = await hashBytes(file);
    assert.equal(
      found?.map(({ digest }) => digest),
      Object.values(tensors).map(sha256),
      `shifted by ${shift}`,
    );
  }
});

test('a damaged file is refused, and no digest comes out', async () => {
  const good = tensorFile({ a: bytesOf(100, 1), b: bytesOf(50, 2) });
  const wrong: Readonly<Record<string, Uint8Array>> = {
    'an empty file': new Uint8Array(0),
    'seven bytes': good.subarray(0, 7),
    'the length alone': good.subarray(0, 8),
    'half a header': good.subarray(0, 40),
    'a byte less': good.subarray(0, -1),
    'a byte more': Uint8Array.of(...good, 0),
    'a huge header length': safetensorsFile({}, new Uint8Array(0), 2n ** 64n - 1n),
    'a header longer than the file': safetensorsFile({}, new Uint8Array(0), 3n),
    'a header cut by its length': safetensorsFile({ a: 1 }, new Uint8Array(0), 3n),
  };
  for (const [what, bytes] of Object.entries(wrong)) await rejects(hashBytes(bytes), 'safetensors/invalid', what);
});

test('a folder names its tensors by file, a single file by name alone', async () => {
  const [a, b] = [tensorFile({ w: bytesOf(3, 1) }), tensorFile({ w: bytesOf(5, 2), '': bytesOf(0) })];
  await withFolder({ 'b.safetensors': b, 'sub/a.safetensors': a, 'index.json': '{}' }, async (folder) => {
    const { tensors } = await hashModel(folder);
    assert.equal(tensors.map(({ name }) => name).sort(), ['b.safetensors:', 'b.safetensors:w', 'sub/a.safetensors:w']);
    const single = await hashModel(join(folder, 'b.safetensors'));
    assert.equal(
      single.tensors.map(({ name, digest }) => [name, digest]),
      [
        ['w', sha256(bytesOf(5, 2))],
        ['', sha256(new Uint8Array(0))],
      ],
    );
    writeFileSync(join(folder, 'b.safetensors'), b.subarray(0, 20));
    await rejects(hashModel(folder), 'safetensors/invalid', 'a damaged file among others');
  });
});

test('two versions are compared by name, dtype, shape and digest', () => {
  const t = (name: string, fill: number, dtype = 'F32', shape: number[] = [2]): TensorDigest => ({
    name,
    dtype,
    shape,
    digest: digestOf(fill),
  });
  const before = [t('same', 1), t('weights', 2), t('dtype', 3), t('shape', 4, 'F32', [2, 3]), t('gone', 5)];
  const after = [t('new', 5), t('shape', 4, 'F32', [3, 2]), t('dtype', 3, 'I32'), t('weights', 9), t('same', 1)];
  assert.equal(diffTensors(before, after), {
    added: ['new'],
    removed: ['gone'],
    changed: ['shape', 'dtype', 'weights'],
    same: 1,
  });
  assert.equal(diffTensors(before, before), { added: [], removed: [], changed: [], same: 5 });
  assert.equal(diffTensors([], after), { added: after.map(({ name }) => name), removed: [], changed: [], same: 0 });
  assert.equal(diffTensors(before, []), { added: [], removed: before.map(({ name }) => name), changed: [], same: 0 });
});

test.run();
