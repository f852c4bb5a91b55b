import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createHeadMemory, type HeadMemory } from '../src/index.js';
import { createFileHeadMemory } from '../src/node/index.js';
import { temporaryFolder } from './fixture.js';
import { noteOfSize, remember, sizeIn } from './unsigned-head.js';

const ORIGIN = 'log.test/memory';
const CHILD = fileURLToPath(new URL('remember.ts', import.meta.url));

const memories: Readonly<Record<string, () => HeadMemory>> = {
  'in the process': createHeadMemory,
  'in files': () => createFileHeadMemory(join(temporaryFolder(), 'heads')),
};

for (const [name, create] of Object.entries(memories)) {
  test(`a memory ${name} keeps one head for each origin`, async () => {
    const memory = create();
    assert.is(await memory.load(ORIGIN), undefined);
    await remember(memory, ORIGIN, noteOfSize(ORIGIN, 3));
    await remember(memory, 'log.test/other', noteOfSize('log.test/other', 8));
    assert.equal(await memory.load(ORIGIN), noteOfSize(ORIGIN, 3));
    await remember(memory, ORIGIN, noteOfSize(ORIGIN, 4));
    assert.equal(await memory.load(ORIGIN), noteOfSize(ORIGIN, 4));
    assert.equal(await memory.load('log.test/other'), noteOfSize('log.test/other', 8));
  });
}

for (const [name, create] of Object.entries(memories))
  test(`a memory ${name} replaces only what its head was compared with, and never by a smaller one`, async () => {
    const memory = create();
    const [nine, ten, eleven] = [9, 10, 11].map((size) => noteOfSize(ORIGIN, size));
    assert.ok(await memory.replace(ORIGIN, undefined, ten));
    assert.not(await memory.replace(ORIGIN, undefined, eleven), 'it was not compared with what another has remembered');
    assert.not(await memory.replace(ORIGIN, nine, eleven));
    assert.is(sizeIn(await memory.load(ORIGIN)), 10);
    for (const other of [nine, noteOfSize(ORIGIN, 10, 1)])
      assert.instance(await memory.replace(ORIGIN, ten, other).catch((error: unknown) => error), RangeError);
    assert.equal(await memory.load(ORIGIN), ten);
    assert.ok(await memory.replace(ORIGIN, ten, eleven));
    assert.is(sizeIn(await memory.load(ORIGIN)), 11);
  });

test('origins that look like paths stay in the folder', async () => {
  const folder = join(temporaryFolder(), 'heads');
  const memory = createFileHeadMemory(folder);
  for (const origin of ['../../escape', '/etc/passwd', 'a/b/c', '.', 'x'.repeat(200)]) {
    await remember(memory, origin, noteOfSize(origin, 5));
    assert.is(sizeIn(await memory.load(origin)), 5);
  }
  assert.is(readdirSync(folder).length, 5);
  for (const name of readdirSync(folder)) assert.match(name, /^[0-9a-f]{64}\.checkpoint$/);
});

test('folder and file are for their owner alone', async () => {
  const folder = join(temporaryFolder(), 'state', 'heads');
  await remember(createFileHeadMemory(folder), ORIGIN, noteOfSize(ORIGIN, 1));
  assert.is(statSync(folder).mode & 0o777, 0o700);
  const names = readdirSync(folder);
  assert.is(names.length, 1, 'neither a lock nor a temporary file is left behind');
  assert.is(statSync(join(folder, names[0])).mode & 0o777, 0o600);
});

test('four processes that remember at once leave the largest head, and nothing else', async () => {
  const folder = temporaryFolder();
  const sizes = Array.from({ length: 160 }, (_, i) => ((i * 61) % 160) + 1);
  const runs = [0, 1, 2, 3].map((n) =>
    rememberElsewhere(
      folder,
      sizes.filter((_, i) => i % 4 === n),
    ),
  );
  // Whoever reads meanwhile sees whole heads that only grow.
  const memory = createFileHeadMemory(folder);
  let ended = false;
  const all = Promise.all(runs).finally(() => {
    ended = true;
  });
  let last = 0;
  while (!ended) {
    const size = sizeIn(await memory.load(ORIGIN)) ?? 0;
    assert.ok(size >= last, `${size} after ${last}`);
    last = size;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await all;
  assert.equal(await memory.load(ORIGIN), noteOfSize(ORIGIN, 160));
  assert.is(readdirSync(folder).length, 1);
});

test('a lock that is held is waited for', async () => {
  const { folder, lock } = await lockedFolder();
  const saving = remember(createFileHeadMemory(folder), ORIGIN, noteOfSize(ORIGIN, 2));
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.is(sizeIn(await createFileHeadMemory(folder).load(ORIGIN)), 1);
  unlinkSync(lock);
  await saving;
  assert.is(sizeIn(await createFileHeadMemory(folder).load(ORIGIN)), 2);
});

test('what a process leaves that was killed while it remembered does not stand in the way', async () => {
  const { folder, lock } = await lockedFolder();
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(lock, hourAgo, hourAgo);
  writeFileSync(lock.replace(/\.lock$/, '.99999.new'), 'half a he');
  const memory = createFileHeadMemory(folder);
  const started = performance.now();
  await remember(memory, ORIGIN, noteOfSize(ORIGIN, 2));
  assert.is(sizeIn(await memory.load(ORIGIN)), 2);
  assert.not(existsSync(lock));
  assert.ok(performance.now() - started < 3000, 'a lock that is an hour old is not waited for');
});

test('a folder that cannot be written is an error, not a silence', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'heads'), 'a file where the folder should be');
  let failed = false;
  await createFileHeadMemory(join(folder, 'heads'))
    .replace(ORIGIN, undefined, noteOfSize(ORIGIN, 1))
    .catch(() => {
      failed = true;
    });
  assert.ok(failed);
});

/** A folder with a head of one entry, and a lock on it. */
async function lockedFolder(): Promise<{ folder: string; lock: string }> {
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  await remember(createFileHeadMemory(folder), ORIGIN, noteOfSize(ORIGIN, 1));
  const lock = join(folder, `${readdirSync(folder)[0]}.lock`);
  writeFileSync(lock, '');
  return { folder, lock };
}

/** Remembers heads in another process. */
function rememberElsewhere(folder: string, sizes: readonly number[]): Promise<void> {
  const args = ['--conditions=@treering/source', '--import', 'tsx', CHILD, folder, ORIGIN, ...sizes.map(String)];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`a process ended with ${code}`))));
  });
}

test.run();
