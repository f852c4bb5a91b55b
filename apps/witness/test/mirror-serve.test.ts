import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { concatBytes, formatVerifierKey, parseNote, parseVerifierKey } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema, originHash, serveWitness, unlockWitness } from '../src/index.js';
import { temporaryFolder } from './fixture.js';
import { infoOf, MemoryLog } from './mirror-fixture.js';

const OCTETS = { 'Content-Type': 'application/octet-stream' };

/** A data folder that follows a log. */
function folderFor(log: MemoryLog): string {
  const data = temporaryFolder();
  writeFileSync(join(data, 'logs.txt'), `log ${formatVerifierKey(log.signer.key)}\n`);
  return data;
}

const serve = (data: string, settings: Record<string, unknown> = {}) =>
  serveWitness(
    configSchema.parse({
      data,
      listen: '127.0.0.1:0',
      name: 'witness.test/served',
      mirror: true,
      log_level: 'silent',
      ...settings,
    }),
  );

const post = (url: string, body: Uint8Array): Promise<Response> =>
  fetch(url, { method: 'POST', headers: OCTETS, body: body as Uint8Array<ArrayBuffer> });

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return 'it did not fail';
}

test('the first start makes keys of a name of their own, and later starts keep them', async () => {
  const log = new MemoryLog('log.test/served', 300);
  const data = folderFor(log);
  const first = await serve(data);
  const { mirror } = first;
  assert.is(mirror?.name, 'witness.test/served/mirror');
  assert.equal(
    mirror?.signers.map(({ key }) => key.type),
    [0x04, 0x06],
  );
  assert.is(statSync(join(data, 'keys', 'mirror.key')).mode & 0o777, 0o600);
  const vkeys = mirror?.signers.map(({ key }) => formatVerifierKey(key));
  await first.close();

  const second = await serve(data, { name: undefined });
  assert.equal(
    second.mirror?.signers.map(({ key }) => formatVerifierKey(key)),
    vkeys,
  );
  assert.is((await post(`${second.url}/add-checkpoint`, await log.growth(0))).status, 200);
  assert.is((await post(`${second.url}/add-entries`, await log.upload(0))).status, 200);
  await second.close();

  assert.is(await codeOf(serve(data, { mirror_name: 'another.test/mirror' })), 'witness/wrong-key');
  const without = await serve(data, { mirror: false });
  assert.is(without.mirror, undefined);
  assert.is((await post(`${without.url}/add-entries`, log.header(300, 300))).status, 404);
  assert.is((await fetch(`${without.url}/mirror/${originHash(log.origin)}/checkpoint`)).status, 404);
  await without.close();

  for (const name of ['mirror.key', 'mirror-mldsa44.key']) renameSync(join(data, 'keys', name), join(data, name));
  assert.is(await codeOf(serve(data)), 'note/bad-key', 'keys that have cosigned are not replaced');
});

test('a mirror has another name than its witness', async () => {
  const data = folderFor(new MemoryLog('log.test/served'));
  assert.is(await codeOf(serve(data, { mirror_name: 'witness.test/served' })), 'witness/wrong-key');
  const named = await serve(data, { mirror_name: 'mirror.test/one' });
  assert.is(named.mirror?.name, 'mirror.test/one');
  await named.close();
});

test('a copy that is gone is locked at the start, and the witness goes on', async () => {
  const log = new MemoryLog('log.test/served', 300);
  const data = folderFor(log);
  const first = await serve(data);
  await post(`${first.url}/add-checkpoint`, await log.growth(0));
  await post(`${first.url}/add-entries`, await log.upload(0));
  await first.close();
  rmSync(join(data, 'mirror'), { recursive: true });
  const second = await serve(data);
  assert.is((await post(`${second.url}/add-entries`, log.header(300, 300))).status, 503);
  assert.is((await post(`${second.url}/add-checkpoint`, await log.growth(300))).status, 200);
  const about = (await (await fetch(`${second.url}/v1/witness`)).json()) as { mirror: { logs: { locked: string }[] } };
  assert.match(about.mirror.logs[0].locked, /is gone/);
  await second.close();
  assert.equal(await unlockWitness({ data }), { reason: undefined, adopted: [], refilled: [log.origin] });
  const third = await serve(data);
  assert.is((await fetch(`${third.url}/mirror/${originHash(log.origin)}/checkpoint`)).status, 404);
  assert.is((await post(`${third.url}/add-entries`, await log.upload(0))).status, 200);
  assert.is((await fetch(`${third.url}/mirror/${originHash(log.origin)}/checkpoint`)).status, 200);
  await third.close();
});

