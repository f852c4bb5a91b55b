import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dataFolder, initLog, type LogConfig, parseConfig, type ServedLog, serveLog } from '../src/index.js';
import { rejection, temporaryFolder } from './fixture.js';

// A log that has ended: everything can be read, and nothing is taken or signed, with its keys or without.

const served: ServedLog[] = [];
test.after(async () => {
  for (const log of served) await log.close();
});

async function serve(data: string, more: Partial<LogConfig> = {}): Promise<ServedLog> {
  const log = await serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20, ...more }));
  served.push(log);
  return log;
}

async function close(log: ServedLog): Promise<void> {
  served.splice(served.indexOf(log), 1);
  await log.close();
}

const folders = [temporaryFolder(), temporaryFolder()];
test.after(() => {
  for (const folder of folders) folder.remove();
});
const [data, other] = folders.map(({ path }) => path);
await initLog(data, { origin: 'log.test/ended' });
const first = await serve(data);
const get = async (url: string, path: string): Promise<Response> => fetch(`${url}${path}`);
await first.log.publisher.publish();
const checkpoint = await (await get(first.url, '/checkpoint')).text();
const entry = new Uint8Array(await (await get(first.url, '/v1/entries/0')).arrayBuffer());
await close(first);
const before = readFileSync(dataFolder(data).anchor);

test('the public keys lie beside the store, and not among the private ones', () => {
  const { verifierKeys, logKey } = dataFolder(data);
  const lines = readFileSync(verifierKeys, 'utf8').trim().split('\n');
  assert.is(lines.length, 2);
  for (const line of lines) assert.match(line, /^log\.test\/ended\+/);
  assert.not.ok(verifierKeys.startsWith(join(logKey, '..')));
});

test('without its keys a log is served read-only: entries, proofs and the last checkpoint', async () => {
  rmSync(join(data, 'keys'), { recursive: true });
  assert.ok(await rejection(serve(data)), 'it cannot be continued');
  const log = await serve(data, { read_only: true });
  assert.is(await (await get(log.url, '/checkpoint')).text(), checkpoint);
  assert.equal(new Uint8Array(await (await get(log.url, '/v1/entries/0')).arrayBuffer()), entry);
  assert.is((await get(log.url, '/v1/proof/inclusion?index=0&size=1')).status, 200);
  assert.is((await get(log.url, '/tile/0/000.p/1')).status, 200);
  assert.equal(await (await get(log.url, '/readyz')).json(), { status: 'read-only', committed: 1, published: 1 });
  assert.is(((await (await get(log.url, '/v1/log')).json()) as { read_only: boolean }).read_only, true);
  await close(log);
});

test('nothing is taken, stored or signed', async () => {
  const log = await serve(data, { read_only: true });
  const requests = [
    ['POST', '/v1/entries'],
    ['POST', '/v1/entries:batch'],
    ['POST', '/entries'],
    ['POST', '/v1/enrolment'],
    ['PUT', `/v1/attachments/${'0'.repeat(64)}`],
    ['DELETE', '/v1/entries/0'],
    ['GET', '/v1/receipt/0'],
  ] as const;
  for (const [method, path] of requests) {
    const answer = await fetch(`${log.url}${path}`, { method, ...(method === 'GET' ? {} : { body: entry }) });
    const { code } = (await answer.json()) as { code: string };
    assert.equal([answer.status, code], [403, 'log/read-only'], `${method} ${path}`);
  }
  assert.is(((await rejection(log.log.submit(entry))) as { code?: string }).code, 'log/read-only');
  await close(log);
  assert.equal(readFileSync(dataFolder(data).anchor), before, 'the anchor stays as it was');
});

test('an older copy is read too, because nothing is signed on it', async () => {
  writeFileSync(dataFolder(data).anchor, 'not a head');
  await close(await serve(data, { read_only: true }));
  assert.is(readFileSync(dataFolder(data).anchor, 'utf8'), 'not a head');
});

test('the public keys can be put back, and must be those of the log', async () => {
  const { verifierKeys } = dataFolder(data);
  const text = readFileSync(verifierKeys, 'utf8');
  assert.is(statSync(verifierKeys).mode & 0o777, 0o600);
  rmSync(verifierKeys);
  assert.match((await rejection(serve(data, { read_only: true }))).message, 'put the verifier keys of the log there');
  writeFileSync(verifierKeys, text.split('\n').reverse().join('\n'));
  assert.match((await rejection(serve(data, { read_only: true }))).message, 'begins with other keys');

  await initLog(other, { origin: 'log.test/ended' });
  await close(await serve(other));
  writeFileSync(verifierKeys, readFileSync(dataFolder(other).verifierKeys));
  assert.is((await rejection(serve(data, { read_only: true }))).code, 'sequencer/wrong-key');
  writeFileSync(verifierKeys, text);
  await close(await serve(data, { read_only: true }));
});

test.run();
