import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder, initLog, parseConfig, serveLog } from '@treering/log';
import { openSqliteStorage } from '@treering/storage-sqlite';
import Database from 'better-sqlite3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Load } from './load.js';
import { trustOf } from './log-child.js';
import { testNeeding } from './needs.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

// A start that brings the store of an older version to the schema of this one is killed at each of its writes: the next start finds
// the one schema or the other, and everything that was acknowledged.

const ORIGIN = 'migration.test/log';
const KILLS = forSize({ quick: 4, full: 1000 });
/** The calls with which SQLite changes files. */
const CALLS = ['pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'unlink'];
const KEPT = ['kept_first', 'kept_newest'];

const folder = mkdtempSync(join(tmpdir(), 'treering-migration-'));
const scenario = testNeeding('a migration that is killed', { commands: { strace: 'strace' } });

/** A log whose store is what the first version of the schema left. */
async function oldLog(data: string): Promise<Load> {
  await initLog(data, { origin: ORIGIN });
  const load = await Load.on(data, { origin: ORIGIN, trust: await trustOf(data, ORIGIN), random: () => 0.5 });
  const served = await serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20 }));
  await load.submit(served.url, 40);
  await served.close();
  const db = new Database(dataFolder(data).store);
  db.exec(KEPT.map((table) => `DROP TABLE ${table};`).join(' '));
  db.pragma('user_version = 1');
  db.close();
  return load;
}

/** Opens a store, which migrates it, in a process under strace. */
function migrateUnder(store: string, ...strace: string[]) {
  const code = `import('@treering/storage-sqlite').then(({ openSqliteStorage }) => openSqliteStorage(process.argv[1], { mode: 'open' }).close())`;
  const node = [process.execPath, '--conditions=@treering/source', '--import', 'tsx', '-e', code, store];
  return spawnSync('strace', ['-f', '-qq', ...strace, ...node], { cwd: import.meta.dirname, stdio: 'pipe' });
}

/** How often each call is made by a migration that nothing disturbs. */
function countCalls(data: string): Map<string, number> {
  const [copy, report] = [join(folder, 'undisturbed'), join(folder, 'calls')];
  cpSync(data, copy, { recursive: true });
  const { status } = migrateUnder(dataFolder(copy).store, '-o', report, '-e', `trace=${CALLS.join(',')}`);
  assert.is(status, 0);
  const text = readFileSync(report, 'utf8');
  return new Map(CALLS.map((call) => [call, [...text.matchAll(new RegExp(`\\b${call}\\(`, 'g'))].length]));
}

function schemaOf(store: string): { version: unknown; tables: unknown } {
  const db = new Database(store, { readonly: true });
  try {
    const tables = db.prepare(`SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name LIKE 'kept_%'`).pluck().get();
    return { version: db.pragma('user_version', { simple: true }), tables };
  } finally {
    db.close();
  }
}

scenario('a migration that is killed at any write has happened, or has not', async () => {
  const data = join(folder, 'old');
  const load = await oldLog(data);
  const calls = countCalls(data);
  const points = [...calls].flatMap(([call, count]) => Array.from({ length: count }, (_, i) => ({ call, when: i + 1 })));
  assert.ok(points.length >= 6, `a migration writes: ${JSON.stringify([...calls])}`);
  const step = Math.max(1, Math.floor(points.length / KILLS));
  const chosen = points.filter((_, i) => i % step === 0);
  const versions = new Set<unknown>();
  for (const { call, when } of chosen) {
    const copy = join(folder, 'killed');
    cpSync(data, copy, { recursive: true });
    const { store } = dataFolder(copy);
    const { signal } = migrateUnder(store, '-o', '/dev/null', '-e', `inject=${call}:signal=KILL:when=${when}`);
    assert.is(signal, 'SIGKILL', `${call} ${when}`);
    const { version, tables } = schemaOf(store);
    assert.ok((version === 1 && tables === 0) || (version === 2 && tables === 2), `${call} ${when}: ${version} with ${tables}`);
    versions.add(version);
    await openSqliteStorage(store, { mode: 'open' }).close();
    assert.equal(schemaOf(store), { version: 2, tables: 2 }, `${call} ${when}`);
    await load.promises.checkStore(copy);
    rmSync(copy, { recursive: true });
  }
  assert.ok(versions.has(1), 'some kills came before the end of the migration');
  reportOutcome({
    name: 'migration',
    group: 'disk',
    scenario: 'SIGKILL at a write of a start that brings the store of an older version to the new schema',
    runs: chosen.length,
    unit: 'system calls',
    acknowledged: load.promises.acknowledged.size,
    heads: load.promises.heads.size,
  });
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

test.run();
