import { isAlarmProof } from '@treering/evidence';
import { verifyConsistency } from '@treering/merkle';
import { decodeBase64, openCheckpoint } from '@treering/note';
import { ByteBudget } from '@treering/server';
import { pino } from 'pino';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LOG_SIGNERS, ORIGIN } from '../../../test/drill/simulation.js';
import { createApp, createMetrics } from '../src/index.js';
import { watchedWorld } from './fixture.js';

const trust = { origin: ORIGIN, logKeys: LOG_SIGNERS.map(({ key }) => key) };

test('what it follows, and how it is', async () => {
  const { world, ask } = await watchedWorld();
  const about = (await (await ask('/v1/monitor')).json()) as {
    name: string;
    alarms: number;
    logs: { size: number; audited: number }[];
  };
  assert.is(about.name, 'm.world');
  assert.is(about.alarms, 0);
  assert.is(about.logs[0].size, 6);
  assert.is(about.logs[0].audited, 6);
  assert.is((await ask('/healthz')).status, 200);
  assert.is((await ask('/readyz')).status, 200);
  const metrics = await (await ask('/metrics')).text();
  assert.match(metrics, `treering_monitor_size{origin="${ORIGIN}"} 6`);
  assert.match(metrics, `treering_monitor_alarms{origin="${ORIGIN}",kind="fork"} 0`);
  world.close();
});

test('the newest head, and what its tree contains at a smaller size', async () => {
  const { world, watcher, ask } = await watchedWorld({ entries: 20 });
  const hash = watcher.monitor.logs[0].originHash;
  const note = new Uint8Array(await (await ask(`/gossip/${hash}`)).arrayBuffer());
  assert.is(openCheckpoint(note, trust).checkpoint.size, 21n);
  const answer = (await (await ask(`/gossip/${hash}/consistency?from=7`)).json()) as {
    checkpoint: string;
    root: string;
    hashes: string[];
  };
  const { checkpoint } = openCheckpoint(new TextEncoder().encode(answer.checkpoint), trust);
  verifyConsistency(7, checkpoint.size, decodeBase64(answer.root), checkpoint.root, answer.hashes.map(decodeBase64));
  for (const [path, status] of [
    [`/gossip/${'0'.repeat(64)}`, 404],
    ['/gossip/xyz', 404],
    [`/gossip/${hash}/consistency?from=0`, 404],
    [`/gossip/${hash}/consistency?from=22`, 404],
    [`/gossip/${hash}/consistency?from=-1`, 400],
    [`/gossip/${hash}/consistency`, 400],
    ['/v1/alarms/1', 404],
    ['/v1/alarms/x', 400],
    ['/v1/alarms/1/proof', 404],
    ['/nowhere', 404],
  ] as const)
    assert.is((await ask(path)).status, status, path);
  world.close();
});

test('alarms and their proof files', async () => {
  const { world, log, watcher, ask } = await watchedWorld();
  const other = await log.fork('other.world', undefined).catch(() => undefined);
  assert.is(other, undefined, 'its own witness keeps the log from a second history');
  log.stop();
  await watcher.poll(4000);
  const { alarms } = (await (await ask('/v1/alarms')).json()) as { alarms: { id: number; kind: string; proof: string }[] };
  assert.equal(
    alarms.map(({ kind }) => kind),
    ['stale'],
  );
  const proof = await ask(alarms[0].proof);
  assert.match(proof.headers.get('content-disposition') ?? '', 'stale-1.trproof');
  assert.ok(isAlarmProof(new Uint8Array(await proof.arrayBuffer())));
  await log.start();
  await log.publish();
  await watcher.poll();
  assert.equal(((await (await ask('/v1/alarms')).json()) as { alarms: unknown[] }).alarms, []);
  assert.is(((await (await ask('/v1/alarms?all')).json()) as { alarms: unknown[] }).alarms.length, 1);
  world.close();
});

