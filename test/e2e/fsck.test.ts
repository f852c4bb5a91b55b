import { createHash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { main } from '@treering/cli';
import type Database from 'better-sqlite3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { oneLine, Workplace } from './command.js';
import { logStatements } from './statements.js';

// A log with more than one full tile, and copies of it in which something was altered behind the back of its triggers.

const require = createRequire(new URL('../../packages/storage-sqlite/package.json', import.meta.url));
const Sqlite = require('better-sqlite3') as typeof Database;

const place = new Workplace();
const ENTRIES = 260;
await fill();

interface Report {
  readonly entries: number;
  readonly tiles: number;
  readonly attachments: number;
  readonly findings: readonly { readonly where: string; readonly what: string }[];
}

/** Begins the log and fills it: a model with an attachment, and many small records. */
async function fill(): Promise<void> {
  place.write('model/w', 'w');
  const log = await place.up();
  await place.result(['record', 'model', 'model', '--name', 'm', '--version', '1', '--reason', 'It has an attachment.']);
  await logStatements(log.ready, ENTRIES - 2);
  await log.stop();
}

let copies = 0;

/** Calls the command in this process, as text and as JSON. */
async function fsck(folder: string): Promise<{ code: number; text: string; stderr: string; report: Report }> {
  const call = async (...flags: string[]) => {
    const out: string[] = [];
    const err: string[] = [];
    const stream = (lines: string[]) => ({ write: (line: string) => lines.push(line) });
    const around = { stdout: stream(out), stderr: stream(err), env: place.env, cwd: place.folder };
    const code = await main(['fsck', '--data', folder, ...flags], around);
    return { code, stdout: out.join(''), stderr: err.join('') };
  };
  const [text, json] = [await call(), await call('--json')];
  assert.is(text.code, json.code);
  return { code: json.code, text: text.stdout, stderr: text.stderr, report: oneLine(json.stdout) as Report };
}

/** Examines a copy of the log that was altered. */
function examine(alter: (db: Database.Database, folder: string) => void): ReturnType<typeof fsck> {
  const folder = place.path(`copy-${++copies}`);
  cpSync(place.path('data'), folder, { recursive: true });
  const db = new Sqlite(join(folder, 'log.db'));
  const triggers = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all() as {
    name: string;
    sql: string;
  }[];
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
  alter(db, folder);
  for (const { sql } of triggers) db.exec(sql);
  db.close();
  return fsck(folder);
}

/** Flips the lowest bit of the byte in the middle of a blob. */
function flip(db: Database.Database, table: string, column: string, where: string): void {
  const blob = db.prepare(`SELECT ${column} FROM ${table} WHERE ${where}`).pluck().get() as Buffer;
  blob[blob.length >> 1] ^= 1;
  const { changes } = db.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${where}`).run(blob);
  assert.is(changes, 1);
}

test('a log that nobody altered is clean', async () => {
  const { code, report, text } = await examine(() => undefined);
  assert.equal(report, { entries: ENTRIES, tiles: 3, attachments: 1, findings: [] });
  assert.is(code, 0);
  assert.match(text, /all is well/);
});

/** What is altered, and a place that must be named. */
const damages: readonly [string, (db: Database.Database, folder: string) => void, string | RegExp][] = [
  ['a bit in the bytes of an entry', (db) => flip(db, 'entries', 'bytes', 'idx = 77'), 'entry 77'],
  ['a bit in a leaf hash', (db) => flip(db, 'entries', 'leaf', 'idx = 78'), 'entry 78'],
  ['a bit in a tile', (db) => flip(db, 'tiles', 'hashes', 'level = 0 AND idx = 0'), 'tile 0/0'],
  ['the root of a tile', (db) => flip(db, 'tiles', 'root', 'level = 0 AND idx = 0'), /^tile [01]\/0$/],
  ['a tile that is gone', (db) => db.exec('DELETE FROM tiles'), /^tile [01]\/0$/],
  ['the topic of an entry', (db) => db.exec("UPDATE entries SET topic = 'model/other' WHERE idx = 5"), 'entry 5'],
  ['an entry that is no longer listed', (db) => db.exec("UPDATE entries SET topic = '' WHERE idx = 6"), 'entry 6'],
  ['a bit in the note of the head', (db) => flip(db, 'heads', 'note', "kind = 'committed'"), 'committed head'],
  ['a bit in the root of the head', (db) => flip(db, 'heads', 'root', "kind = 'committed'"), 'committed head'],
  ['a bit in the published checkpoint', (db) => flip(db, 'heads', 'note', "kind = 'published'"), 'published checkpoint'],
  [
    'a bit in the head anchor',
    (_, folder) => {
      const path = join(folder, 'anchor', 'head');
      const note = readFileSync(path);
      note[note.length - 20] ^= 1;
      writeFileSync(path, note);
    },
    'head anchor',
  ],
  ['a bit in an attachment', (db) => flip(db, 'attachments', 'blob', '1 = 1'), /^attachment [0-9a-f]{64}$/],
  [
    'an attachment under another name',
    (db) => db.exec(`UPDATE attachments SET digest = '${'ab'.repeat(32)}'`),
    `attachment ${'ab'.repeat(32)}`,
  ],
  ['who may read an attachment', (db) => publish(db), /^attachment [0-9a-f]{64}$/],
  ['the newest entry, cut off', (db) => db.exec(`DELETE FROM entries WHERE idx = ${ENTRIES - 1}`), `entry ${ENTRIES - 1}`],
  ['an entry in the middle, cut out', (db) => db.exec('DELETE FROM entries WHERE idx = 100'), 'entry 100'],
  ['two entries, exchanged', exchange, 'tile 0/0'],
  ['an entry that was forged, with its leaf hash', (db) => forge(db), 'entry 30'],
];

/** Lets everybody read an attachment: the first byte of what is stored says who may. */
function publish(db: Database.Database): void {
  const blob = db.prepare('SELECT blob FROM attachments').pluck().get() as Buffer;
  blob[0] = blob[0] === 0x70 ? 0x72 : 0x70;
  db.prepare('UPDATE attachments SET blob = ?').run(blob);
}

function exchange(db: Database.Database): void {
  db.exec(
    'UPDATE entries SET idx = -1 WHERE idx = 20; UPDATE entries SET idx = 20 WHERE idx = 21; UPDATE entries SET idx = 21 WHERE idx = -1',
  );
}

/** Puts the bytes of the charter, with one bit changed, in the place of an entry, and hashes it. */
function forge(db: Database.Database): void {
  const bytes = db.prepare('SELECT bytes FROM entries WHERE idx = 30').pluck().get() as Buffer;
  bytes[bytes.length - 1] ^= 1;
  const leaf = createHash('sha256')
    .update(Buffer.concat([Buffer.of(0), bytes]))
    .digest();
  db.prepare('UPDATE entries SET bytes = ?, leaf = ? WHERE idx = 30').run(bytes, leaf);
}

for (const [name, alter, expected] of damages) {
  test(`found, and its place named: ${name}`, async () => {
    const { code, report, text } = await examine(alter);
    const found = report.findings.map(({ where }) => where);
    assert.is(code, 1, 'the exit code says so');
    assert.ok(
      found.some((where) => (typeof expected === 'string' ? expected === where : expected.test(where))),
      `${String(expected)} is not among ${JSON.stringify(report.findings)}`,
    );
    assert.match(text, found[0]);
    assert.not.match(text, 'all is well');
  });
}

test('one altered entry is the only place that is named', async () => {
  const { report } = await examine((db) => flip(db, 'entries', 'bytes', 'idx = 77'));
  assert.equal([...new Set(report.findings.map(({ where }) => where))], ['entry 77']);
});

test('a file that is no database is told, without a stack trace', async () => {
  const folder = place.path('broken');
  cpSync(place.path('data'), folder, { recursive: true });
  writeFileSync(join(folder, 'log.db'), 'x'.repeat(8192));
  const { code, stderr } = await fsck(folder);
  assert.is(code, 1, stderr);
  assert.not.match(stderr, /\n\s+at /);
});

test('a page of the file that is overwritten is found', async () => {
  const folder = place.path('page');
  cpSync(place.path('data'), folder, { recursive: true });
  // A clean shutdown leaves everything in the main file.
  const bytes = readFileSync(join(folder, 'log.db'));
  bytes.fill(0xa5, 5 * 4096, 6 * 4096);
  writeFileSync(join(folder, 'log.db'), bytes);
  const { code } = await fsck(folder);
  assert.is(code, 1);
});

test.run();
