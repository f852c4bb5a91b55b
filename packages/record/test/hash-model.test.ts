import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { manifestRoot } from '../src/index.js';
import { hashFile, hashModel } from '../src/node/index.js';
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

test('all files below a folder are named with "/" and sorted, those that are ignored left out', async () => {
  const files = {
    'b.bin': 'b',
    'a/x.bin': 'x',
    'a-b.bin': '-',
    'a/.git': 'inner',
    '.git/HEAD': 'h',
    '.gitignore': 'i',
    '.gitattributes': 'g',
    '.github/x.yml': 'y',
    'model.sig': 's',
    'skip/deep/z': 'z',
    '.hidden': '.',
  };
  await withFolder(files, async (folder) => {
    const { resources, bytes, tensors } = await hashModel(folder, { ignored: ['model.sig', 'skip'] });
    assert.equal(
      resources,
      (['.hidden', 'a-b.bin', 'a/.git', 'a/x.bin', 'b.bin'] as const).map((name) => ({ name, digest: sha256(files[name]) })),
    );
    assert.is(bytes, 9);
    assert.equal(tensors, []);
  });
});

test('the root is the one that sha256sum gives', async () => {
  await withFolder({ b: bytesOf(70_000, 1), 'c/d': bytesOf(3, 2), a: '' }, async (folder) => {
    const script = "find . -type f | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum | cut -d' ' -f1 | xxd -r -p | sha256sum";
    let expected: string;
    try {
      expected = execFileSync('sh', ['-c', script], {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).slice(0, 64);
    } catch {
      expected = '';
    }
    const root = Buffer.from(manifestRoot((await hashModel(folder)).resources)).toString('hex');
    const plain = sha256(Buffer.concat(['', bytesOf(70_000, 1), bytesOf(3, 2)].map(sha256)));
    assert.is(root, Buffer.from(plain).toString('hex'));
    if (/^[0-9a-f]{64}$/.test(expected) && expected !== Buffer.from(sha256('')).toString('hex')) assert.is(root, expected);
  });
});

test('a single file is the resource "."', async () => {
  await withFolder({ 'm.gguf': 'weights' }, async (folder) => {
    const { resources, bytes } = await hashModel(join(folder, 'm.gguf'), { ignored: ['m.gguf'] });
    assert.equal([resources, bytes], [[{ name: '.', digest: sha256('weights') }], 7]);
  });
});

test('a folder without files is refused', async () => {
  await withFolder({}, async (folder) => {
    await rejects(hashModel(folder), 'manifest/invalid', 'an empty folder', /no files/);
    mkdirSync(join(folder, 'deep/deeper'), { recursive: true });
    await rejects(hashModel(folder), 'manifest/invalid', 'folders alone');
    writeFileSync(join(folder, 'model.sig'), 'x');
    await rejects(hashModel(folder, { ignored: ['model.sig'] }), 'manifest/invalid', 'an ignored file alone');
  });
});

test('what does not exist is an error of the file system', async () => {
  await withFolder({}, async (folder) => {
    const error = await hashModel(join(folder, 'missing')).catch((e: NodeJS.ErrnoException) => e);
    assert.is((error as NodeJS.ErrnoException).code, 'ENOENT');
  });
});

test('symbolic links to files, folders and nothing are refused, also when the link is the model', async () => {
  for (const target of ['../real.bin', '../folder', '../missing', '.', '/etc/passwd']) {
    await withFolder({ 'real.bin': 'x', 'folder/y': 'y', 'model/a': 'a' }, async (folder) => {
      symlinkSync(target, join(folder, 'model/link'));
      await rejects(hashModel(join(folder, 'model')), 'manifest/symlink', `a link to ${target}`, /link/);
      await rejects(hashModel(join(folder, 'model/link')), 'manifest/symlink', `a model that is a link to ${target}`);
      await rejects(
        hashFile(join(folder, 'model/link'), false, () => undefined),
        'manifest/symlink',
        `hashing a link to ${target}`,
      );
      const { resources } = await hashModel(join(folder, 'model'), { ignored: ['link'] });
      assert.is(resources.length, 1, 'a link that is ignored harms nothing');
    });
  }
});

test('a fifo in a folder is refused without waiting for a writer', async () => {
  await withFolder({ a: 'a' }, async (folder) => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await rejects(hashModel(folder), 'manifest/symlink', 'a fifo', /pipe/);
  });
});

