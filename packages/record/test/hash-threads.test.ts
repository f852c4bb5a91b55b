import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hashModel } from '../src/node/index.js';
import { rejects } from './expect-error.js';
import { bytesOf, sha256, withFolder } from './model-folder.js';

const MiB = 1024 * 1024;
/** File systems tell times apart only after their clock's next tick, in milliseconds. */
const TICK = 30;

/** Overwrites one byte of a file without changing its size. */
function poke(path: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, Uint8Array.of(0x58), 0, 1, 0);
  closeSync(file);
}

/** The threads that start while `work` runs, and what it came to. */
async function threadsOf<T>(
  work: () => Promise<T>,
): Promise<{ threads: Worker[]; ended: () => number; result: PromiseSettledResult<T> }> {
  const threads: Worker[] = [];
  let ended = 0;
  const onWorker = (worker: Worker): void => {
    threads.push(worker);
    worker.once('exit', () => ended++);
  };
  process.on('worker', onWorker);
  const [result] = await Promise.allSettled([work()]);
  process.off('worker', onWorker);
  return { threads, ended: () => ended, result };
}

test('large models are hashed on threads, with the same digests and the same progress', async () => {
  const files = { a: bytesOf(9 * MiB + 7, 1), 'b/c': bytesOf(8 * MiB, 2), d: bytesOf(5 * MiB, 3), e: '' };
  await withFolder(files, async (folder) => {
    const seen: [number, number][] = [];
    const { threads, ended, result } = await threadsOf(() => hashModel(folder, { progress: (...p) => seen.push(p) }));
    assert.is(threads.length, availableParallelism() < 2 ? 0 : Math.min(availableParallelism(), 4));
    assert.is(ended(), threads.length, 'all threads have ended');
    assert.is(result.status, 'fulfilled');
    if (result.status !== 'fulfilled') return;
    assert.equal(
      result.value.resources,
      Object.entries(files).map(([name, content]) => ({ name, digest: sha256(content) })),
    );
    const total = 22 * MiB + 7;
    assert.is(result.value.bytes, total);
    assert.equal(seen.at(-1), [total, total]);
    assert.equal(
      seen,
      [...seen].sort((x, y) => x[0] - y[0]),
    );
  });
  await withFolder({ a: bytesOf(MiB, 1), b: bytesOf(MiB, 2) }, async (folder) => {
    assert.is((await threadsOf(() => hashModel(folder))).threads.length, 0, 'a small model needs none');
  });
});

test('errors on a thread come out with their code, and no thread is left', async () => {
  const big = { a: bytesOf(9 * MiB, 1), b: bytesOf(9 * MiB, 2) };
  await withFolder({ ...big, 'bad.safetensors': 'x'.repeat(100) }, async (folder) => {
    const { threads, ended, result } = await threadsOf(() => hashModel(folder));
    await rejects(result.status === 'rejected' ? Promise.reject(result.reason) : Promise.resolve(), 'safetensors/invalid');
    for (let i = 0; i < 100 && ended() < threads.length; i++) await wait(50);
    assert.is(ended(), threads.length);
  });
  await withFolder({ ...big, z: 'small' }, async (folder) => {
    await wait(TICK);
    let done = false;
    // Only the thread that reports has surely begun, so both files are changed.
    const progress = (): void => {
      if (!done) for (const name of ['a', 'b']) poke(join(folder, name));
      done = true;
    };
    await rejects(hashModel(folder, { progress }), 'manifest/changed', 'a change while threads hash');
  });
  await withFolder({ ...big, z: 'small' }, async (folder) => {
    let done = false;
    const progress = (): void => {
      if (!done) rmSync(join(folder, 'z'));
      done = true;
    };
    const { result } = await threadsOf(() => hashModel(folder, { progress }));
    assert.is(result.status, 'rejected');
    if (result.status === 'rejected') assert.match(String(result.reason.message), /ENOENT|removed|changed/);
  });
});

/** Hashes the folder `model` in a process of its own, which must end by itself. */
function hashInProcess(folder: string, progress: string): { status: number | null; stdout: string; stderr: string } {
  const source = new URL('../src/node/index.ts', import.meta.url).href;
  const script = join(folder, 'hash.mts');
  writeFileSync(
    script,
    `import { hashModel } from ${JSON.stringify(source)};
    await hashModel(${JSON.stringify(join(folder, 'model'))}, { progress: ${progress} }).then(
      (m) => console.log('hashed', m.resources.length), (e) => console.log('refused', e.code ?? e.message));`,
  );
  const args = ['--conditions=@treering/source', '--import', 'tsx', script];
  const cwd = new URL('../../..', import.meta.url);
  return spawnSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: 8000 });
}

test('a process that hashed on threads ends by itself', async () => {
  await withFolder({ 'model/a': bytesOf(9 * MiB, 1), 'model/b': bytesOf(9 * MiB, 2) }, async (folder) => {
    const good = hashInProcess(folder, 'undefined');
    assert.equal([good.status, good.stdout], [0, 'hashed 2\n'], good.stderr);
    writeFileSync(join(folder, 'model/bad.safetensors'), 'x');
    const bad = hashInProcess(folder, 'undefined');
    assert.equal([bad.status, bad.stdout], [0, 'refused safetensors/invalid\n'], bad.stderr);
  });
});

test('a progress function that throws ends the hashing, with and without threads', async () => {
  const cancel = "() => { throw new Error('cancelled'); }";
  for (const size of [MiB, 9 * MiB]) {
    await withFolder({ 'model/a': bytesOf(size, 1), 'model/b': bytesOf(size, 2) }, async (folder) => {
      const { status, stdout, stderr } = hashInProcess(folder, cancel);
      assert.equal([status, stdout], [0, 'refused cancelled\n'], `${size}: ${stderr}`);
    });
  }
});

test.run();
