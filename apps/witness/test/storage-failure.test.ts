import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFileAnchor } from '../src/index.js';
import { openWitness, temporaryFolder } from './fixture.js';
import { TestLog, withLines } from './test-log.js';

const log = new TestLog();
const other = new TestLog('log.test/other');
const COSIGNATURE = /— \S+ [A-Za-z0-9+/]{40}/;

type Opened = ReturnType<typeof openWitness>;

function follow(witness: Opened): Opened {
  for (const { origin, signer } of [log, other]) witness.store.addLogs([{ origin: origin, keys: [signer.key] }]);
  return witness;
}

async function cosign({ add }: Opened, of: TestLog, old: number, size: number): Promise<string> {
  const response = await add(of.add(old, size));
  assert.is(response.status, 200);
  return response.text();
}

/** Nothing is signed by this process any more, whatever is asked. */
async function expectBroken({ add, post, app }: Opened, head: Uint8Array, known: number): Promise<void> {
  const asked = [
    add(log.add(known, known + 1)),
    add(log.add(known, known)),
    add(other.add(0, 1)),
    post('/sign-subtree', log.subtree(0, 1, known, head)),
  ];
  for (const answer of asked) {
    const response = await answer;
    const text = await response.text();
    assert.is(response.status, 503, text);
    assert.is(JSON.parse(text).code, 'witness/broken');
    assert.ok(response.headers.has('retry-after'));
    assert.not.match(text, COSIGNATURE);
  }
  assert.is((await app.request('/readyz')).status, 503);
  assert.is((await app.request('/healthz')).status, 200);
}

test('an anchor that cannot be written: no cosignature leaves, and the next process knows what was stored', async () => {
  const data = temporaryFolder();
  const file = createFileAnchor(join(data, 'generation'));
  let fails = false;
  const anchor = {
    read: file.read,
    write(generation: number) {
      if (fails) throw Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
      file.write(generation);
    },
  };
  const witness = follow(openWitness(data, undefined, undefined, { anchor }));
  const head = withLines(log.head(5), await cosign(witness, log, 0, 5));
  fails = true;
  const answers = await Promise.all([witness.add(log.add(5, 7)), witness.add(other.add(0, 3))]);
  for (const answer of answers) {
    const text = await answer.text();
    assert.is(answer.status, 503);
    assert.is(JSON.parse(text).code, 'storage/io');
    assert.not.match(text, COSIGNATURE);
    assert.not.match(text, /EROFS|witness\.db/, 'no details for strangers');
  }
  fails = false;
  await expectBroken(witness, head, 7);
  witness.store.close();
  const next = openWitness(data);
  assert.is(next.store.locked, undefined);
  await cosign(next, log, 7, 8);
  next.store.close();
});

/** Runs the work with a small file system. */
async function onSmallDisk(work: (mount: string) => Promise<void>): Promise<void> {
  const mount = mkdtempSync(join(tmpdir(), 'treering-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount], { stdio: 'ignore' });
  } catch {
    console.log('a small tmpfs cannot be mounted here: the full disk is not tested');
    return;
  }
  try {
    await work(mount);
  } finally {
    execFileSync('umount', [mount]);
    rmSync(mount, { recursive: true });
  }
}

/** Cosigns and takes the rest of the disk until one is refused. @returns the size that is known, and the last head */
async function fill(
  witness: Opened,
  mount: string,
): Promise<{ known: number; head: Uint8Array; status: number; text: string }> {
  let head = withLines(log.head(1), await cosign(witness, log, 0, 1));
  let taken = 0;
  for (let size = 4096 * 32; size >= 4096; size /= 2)
    try {
      for (;;) writeFileSync(join(mount, `filler${taken++}`), new Uint8Array(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  for (let known = 1; known < 200; known++) {
    const response = await witness.add(log.add(known, known + 1));
    const text = await response.text();
    if (response.status !== 200) return { known, head, status: response.status, text };
    head = withLines(log.head(known + 1), text);
  }
  throw new Error('the disk is never full');
}

function empty(mount: string): void {
  execFileSync('sh', ['-c', 'rm -f "$0"/filler*', mount]);
}

test('a full disk: 503 without a cosignature, also when there is space again, until a new process reads the disk', () =>
  onSmallDisk(async (mount) => {
    const witness = follow(openWitness(mount));
    const { known, head, status, text } = await fill(witness, mount);
    assert.is(status, 503, text);
    assert.not.match(text, COSIGNATURE);
    empty(mount);
    await expectBroken(witness, head, known);
    witness.store.close();
    const next = openWitness(mount);
    assert.is(next.store.locked, undefined);
    const size = Number(next.store.head(log.origin)?.size);
    assert.ok(size === known || size === known + 1, 'what failed may have been stored');
    await cosign(next, log, size, size + 1);
    next.store.close();
  }));

test('a lock that cannot be written holds in this process all the same', async () => {
  const witness = follow(openWitness());
  await cosign(witness, log, 0, 5);
  witness.store.close();
  assert.throws(
    () => witness.store.lock('it has forgotten something'),
    (error: { code: string }) => error.code === 'storage/io',
  );
  const response = await witness.add(log.add(5, 6));
  assert.is(response.status, 503);
  assert.is(((await response.json()) as { code: string }).code, 'witness/locked');
});

test('a store that cannot be read: 503, and no internal error', async () => {
  const witness = follow(openWitness());
  await cosign(witness, log, 0, 5);
  witness.store.close();
  for (const path of ['/add-checkpoint', '/sign-subtree']) {
    const response = await witness.post(path, log.add(5, 6));
    assert.is(response.status, 503);
    assert.not.match(await response.text(), COSIGNATURE);
  }
  assert.is((await witness.app.request('/readyz')).status, 503);
});

test.run();
