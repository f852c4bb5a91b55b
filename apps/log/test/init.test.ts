import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { decodeRecord } from '@treering/record';
import { parseStatement } from '@treering/statement';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dataFolder, hasLog, initLog, parseConfig, serveLog } from '../src/index.js';
import { ORIGIN, rejection, temporaryFolder } from './fixture.js';

const folders: { remove(): void }[] = [];
function fresh(): string {
  const folder = temporaryFolder();
  folders.push(folder);
  return join(folder.path, 'data');
}
test.after(() => {
  for (const folder of folders) folder.remove();
});

const serve = (data: string, more: Record<string, unknown> = {}) =>
  serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', ...more }));

test('a new log has keys that only its owner reads, and its charter as entry 0', async () => {
  const data = fresh();
  assert.equal(await initLog(data, { origin: ORIGIN, administrator: 'ada' }), { origin: ORIGIN });
  assert.is(statSync(data).mode & 0o777, 0o700);
  assert.is(statSync(join(data, 'keys')).mode & 0o777, 0o700);
  const keys = readdirSync(join(data, 'keys'));
  assert.equal(keys.sort(), ['admin.key', 'log-mldsa44.key', 'log.key']);
  for (const key of keys) assert.is(statSync(join(data, 'keys', key)).mode & 0o777, 0o600, key);
  const storage = openSqliteStorage(dataFolder(data).store, { mode: 'read' });
  const charter = decodeRecord(parseStatement((await storage.entries(0, 1))[0]).payload);
  assert.is((await storage.published())?.size, 1);
  await storage.close();
  assert.is(charter.type, 'charter');
  assert.is(charter.type === 'charter' && charter.administrators[0].id, 'ada');
  assert.ok(existsSync(dataFolder(data).anchor));
});

test('the umask does not open the keys', async () => {
  const data = fresh();
  const before = process.umask(0);
  try {
    await initLog(data);
  } finally {
    process.umask(before);
  }
  for (const key of readdirSync(join(data, 'keys'))) assert.is(statSync(join(data, 'keys', key)).mode & 0o777, 0o600);
});

test('each log without a name gets one of its own', async () => {
  const [a, b] = [await initLog(fresh()), await initLog(fresh())];
  assert.match(a.origin, /^localhost\/treering-[0-9a-f]{8}$/);
  assert.is.not(a.origin, b.origin);
});

test('a second init is refused and changes nothing', async () => {
  const data = fresh();
  await initLog(data, { origin: ORIGIN });
  const read = (): string[] => readdirSync(join(data, 'keys')).map((key) => readFileSync(join(data, 'keys', key), 'utf8'));
  const before = read();
  const error = await rejection(initLog(data, { origin: 'log.test/two' }));
  assert.is(error.code, 'storage/schema');
  assert.equal(read(), before);
  assert.ok(await hasLog(data));
});

test('init is refused where an anchor remembers a head whose store is gone, and serving too', async () => {
  const data = fresh();
  await initLog(data);
  const folder = dataFolder(data);
  for (const file of readdirSync(data).filter((name) => name.startsWith('log.db'))) rmSync(join(data, file));
  assert.is((await rejection(initLog(data))).code, 'storage/missing');
  assert.is((await rejection(serve(data))).code, 'storage/missing');
  assert.not.ok(existsSync(folder.store), 'no store was made');
  writeFileSync(folder.store, '');
  assert.is((await rejection(serve(data))).code, 'storage/missing', 'an empty file is no store');
});

async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  const outcome = await promise.then(
    () => 'it succeeded',
    (error: { code?: string }) => error.code,
  );
  assert.is(outcome, code);
}

test('keys without a store may have signed heads: no second history is begun with them', async () => {
  const data = fresh();
  await initLog(data, { origin: ORIGIN, administrator: 'ada' });
  const folder = dataFolder(data);
  for (const file of readdirSync(data).filter((name) => name.startsWith('log.db'))) rmSync(join(data, file));
  await rejects(initLog(data), 'storage/missing');
  rmSync(folder.anchor);
  await rejects(initLog(data), 'storage/missing');
  rmSync(folder.publicationKey);
  await rejects(initLog(data, { origin: 'log.test/other' }), 'storage/missing');
  assert.not(existsSync(folder.store), 'nothing was made');
});