test('a fifo given as the model is refused without waiting for a writer', async () => {
  await withFolder({}, async (folder) => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const hashing = hashModel(pipe).then(
      () => 'hashed',
      (error: { code?: string }) => error.code,
    );
    const outcome = await Promise.race([hashing, wait(1000, 'waits')]);
    if (outcome === 'waits') closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
    await hashing;
    assert.is(outcome, 'manifest/symlink');
  });
});

test('progress grows to the total', async () => {
  const files = { a: bytesOf(3 * MiB + 1, 1), 'b/c': bytesOf(17, 2), empty: '' };
  await withFolder(files, async (folder) => {
    const seen: [number, number][] = [];
    await hashModel(folder, { progress: (done, total) => seen.push([done, total]) });
    const total = 3 * MiB + 18;
    assert.equal(seen.at(-1), [total, total]);
    assert.ok(seen.length >= 5, 'it is told of every mebibyte');
    for (let i = 0; i < seen.length; i++) {
      assert.is(seen[i][1], total);
      assert.ok(i === 0 || seen[i][0] > seen[i - 1][0]);
    }
  });
});

test('a file that changes while it is hashed is noticed', async () => {
  const changes: Readonly<Record<string, (path: string) => void>> = {
    'a byte is overwritten': poke,
    'bytes are appended': (path) => writeFileSync(path, 'more', { flag: 'a' }),
    'it is cut short': (path) => truncateSync(path, 5 * MiB),
    'it is emptied': (path) => truncateSync(path, 0),
    'it is written again': (path) => writeFileSync(path, bytesOf(8 * MiB, 1)),
    'it is removed': (path) => rmSync(path),
  };
  for (const [what, change] of Object.entries(changes)) {
    await withFolder({ weights: bytesOf(8 * MiB, 1) }, async (folder) => {
      await wait(TICK);
      let done = false;
      const progress = (): void => {
        if (!done) change(join(folder, 'weights'));
        done = true;
      };
      await rejects(hashModel(folder, { progress }), 'manifest/changed', what);
    });
  }
});

test('a write from a timer during a large hash is noticed', async () => {
  await withFolder({}, async (folder) => {
    const path = join(folder, 'weights');
    writeFileSync(path, '');
    truncateSync(path, 512 * MiB);
    await wait(TICK);
    let timer: NodeJS.Timeout | undefined;
    const progress = (): void => {
      timer ??= setTimeout(() => poke(path), 20);
    };
    await rejects(hashModel(path, { progress }), 'manifest/changed', 'a write 20 ms after the first byte', /weights/);
    clearTimeout(timer);
  });
});

test('files that come or go while others are hashed are noticed', async () => {
  const changes: Readonly<Record<string, (folder: string) => void>> = {
    'a file comes': (folder) => writeFileSync(join(folder, 'new'), ''),
    'a file comes in a new folder': (folder) => {
      mkdirSync(join(folder, 'sub'));
      writeFileSync(join(folder, 'sub/new'), 'x');
    },
    'a hashed file goes': (folder) => rmSync(join(folder, 'a')),
  };
  for (const [what, change] of Object.entries(changes)) {
    await withFolder({ a: bytesOf(3 * MiB, 1), b: bytesOf(2 * MiB, 2) }, async (folder) => {
      let done = false;
      const progress = (bytes: number): void => {
        if (bytes <= 3 * MiB || done) return;
        done = true;
        change(folder);
      };
      await rejects(hashModel(folder, { progress }), 'manifest/changed', what, /added|removed|changed/);
    });
  }
});

test('a file that changes after it was hashed, while others still are, is noticed', async () => {
  await withFolder({ large: bytesOf(3 * MiB, 1), small: bytesOf(2 * MiB, 2) }, async (folder) => {
    await wait(TICK);
    let done = false;
    const progress = (bytes: number): void => {
      if (bytes <= 3 * MiB || done) return;
      done = true;
      poke(join(folder, 'large'));
    };
    await rejects(hashModel(folder, { progress }), 'manifest/changed', 'the larger file is hashed first and then changed');
  });
});

test('nothing is written to what is hashed', async () => {
  const content = bytesOf(1000, 1);
  await withFolder({ a: content }, async (folder) => {
    await hashModel(folder);
    assert.equal(new Uint8Array(readFileSync(join(folder, 'a'))), content);
  });
});

test.run();