test('a listing of alarms has pages, the newest first', async () => {
  const { world, watcher, ask } = await watchedWorld();
  const { store } = watcher.monitor;
  const list = async (query: string) =>
    (await (await ask(`/v1/alarms${query}`)).json()) as { alarms: { id: number }[]; next?: number };
  const ids = async (query: string) => (await list(query)).alarms.map(({ id }) => id);
  store.transaction(() => {
    for (let i = 1; i <= 1003; i++) {
      const kind = i % 2 === 0 ? 'drift' : 'mismatch';
      store.raise({ origin: ORIGIN, kind, about: `${i}`, message: '', raised: i }, new Uint8Array(0), []);
    }
  });
  for (const id of [2, 1001, 1002]) store.clear(id, 2000, []);
  assert.equal(await ids('?limit=3'), [1003, 1000, 999]);
  assert.equal(await ids('?limit=3&all'), [1003, 1002, 1001]);
  const seen: number[] = [];
  let from = '';
  for (let pages = 0; pages < 5; pages++) {
    const { alarms, next } = await list(`?all&limit=400${from}`);
    seen.push(...alarms.map(({ id }) => id));
    if (next === undefined) break;
    from = `&from=${next}`;
  }
  assert.equal(
    seen,
    Array.from({ length: 1003 }, (_, i) => 1003 - i),
  );
  const whole = await list('');
  assert.is(whole.alarms.length, 1000);
  assert.is(whole.next, undefined, 'a page that is full and the last one');
  assert.is((await list('?all')).alarms.length, 1000);
  assert.is((await list('?all')).next, 3);
  assert.equal(await ids('?from=3'), [3, 1]);
  assert.equal(await ids('?from=0'), []);
  for (const query of ['?limit=0', '?limit=1001', '?limit=x', '?from=-1'])
    assert.is((await ask(`/v1/alarms${query}`)).status, 400);
  const about = (await (await ask('/v1/monitor')).json()) as { alarms: number; logs: { alarms: number }[] };
  assert.equal([about.alarms, about.logs[0].alarms], [1000, 1000]);
  assert.match(await (await ask('/metrics')).text(), `treering_monitor_alarms{origin="${ORIGIN}",kind="drift"} 499`);
  world.close();
});

test('junk that is shown to it costs little, changes nothing, and is bounded', async () => {
  const { world, log, watcher, ask } = await watchedWorld();
  const show = async (body: string | Uint8Array) =>
    (await ask('/gossip/checkpoint', { method: 'POST', body: body as string })).status;
  assert.is(await show(''), 400);
  assert.is(await show(new Uint8Array(2_000_000)), 413);
  const unsigned = `${ORIGIN}\n1000\n${Buffer.alloc(32).toString('base64')}\n\n\u2014 ${ORIGIN} AAAAAAAA\n`;
  let busy = 0;
  for (let i = 0; i < 400; i++) if ((await show(unsigned)) === 429) busy++;
  assert.ok(busy > 100, 'a flood is slowed down');
  // Even the log itself cannot fill it: heads of trees that nobody has seen are kept up to a number.
  const watched = watcher.monitor.logs[0];
  const outcomes = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const text = `${ORIGIN}\n${1000 + i}\n${Buffer.alloc(32, i).toString('base64')}\n`;
    const { name, id, signature } = LOG_SIGNERS[0].sign(text);
    const line = Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64');
    outcomes.add(await watched.consider(new TextEncoder().encode(`${text}\n\u2014 ${name} ${line}\n`), 'a visitor'));
  }
  assert.equal([...outcomes].sort(), ['ignored', 'kept']);
  assert.is(watcher.monitor.store.heads(ORIGIN, 'shown').length, 64);
  assert.equal(watcher.raised, []);
  await log.grow(1);
  await log.publish();
  await watcher.poll();
  assert.equal(watcher.raised, []);
  world.close();
});

test('a flood from one address leaves room for others, and all together are bounded', async () => {
  const { world, watcher } = await watchedWorld();
  const { monitor } = watcher;
  const logger = pino({ level: 'silent' });
  const app = createApp({ monitor, vkey: '', metrics: createMetrics(monitor), bodies: new ByteBudget(1 << 26), logger });
  const ask = async (address: string, path: string, init: RequestInit): Promise<number> =>
    (await app.request(path, init, { incoming: { socket: { remoteAddress: address } } })).status;
  const ways = [
    ['/gossip/checkpoint', { method: 'POST', body: '' }, 400],
    [`/gossip/${monitor.logs[0].originHash}/consistency?from=x`, {}, 400],
  ] as const;
  for (const [path, init, status] of ways) {
    for (let i = 0; i < 400; i++) await ask('192.0.2.1', path, init);
    assert.is(await ask('192.0.2.1', path, init), 429);
    assert.is(await ask('192.0.2.2', path, init), status);
    const crowd: number[] = [];
    for (let i = 0; i < 2000; i++) crowd.push(await ask(`198.51.100.${i % 200}`, path, init));
    assert.ok(crowd.includes(429), 'many together are as bad as one');
  }
  world.close();
});

test.run();
