import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dataFolder } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { oneLine, Workplace } from './command.js';
import { administrator, incident, submit } from './statements.js';

// The built command as a process: what starts, runs and stops a log, and what another process sees of it.

const record = (name: string, ...more: string[]): string[] => [
  'record',
  'model',
  'model',
  '--name',
  name,
  '--version',
  '1',
  '--reason',
  'A model for the tests.',
  ...more,
];

test('up --json prints one line with everything a script needs, and SIGTERM ends it cleanly', async () => {
  const place = new Workplace();
  const log = await place.up();
  assert.equal(Object.keys(log.ready), ['url', 'origin', 'vkey', 'data', 'witnesses', 'monitor']);
  assert.match(log.ready.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.is.not(log.ready.url, 'http://127.0.0.1:0');
  assert.ok(log.ready.vkey.startsWith(`${log.ready.origin}+`));
  assert.is(log.ready.data, place.path('data'));
  assert.ok(Array.isArray(log.ready.witnesses));
  assert.is((await fetch(`${log.ready.url}/healthz`)).status, 200);
  const { code, stdout } = await log.stop();
  assert.is(code, 0);
  assert.equal(oneLine(stdout), log.ready, 'one line and no other');
});

test('up without --json says in plain text where it is and what to try next', async () => {
  const place = new Workplace();
  const log = await place.up([], {}, 'text');
  assert.match(log.text(), /verifier key {2}localhost\/treering-[0-9a-f]{8}\+/);
  assert.match(log.text(), /record model/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
  assert.not.match(log.text(), /[\u0000-\u0009\u000b-\u001f\u007f]/);
  assert.is((await place.run(['show'])).code, 0, 'the command finds the log of its data folder');
  assert.is((await log.stop('SIGINT')).code, 0);
});

test('keys and data of a first start are for their owner alone', async () => {
  const place = new Workplace();
  const log = await place.up();
  assert.is(statSync(place.path('data')).mode & 0o077, 0);
  assert.is(statSync(place.path('data', 'keys')).mode & 0o077, 0);
  for (const name of readdirSync(place.path('data', 'keys')))
    assert.is(statSync(place.path('data', 'keys', name)).mode & 0o777, 0o600, name);
  const { stdout, stderr } = await log.stop();
  for (const name of readdirSync(place.path('data', 'keys'))) {
    const seed = readFileSync(place.path('data', 'keys', name), 'utf8')
      .trim()
      .split('+')
      .slice(4)
      .join('+');
    assert.not.match(stdout + stderr, seed);
  }
});

test('a second process on the same data is refused: exit code 1, and the first goes on', async () => {
  const place = new Workplace();
  const log = await place.up();
  const { code, stdout, stderr } = await place.run(['up', '--alone', '--json']);
  assert.is(code, 1);
  assert.is((oneLine(stdout) as { error: { code: string } }).error.code, 'storage/locked');
  assert.match(stderr, /another process/);
  assert.not.match(stderr, /\n\s+at /);
  assert.is((await fetch(`${log.ready.url}/readyz`)).status, 200);
  await log.stop();
});

test('an address in use is told: exit code 2', async () => {
  const [one, two] = [new Workplace(), new Workplace()];
  const log = await one.up();
  const { code, stderr } = await two.run(['up', '--alone', '--listen', new URL(log.ready.url).host]);
  assert.is(code, 2, stderr);
  assert.match(stderr, /EADDRINUSE|in use/);
  await log.stop();
});

test('the log comes back with the same name, key and entries', async () => {
  const place = new Workplace();
  place.write('model/w', 'w');
  const first = await place.up();
  const { index, leaf } = await place.result(record('kept'));
  await first.stop();
  const second = await place.up();
  assert.is(second.ready.vkey, first.ready.vkey);
  assert.is((await place.result(['show', String(index)])).leaf, leaf);
  await second.stop('SIGKILL');
  const third = await place.up();
  assert.is((await place.result(['show', String(index)])).leaf, leaf);
  await third.stop();
});

test('with the log down: reading cannot reach it (exit code 3), verifying needs it not', async () => {
  const place = new Workplace();
  place.write('model/w', 'w');
  const log = await place.up();
  await place.result(record('offline'));
  await log.stop();
  const shown = await place.run(['show', '1', '--json']);
  assert.is(shown.code, 3);
  assert.is((oneLine(shown.stdout) as { error: { code: string } }).error.code, 'client/unreachable');
  rmSync(place.path('data'), { recursive: true });
  const { code, stdout } = await place.run(['verify', 'offline-1.tlog-proof', '--key', log.ready.vkey]);
  assert.is(code, 0);
  assert.match(stdout, 'The proof holds.');
  const other = await new Workplace().up();
  assert.is((await place.run(['verify', 'offline-1.tlog-proof', '--key', other.ready.vkey])).code, 1);
  await other.stop();
});

test('output into a pipe has no escape codes', async () => {
  const place = new Workplace();
  place.write('model/w', 'w');
  const log = await place.up();
  const logged = await place.run(record('plain'));
  const shown = await place.run(['show', '1']);
  await log.stop();
  const verified = await place.run(['verify', 'plain-1.tlog-proof', '--key', log.ready.vkey]);
  for (const { code, stdout, stderr } of [logged, shown, verified]) {
    assert.is(code, 0);
    assert.ok(stdout.length > 0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
    assert.not.match(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f]/);
  }
});

test('a backup under load is consistent and clean; a log started from it refuses to sign', async () => {
  const place = new Workplace();
  const log = await place.up();
  const load = await startLoad(log.ready.url, place.path('data'), log.ready.origin);
  await load.reach(200);
  const backup = await place.result(['backup', 'copies/log.db']);
  const acknowledged = load.count();
  await load.reach(acknowledged + 100);
  const again = await place.run(['backup', 'copies/log.db']);
  assert.is(again.code, 2, 'a backup never replaces anything');
  const total = await load.end();
  assert.ok(backup.size >= 200 && backup.size < total, `${backup.size} of ${total}`);
  assert.is((await log.stop()).code, 0);

  // The copy with the keys of the log, and without its anchor: everything in it holds.
  const other = place.path('restored');
  copyInto(place, other);
  const examined = await place.run(['fsck', '--data', other, '--anchor', place.path('no-anchor'), '--json']);
  assert.is(examined.code, 0, examined.stdout);
  assert.is((oneLine(examined.stdout) as { entries: number }).entries, backup.size);

  // In the place of the log, whose anchor knows better.
  for (const name of ['log.db', 'log.db-wal', 'log.db-shm']) rmSync(place.path('data', name), { force: true });
  copyFileSync(place.path('copies', 'log.db'), place.path('data', 'log.db'));
  const refused = await place.run(['up', '--alone', '--json']);
  assert.is(refused.code, 1);
  assert.is((oneLine(refused.stdout) as { error: { code: string } }).error.code, 'sequencer/rolled-back');
  assert.match(refused.stderr, /older|anchor|backup/);
  assert.not.match(refused.stderr, /\n\s+at /);
  const found = await place.run(['fsck']);
  assert.is(found.code, 1);
  assert.match(found.stdout, /head anchor: .*older than what the log signed/);
});

test('a lost store is not taken for a new log', async () => {
  const place = new Workplace();
  const log = await place.up();
  await log.stop();
  for (const name of ['log.db', 'log.db-wal', 'log.db-shm']) rmSync(place.path('data', name), { force: true });
  const { code, stderr } = await place.run(['up', '--alone']);
  assert.is(code, 2);
  assert.match(stderr, /the store is gone/);
});

test('a lost anchor is not taken for a first start', async () => {
  const place = new Workplace();
  const log = await place.up();
  await log.stop();
  rmSync(place.path('data', 'anchor'), { recursive: true });
  const { code, stderr } = await place.run(['up', '--alone']);
  assert.is(code, 1);
  assert.match(stderr, /--trust-store|anchor/);
  await (await place.up(['--trust-store'])).stop();
});

/** A folder with the copy of the store and the keys of the log. */
function copyInto(place: Workplace, folder: string): void {
  const from = dataFolder(place.path('data'));
  const to = dataFolder(folder);
  place.write('restored/keys/log.key', readFileSync(from.logKey, 'utf8'));
  place.write('restored/keys/log-mldsa44.key', readFileSync(from.publicationKey, 'utf8'));
  for (const path of [to.logKey, to.publicationKey]) chmodSync(path, 0o600);
  copyFileSync(place.path('copies', 'log.db'), to.store);
}

/** Submits statements from several clients at once until it is ended. */
async function startLoad(url: string, data: string, origin: string) {
  const signer = await administrator({ data });
  let going = true;
  let done = 0;
  let failure: Error | undefined;
  const client = async (): Promise<void> => {
    while (going) {
      await submit(url, await incident({ origin }, signer));
      done++;
    }
  };
  const clients = Promise.all([1, 2, 3, 4].map(client)).catch((error: Error) => {
    failure = error;
  });
  return {
    count: () => done,
    async reach(count: number) {
      while (done < count && failure === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
      if (failure !== undefined) throw failure;
    },
    async end() {
      going = false;
      await clients;
      if (failure !== undefined) throw failure;
      return done;
    },
  };
}

test.run();