test('a refusal comes before the whole body is there', async () => {
  const log = new MemoryLog('log.test/served', 300);
  const { url, close } = await serve(folderFor(log));
  const ask = async (header: Uint8Array): Promise<number | undefined> => {
    const sending = request(`${url}/add-entries`, { method: 'POST', headers: { ...OCTETS, 'Content-Length': 1 << 30 } });
    sending.on('error', () => undefined);
    sending.write(header);
    const [answer] = await once(sending, 'response');
    answer.resume();
    sending.destroy();
    return answer.statusCode;
  };
  assert.is(await ask(new MemoryLog('log.test/unknown', 3).header(0, 3)), 404);
  assert.is(await ask(log.header(0, 300)), 422);
  await post(`${url}/add-checkpoint`, await log.growth(0));
  assert.is(await ask(log.header(0, 299)), 409);
  await close();
});

test('a connection that breaks in the middle of a package loses only this package', async () => {
  const log = new MemoryLog('log.test/served', 600);
  const served = await serve(folderFor(log));
  await post(`${served.url}/add-checkpoint`, await log.growth(0));
  const [first, second] = await log.packages(0, 600);
  const sending = request(`${served.url}/add-entries`, {
    method: 'POST',
    headers: { ...OCTETS, 'Transfer-Encoding': 'chunked' },
  });
  sending.on('error', () => undefined);
  sending.write(concatBytes(log.header(0, 600), first, second.subarray(0, 100)));
  for (let i = 0; i < 100 && served.mirror?.copies.entries(log.origin) !== 256; i++) await sleep(20);
  sending.destroy();
  const info = await infoOf(await post(`${served.url}/add-entries`, log.header(600, 600)));
  assert.is(info.next, 256n);
  assert.is((await post(`${served.url}/add-entries`, await log.upload(256))).status, 200);
  await served.close();
});

/** Starts the mirror as a process and waits until it listens. */
async function start(data: string): Promise<{ child: ChildProcess; url: string; locked: string | null }> {
  const script = fileURLToPath(new URL('./mirror-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@treering/source', '--import', 'tsx', script, data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.on('exit', () => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return { child, ...(JSON.parse(line.toString('utf8')) as { url: string; locked: string | null }) };
}

test('a kill right after an answer loses nothing that it said', async () => {
  const log = new MemoryLog('log.test/killed', 700);
  const data = folderFor(log);
  let known = 0;
  let next = 0n;
  for (const size of [700, 1500, 1501]) {
    log.grow(size);
    const { child, url, locked } = await start(data);
    assert.is(locked, null);
    const about = await (await fetch(`${url}/v1/witness`)).json();
    const { mirror } = about as {
      mirror: { vkeys: string[]; logs: { size: string; entries: string; locked: string | null }[] };
    };
    assert.equal([mirror.logs[0].size, mirror.logs[0].locked], [String(known), null]);
    assert.ok(BigInt(mirror.logs[0].entries) >= next);
    assert.is((await post(`${url}/add-checkpoint`, await log.growth(known))).status, 200);
    if (size === 1500) {
      // Only a part, and the kill comes after the 202.
      const part = concatBytes(log.header(700, 1500), ...(await log.packages(700, 1500)).slice(0, 2));
      next = (await infoOf(await post(`${url}/add-entries`, part))).next;
      assert.is(next, 1024n);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const again = await start(data);
      assert.is((await post(`${again.url}/add-entries`, await log.upload(1024))).status, 200);
      again.child.kill('SIGKILL');
      await once(again.child, 'exit');
    } else {
      const answer = await post(`${url}/add-entries`, await log.upload(known));
      assert.is(answer.status, 200);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const names = parseNote(concatBytes(log.checkpoint(), new Uint8Array(await answer.arrayBuffer()))).signatures;
      assert.is(names.filter(({ name }) => name === parseVerifierKey(mirror.vkeys[0]).name).length, 2);
    }
    known = size;
    next = BigInt(size);
  }
  const { child, url } = await start(data);
  const prefix = `${url}/mirror/${originHash(log.origin)}`;
  assert.match(await (await fetch(`${prefix}/checkpoint`)).text(), /^log\.test\/killed\n1501\n/);
  assert.is((await fetch(`${prefix}/tile/entries/005.p/221`)).status, 200);
  child.kill('SIGKILL');
});

test.run();
