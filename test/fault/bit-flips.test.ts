import { closeSync, cpSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder, fsck, openAnchor } from '@treering/log';
import { StorageError } from '@treering/storage';
import { openSqliteStorage } from '@treering/storage-sqlite';
import Database from 'better-sqlite3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fillLog } from './filled-log.js';
import { seededRandom } from './random.js';
import { openReadable } from './readable-log.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';
import { difference, readContents } from './store-contents.js';

const FLIPS = forSize({ quick: 40, full: 1000 });
/** Of the flips, one in so many is also read through the log's HTTP face. */
const READ_EVERY = forSize({ quick: 8, full: 10 });
const FILLING = {
  origin: 'flip.test/log',
  entries: forSize({ quick: 300, full: 600, soak: 600 }),
  attachments: 20,
  keptHeads: 6,
};

const data = mkdtempSync(join(tmpdir(), 'treering-flips-'));
test.after(() => rmSync(data, { recursive: true, force: true }));
const folder = dataFolder(data);
const { trust } = await fillLog(data, FILLING);

/** What an examination finds: places, and what is wrong there. */
async function examine(): Promise<{ places: Set<string>; text: string }> {
  try {
    const storage = openSqliteStorage(folder.store, { mode: 'read' });
    const { findings } = await fsck({ storage, anchor: openAnchor(folder), trust }).finally(() => storage.close());
    return { places: new Set(findings.map(({ where }) => where)), text: JSON.stringify(findings) };
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    // What SQLite cannot even open, the command tells with this message and ends with 1.
    return { places: new Set(['database']), text: `${error.code}: ${error.message}` };
  }
}

/** What the flip has changed of all that SQLite reads from the file: names, or undefined when it reads nothing any more. */
function changed(intact: ReturnType<typeof readContents>): string[] | undefined {
  try {
    return difference(intact, readContents(folder.store));
  } catch {
    return undefined;
  }
}

test(`each of ${FLIPS} bits that flip in the store is found and its place named, and nothing false is served`, async () => {
  assert.equal([...(await examine()).places], [], 'the log is whole before');
  const intact = readContents(folder.store);
  const bytes = readFileSync(folder.store);
  const answers = await openReadable(data).then((log) => log.readAll());
  assert.ok(answers.refused.length === 0 && answers.given.size > FILLING.entries, 'everything is answered before');
  const random = seededRandom(7);
  const file = openSync(folder.store, 'r+');
  const count = { found: 0, unused: 0, notStarted: 0, read: 0, refused: 0 };
  while (count.found < FLIPS) {
    const [at, bit] = [Math.floor(random() * bytes.length), Math.floor(random() * 8)];
    writeSync(file, Buffer.of(bytes[at] ^ (1 << bit)), 0, 1, at);
    const { places, text } = await examine();
    const differences = changed(intact);
    const what = `bit ${bit} of byte ${at}, which changes ${differences?.slice(0, 5).join(', ') ?? 'all'}: ${text.slice(0, 300)}`;
    if (places.size === 0) {
      // SQLite finds every page and every index in order and reads the very same rows and settings: nothing is stored in this bit.
      assert.equal(differences, [], `not found: ${what}`);
      count.unused++;
    } else {
      const unnamed = (differences ?? []).filter((name) => !places.has(name));
      assert.ok(unnamed.length === 0 || places.has('database'), `found, but not ${unnamed.slice(0, 3).join(', ')}: ${what}`);
      if (count.found++ % READ_EVERY === 0) await readDamaged(what);
    }
    writeSync(file, bytes, at, 1, at);
  }
  closeSync(file);
  assert.ok(readFileSync(folder.store).equals(bytes), 'nobody has written to the store');
  assert.ok(
    count.unused < count.found,
    `too much of the file is not looked at: ${count.unused} of ${count.unused + count.found}`,
  );
  reportOutcome({
    name: 'bit-flips',
    group: 'disk',
    scenario: 'A bit that flips in the store: `fsck` names the place, and the log gives out nothing else than what was logged',
    runs: count.found,
    unit: 'bits',
    also: `${count.found} found of ${count.found}; ${count.unused} more hit bytes in which nothing is stored; of ${count.read + count.notStarted} damaged stores ${count.notStarted} were not started, and ${count.read} read to the end with ${count.refused} refusals`,
  });

  /** Starts the log on the damaged store and asks for everything: each answer is as before, or it is a refusal with an alarm. */
  async function readDamaged(what: string): Promise<void> {
    let log: Awaited<ReturnType<typeof openReadable>>;
    try {
      log = await openReadable(data);
    } catch (error) {
      assert.match((error as { code?: string }).code ?? String(error), /^(storage|sequencer|governance|note)\//, what);
      count.notStarted++;
      return;
    }
    const { given, refused, alarms } = await log.readAll(answers.given.keys());
    count.read++;
    count.refused += refused.length;
    for (const [path, answer] of given) {
      // An index that has lost an attachment makes it missing, which proves nothing and is found by fsck.
      const missing = answer === '404' && path.startsWith('/addenda/');
      assert.ok(missing || answer === answers.given.get(path), `another answer to ${path}: ${what}`);
    }
    for (const { path, status, code, retryAfter } of refused) {
      assert.is(`${status} ${code}`, '503 storage/corrupt', `${path}: ${what}`);
      assert.ok(Number(retryAfter) > 0);
    }
    assert.is(alarms.length, refused.length, 'every refusal is in the records of the log');
  }
});

/** Rows, and what is refused when the middle of their blob is altered. */
const DAMAGES: readonly [string, string, string, RegExp, number][] = [
  ['entries', 'bytes', 'idx = 70', /^\/v1\/entries\/70$|^\/tile\/entries\/000$/, 2],
  ['tiles', 'hashes', 'level = 0 AND idx = 0', /\/entries\/|^\/tile\/0\/000$|\/proof\//, 256],
  ['attachments', 'blob', "digest = (SELECT max(digest) FROM attachments WHERE substr(blob, 1, 1) = x'70')", /^\/addenda\//, 1],
];

for (const [table, column, where, paths, least] of DAMAGES)
  test(`the log refuses what leads to an altered row of ${table}, with an alarm that names it, and answers everything else`, async () => {
    const copy = mkdtempSync(join(tmpdir(), 'treering-flips-'));
    try {
      cpSync(data, copy, { recursive: true });
      const db = new Database(dataFolder(copy).store);
      for (const name of db.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'").pluck().all())
        db.exec(`DROP TRIGGER ${name}`);
      const blob = db.prepare(`SELECT ${column} FROM ${table} WHERE ${where}`).pluck().get() as Buffer;
      blob[blob.length >> 1] ^= 1;
      assert.is(db.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${where}`).run(blob).changes, 1);
      db.close();
      const whole = await (await openReadable(data)).readAll();
      const { given, refused, alarms } = await (await openReadable(copy)).readAll();
      for (const [path, answer] of given) assert.is(answer, whole.given.get(path), path);
      assert.ok(refused.length >= least, `${refused.length} refusals`);
      for (const { path, status, code } of refused) {
        assert.match(path, paths);
        assert.is(`${status} ${code}`, '503 storage/corrupt');
      }
      assert.is(alarms.length, refused.length);
      for (const alarm of alarms) assert.match(alarm, /entry 70|tile 0\/0|attachment [0-9a-f]{64}/);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });

test.run();
