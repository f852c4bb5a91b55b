import Database from 'better-sqlite3';

/** Everything that SQLite reads from a database: rows and settings, each as text under a name that says where it stands. */
export type Contents = ReadonlyMap<string, string>;

const SETTINGS = ['application_id', 'user_version', 'encoding', 'page_size', 'page_count', 'auto_vacuum', 'freelist_count'];

/** How a row is called in what an examination finds. */
const NAMES: Readonly<Record<string, (row: Row) => string>> = {
  entries: ({ idx }) => `entry ${idx}`,
  tiles: ({ level, idx }) => `tile ${level}/${idx}`,
  heads: ({ kind }) => (kind === 'committed' ? 'committed head' : 'published checkpoint'),
  kept_first: ({ size }) => `kept head ${size}`,
  kept_newest: ({ size }) => `kept head ${size}`,
  attachments: ({ digest }) => `attachment ${digest}`,
  topics: ({ topic }) => `topic ${topic}`,
};

type Row = Record<string, unknown>;

/** Reads the whole database with nothing but SQLite. @throws Error when it cannot be read */
export function readContents(path: string): Contents {
  const db = new Database(path, { readonly: true });
  try {
    const contents = new Map<string, string>();
    for (const name of SETTINGS) contents.set(`setting ${name}`, String(db.pragma(name, { simple: true })));
    const schema = db.prepare('SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master').all() as Row[];
    for (const row of schema) contents.set(`schema ${row.type} ${row.name}`, textOf(row));
    for (const { name } of schema.filter(({ type }) => type === 'table')) {
      const rows = db.prepare(`SELECT * FROM "${name}" NOT INDEXED`).all() as Row[];
      const nameOf = NAMES[name as string] ?? (() => `table ${name}`);
      // Two kept heads have one name: what is under it is both.
      for (const row of rows) contents.set(nameOf(row), (contents.get(nameOf(row)) ?? '') + textOf(row));
    }
    return contents;
  } finally {
    db.close();
  }
}

/** The names under which two contents differ. */
export function difference(a: Contents, b: Contents): string[] {
  const names = new Set([...a.keys(), ...b.keys()]);
  return [...names].filter((name) => a.get(name) !== b.get(name));
}

function textOf(row: Row): string {
  return JSON.stringify(row, (_, value) => (value?.type === 'Buffer' ? Buffer.from(value.data).toString('hex') : value));
}
