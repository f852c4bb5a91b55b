import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storageContract } from '@treering/storage/contract';
import { test } from 'uvu';
import { openSqliteStorage } from '../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'treering-sqlite-'));
let next = 0;

for (const { name, run } of storageContract) {
  test(name, () => run(async () => openSqliteStorage(join(folder, `${next++}.db`), { mode: 'create' })));
}

test.after(() => rmSync(folder, { recursive: true }));
test.run();
