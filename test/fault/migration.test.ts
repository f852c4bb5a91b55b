import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDatabase, type Schema } from '@treering/storage-sqlite';
import Database from 'better-sqlite3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MONITOR_SCHEMA } from '../../apps/monitor/src/schema.js';
import { RECORDER_SCHEMA } from '../../apps/recorder/src/schema.js';
import { MIRROR_SCHEMA } from '../../apps/witness/src/mirror-schema.js';
import { WITNESS_SCHEMA } from '../../apps/witness/src/schema.js';
import { LOG_SCHEMA } from '../../packages/storage-sqlite/src/schema.js';
import { testNeeding } from './needs.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';
import { callsOf, type Fault, runWithFault, type SystemCall } from './strace.js';

const PROCESS = fileURLToPath(new URL('migrate-process.mjs', import.meta.url));
/** Every schema, and the built module that has it. */
const SCHEMAS = [
  [LOG_SCHEMA, 'LOG_SCHEMA', 'packages/storage-sqlite/dist/schema.js'],
  [WITNESS_SCHEMA, 'WITNESS_SCHEMA', 'apps/witness/dist/schema.js'],
  [MIRROR_SCHEMA, 'MIRROR_SCHEMA', 'apps/witness/dist/mirror-schema.js'],
  [MONITOR_SCHEMA, 'MONITOR_SCHEMA', 'apps/monitor/dist/schema.js'],
  [RECORDER_SCHEMA, 'RECORDER_SCHEMA', 'apps/recorder/dist/schema.js'],
] as const;
/** Faults for each schema. */
const MOST = forSize({ quick: 1, full: Number.POSITIVE_INFINITY });

const faultTest = testNeeding('a fault in a migration', { commands: { strace: 'strace' }, root: true });

/** What a database is made of. */
function contentsOf(path: string): { version: number; objects: unknown[] } {
  const db = new Database(path);
  try {
    return {
      version: db.pragma('user_version', { simple: true }) as number,
      objects: db.prepare('SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name').all(),
    };
  } finally {
    db.close();
  }
}

function make(path: string, schema: Schema): void {
  const { db, lock } = openDatabase(path, { mode: 'create' }, schema);
  db.close();
  lock?.close();
}

/** One store on the way from its first schema to the newest, or from no file where there is only one, with a fault at one call. */
class Migration {
  readonly faults: readonly Fault[];
  readonly #folder: string;
  readonly #command: readonly string[];
  readonly #versions: readonly unknown[][];
  #runs = 0;

  constructor(folder: string, schema: Schema, name: string, module: string) {
    this.faults = schema.steps.length > 1 ? ['SIGKILL', 'EIO'] : ['SIGKILL'];
    this.#folder = folder;
    this.#command = [fileURLToPath(new URL(`../../${module}`, import.meta.url)), name];
    mkdirSync(folder);
    this.#versions = schema.steps.map((_, i) => {
      const path = join(folder, `${i + 1}.db`);
      make(path, { ...schema, steps: schema.steps.slice(0, i + 1) });
      return contentsOf(path).objects;
    });
  }

  #prepare(): { data: string; store: string; command: string[] } {
    const data = join(this.#folder, `run-${this.#runs++}`);
    mkdirSync(data);
    const store = join(data, 'store.db');
    if (this.#versions.length > 1) cpSync(join(this.#folder, '1.db'), store);
    return { data, store, command: [process.execPath, PROCESS, store, ...this.#command] };
  }

  calls(): SystemCall[] {
    const { data, command } = this.#prepare();
    const calls = callsOf(command, data, `${data}.strace`);
    return calls.map((call) => ({ ...call, path: call.path.slice(data.length + 1) }));
  }

  /** The schema is an old one or the newest, and whoever opens the store after that has the newest. */
  disturb(call: SystemCall, fault: Fault): void {
    const { data, store, command } = this.#prepare();
    const what = `${fault} at ${call.name} ${call.path} number ${call.nth}`;
    const code = runWithFault(command, { ...call, path: join(data, call.path) }, fault, `${data}.strace`);
    if (fault === 'SIGKILL') assert.is(code, null, what);
    cpSync(data, `${data}.left`, { recursive: true });
    const { version, objects } = contentsOf(join(`${data}.left`, 'store.db'));
    assert.ok(
      version >= (this.#versions.length > 1 ? 1 : 0) && version <= this.#versions.length,
      `${what}: version ${version}`,
    );
    assert.equal(objects, this.#versions[version - 1] ?? [], `${what}: the schema is whole`);
    runAgain(command);
    assert.equal(contentsOf(store), { version: this.#versions.length, objects: this.#versions.at(-1) }, what);
  }
}

function runAgain([node, ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(node, args);
  assert.is(status, 0, String(stderr));
}

faultTest('a fault at a call of a migration leaves the old schema or the new one, or no store where there was none', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'treering-migration-')));
  let runs = 0;
  try {
    for (const [schema, name, module] of SCHEMAS) {
      const migration = new Migration(join(folder, name), schema, name, module);
      const calls = migration.calls();
      assert.ok(
        calls.some(({ name: call, path }) => call === 'fsync' && path === 'store.db-wal'),
        `${name}: the migration is made durable`,
      );
      const all = calls.flatMap((call) => migration.faults.map((fault) => ({ call, fault })));
      const count = Math.min(MOST, all.length);
      for (let i = 0; i < count; i++) {
        const { call, fault } = all[Math.floor(((i + 0.5) * all.length) / count)];
        migration.disturb(call, fault);
        runs++;
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  reportOutcome({
    name: 'migration',
    group: 'disk',
    scenario:
      'EIO and SIGKILL at every write, fsync, rename and open while a store is made, or brought from its first schema to the newest',
    runs,
    unit: 'system calls',
  });
});

test('a store of a newer schema is refused, and left as it is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'treering-newer-'));
  try {
    for (const [schema, name] of SCHEMAS) {
      const path = join(folder, `${name}.db`);
      make(path, { ...schema, steps: [...schema.steps, 'CREATE TABLE later (a)'] });
      const before = contentsOf(path);
      for (const mode of ['open', 'read', 'join'] as const)
        assert.throws(() => openDatabase(path, { mode }, schema), /newer Treering/, `${name}, ${mode}`);
      assert.equal(contentsOf(path), before);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
