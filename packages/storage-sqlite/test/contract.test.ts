import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storageContract } from '@treering/storage/contract';
import { test } from 'uvu';
import { openSqliteStorage, openThreadedSqliteStorage } from '../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'treering-sqlite-'));
let next = 0;

for (const { name, run } of storageContract) {
  test(name, () => run(async () => openSqliteStorage(join(folder, `${next++}.db`), { mode: 'create' })));
}

for (const { name, run } of storageContract) {
  test(`written on a thread: ${name}`, () =>
    run(async () => {
      const path = join(folder, `${next++}.db`);
      await openSqliteStorage(path, { mode: 'create' }).close();
      return openThreadedSqliteStorage(path);
    }));
}

test.after(() => rmSync(folder, { recursive: true }));
test.run();
