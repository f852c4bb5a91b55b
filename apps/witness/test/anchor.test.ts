import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFileAnchor } from '../src/index.js';
import { temporaryFolder } from './fixture.js';

const fresh = (): string => join(temporaryFolder(), 'deep', 'generation');

test('nothing is there before the first write, and what was written last is read', () => {
  const path = fresh();
  const anchor = createFileAnchor(path);
  assert.is(anchor.read(), undefined);
  assert.not.ok(existsSync(path));
  for (const generation of [1, 2, 3, 9, 10, 11, 99, 100, 10_000, 999_999_999_999]) {
    anchor.write(generation);
    assert.is(anchor.read(), generation);
    assert.is(createFileAnchor(path).read(), generation, 'another process');
    assert.is(statSync(path).size, 8192, 'the size never changes');
  }
  assert.is(statSync(path).mode & 0o777, 0o600);
});

test('a generation may be skipped, as by an unlocking', () => {
  const anchor = createFileAnchor(fresh());
  anchor.write(5);
  anchor.write(7);
  anchor.write(9);
  assert.is(anchor.read(), 9);
});

test('a write that was torn at any byte leaves the generation before, or is the one after', () => {
  const path = fresh();
  const anchor = createFileAnchor(path);
  for (const generation of [1998, 1999]) anchor.write(generation);
  const before = readFileSync(path);
  anchor.write(2000);
  const after = readFileSync(path);
  for (let cut = 0; cut <= 4096; cut += cut < 20 ? 1 : 512) {
    for (const torn of [
      Buffer.concat([after.subarray(0, cut), before.subarray(cut)]),
      Buffer.concat([before.subarray(0, cut), after.subarray(cut)]),
    ]) {
      writeFileSync(path, torn);
      assert.ok([1999, 2000].includes(anchor.read() as number), `${cut}: ${anchor.read()}`);
    }
  }
});

test('a file in which no slot is whole is damaged, not new', () => {
  for (const text of ['', '\n', 'x\n', '12\n', '1 2\n', '-1 -1\n', '1 1', `${'9'.repeat(16)} ${'9'.repeat(16)}\n`]) {
    const path = join(temporaryFolder(), 'generation');
    writeFileSync(path, text);
    assert.throws(
      () => createFileAnchor(path).read(),
      (error: { code: string }) => error.code === 'storage/corrupt',
      JSON.stringify(text),
    );
  }
});

test.run();
