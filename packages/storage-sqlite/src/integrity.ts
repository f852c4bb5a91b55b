import type { Damage } from '@treering/storage';
import Database from 'better-sqlite3';
import { checkSums } from './row-sums.js';
import { migrate, type Schema } from './schema.js';

/** Lines of SQLite's own examination at most. */
const MOST_LINES = 20;

/**
 * Everything that can be found wrong in a database without knowing what its bytes mean: pages and indexes, the schema, which also
 * holds the triggers that keep what is stored from being changed, and the rows of heads.
 */
export function findDamage(db: Database.Database, schema: Schema): Damage[] {
  return [...pages(db), ...schemaDamage(db, schema), ...checkSums(db)];
}

function pages(db: Database.Database): Damage[] {
  const lines = db.prepare<[], string>(`PRAGMA integrity_check(${MOST_LINES})`).pluck().all();
  return lines.filter((line) => line !== 'ok').map((what) => ({ where: 'database', what }));
}

interface SchemaRow {
  readonly type: string;
  readonly name: string;
  readonly tbl_name: string;
  readonly sql: string | null;
}

/** A bit that flips in the text of a trigger can leave it valid and without effect: it is compared with that of a new database. */
function schemaDamage(db: Database.Database, schema: Schema): Damage[] {
  const version = db.pragma('user_version', { simple: true }) as number;
  const model = new Database(':memory:');
  try {
    migrate(model, { ...schema, steps: schema.steps.slice(0, version) });
    const [stored, expected] = [schemaOf(db), schemaOf(model)];
    const names = new Set([...stored.keys(), ...expected.keys()]);
    return [...names]
      .filter((name) => stored.get(name) !== expected.get(name))
      .map((name) => ({ where: 'database', what: `${name} is not what a ${schema.what} has` }));
  } finally {
    model.close();
  }
}

function schemaOf(db: Database.Database): Map<string, string> {
  const rows = db.prepare<[], SchemaRow>(
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'",
  );
  return new Map(rows.all().map(({ type, name, tbl_name, sql }) => [`${type} ${name}`, `${tbl_name}\n${sql}`]));
}