test('an init that was interrupted goes on with the same keys and the very same charter', async () => {
  const data = fresh();
  await initLog(data, { origin: ORIGIN, administrator: 'ada' });
  const folder = dataFolder(data);
  const store = openSqliteStorage(folder.store, { mode: 'open' });
  const [charter] = await store.entries(0, 1);
  const before = await store.head();
  await store.close();
  assert.not(existsSync(folder.beginning), 'a log that has begun has no note of its beginning');
  // What a process leaves that dies before its first commit, at whatever time it is started again.
  for (const file of readdirSync(data).filter((name) => name.startsWith('log.db'))) rmSync(join(data, file));
  rmSync(folder.anchor);
  writeFileSync(folder.beginning, charter);
  assert.is((await initLog(data, { origin: 'log.test/other', administrator: 'eve' })).origin, ORIGIN);
  const again = openSqliteStorage(folder.store, { mode: 'read' });
  assert.equal((await again.head())?.root, before?.root);
  await again.close();
});

test('a log that was never begun is not served', async () => {
  const data = fresh();
  await initLog(data, { origin: ORIGIN });
  for (const file of readdirSync(data).filter((name) => name.startsWith('log.db'))) rmSync(join(data, file));
  rmSync(dataFolder(data).anchor);
  await openSqliteStorage(dataFolder(data).store, { mode: 'create' }).close();
  await rejects(serve(data), 'storage/missing');
});

test('an init that was interrupted with a store but no entry goes on', async () => {
  const data = fresh();
  mkdirSync(data, { recursive: true });
  await openSqliteStorage(dataFolder(data).store, { mode: 'create' }).close();
  assert.not.ok(await hasLog(data));
  await initLog(data, { origin: ORIGIN });
  assert.ok(await hasLog(data));
});

test('an init that was interrupted while it wrote a key goes on', async () => {
  const data = fresh();
  mkdirSync(join(data, 'keys'), { recursive: true });
  // What a process leaves behind that dies before the key file gets its name.
  writeFileSync(`${dataFolder(data).adminKey}.${process.pid}.new`, 'PRIVATE+KEY+adm', { mode: 0o600 });
  await initLog(data, { origin: ORIGIN });
  assert.ok(await hasLog(data));
  assert.equal(readdirSync(join(data, 'keys')).sort(), ['admin.key', 'log-mldsa44.key', 'log.key']);
});

test('key files that are open to others, links or no files are refused, and nothing of them is told', async () => {
  const data = fresh();
  await initLog(data);
  const { logKey, publicationKey } = dataFolder(data);
  const secret = readFileSync(logKey, 'utf8').trim().split('+').slice(4).join('+');
  for (const path of [logKey, publicationKey]) {
    for (const mode of [0o640, 0o604, 0o660, 0o666, 0o610, 0o601]) {
      chmodSync(path, mode);
      const error = await rejection(serve(data));
      assert.is(error.code, 'note/bad-key', mode.toString(8));
      assert.not.ok(error.message.includes(secret));
    }
    chmodSync(path, 0o600);
    renameSync(path, `${path}.real`);
    symlinkSync(`${path}.real`, path);
    assert.match((await rejection(serve(data))).message, /is a link/);
    rmSync(path);
    assert.match((await rejection(serve(data))).message, /does not exist/);
    mkdirSync(path);
    assert.is((await rejection(serve(data))).code, 'note/bad-key');
    rmSync(path, { recursive: true });
    renameSync(`${path}.real`, path);
  }
  const text = readFileSync(logKey, 'utf8');
  for (const damaged of [text.slice(0, 20), text.replace(/\+[0-9a-f]{8}\+/, '+00000000+'), `${text}x`, '']) {
    writeFileSync(logKey, damaged);
    const error = await rejection(serve(data));
    assert.is(error.code, 'note/bad-key');
    assert.not.ok(error.message.includes(secret));
  }
  writeFileSync(logKey, text);
  await (await serve(data)).close();
});

test("another log's key is refused", async () => {
  const [a, b] = [fresh(), fresh()];
  await initLog(a);
  await initLog(b);
  writeFileSync(dataFolder(a).logKey, readFileSync(dataFolder(b).logKey));
  assert.is((await rejection(serve(a))).code, 'sequencer/wrong-key');
});

test('a store without its anchor is opened only when the operator says so', async () => {
  const data = fresh();
  await initLog(data);
  rmSync(dataFolder(data).anchor);
  assert.is((await rejection(serve(data))).code, 'sequencer/no-anchor');
  await (await serve(data, { trust_store: true })).close();
  await (await serve(data)).close();
});

test('one log is served by one process at a time', async () => {
  const data = fresh();
  await initLog(data);
  const first = await serve(data);
  assert.is((await rejection(serve(data))).code, 'storage/locked');
  await first.close();
  await (await serve(data)).close();
});

test('a log that cannot listen lets go of its store', async () => {
  const [a, b] = [fresh(), fresh()];
  await initLog(a);
  await initLog(b);
  const first = await serve(a);
  assert.is((await rejection(serve(b, { listen: new URL(first.url).host }))).code, 'EADDRINUSE');
  await first.close();
  await (await serve(b)).close();
});

test.run();
