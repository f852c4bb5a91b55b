import { verify } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { World } from '../../../test/drill/simulation.js';
import { deliver, type MonitorStore } from '../src/index.js';
import { watchedWorld } from './fixture.js';

interface Told {
  readonly body: string;
  readonly signature: string;
}

/** A world whose monitor tells a hook, which answers with these statuses in turn and then with 200. */
async function hooked(statuses: readonly number[]) {
  const setting = await watchedWorld({ webhooks: ['http://hook.world/alarm'] });
  const told: Told[] = [];
  const rest = [...statuses];
  setting.world.hosts.set('hook.world', async (request) => {
    told.push({ body: await request.text(), signature: request.headers.get('treering-signature') ?? '' });
    const status = rest.shift() ?? 200;
    if (status === 0) throw new TypeError('fetch failed');
    return new Response('', { status });
  });
  return { ...setting, told };
}

test('a webhook is told of an alarm once, and once that it is over', async () => {
  const { world, log, watcher, told } = await hooked([]);
  log.stop();
  await watcher.poll(4000);
  await watcher.poll();
  await log.start();
  await log.publish();
  await watcher.poll();
  await watcher.poll();
  const events = told.map(({ body }) => JSON.parse(body) as { event: string; alarm: { kind: string } });
  assert.equal(
    events.map(({ event, alarm }) => `${event} ${alarm.kind}`),
    ['raised stale', 'cleared stale'],
  );
  world.close();
});

test('what it is told is signed with the monitor’s key', async () => {
  const { world, log, watcher, told } = await hooked([]);
  log.stop();
  await watcher.poll(4000);
  const [{ body, signature }] = told;
  const [, time, base64] = /^t=(\d+),ed25519=(.+)$/.exec(signature) ?? [];
  const x = Buffer.from((watcher.signer.key as { x: Uint8Array }).x).toString('base64url');
  const key = { key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' } as const;
  const message = (text: string): Buffer => Buffer.from(`treering-webhook/v1\n${time}\n${text}`);
  assert.ok(verify(null, message(body), key as never, Buffer.from(base64, 'base64')));
  assert.not(verify(null, message(`${body} `), key as never, Buffer.from(base64, 'base64')));
  world.close();
});

test('a webhook that fails is tried again, later each time, also after the monitor was killed', async () => {
  const { world, log, watcher, told } = await hooked([500, 0, 302, 404]);
  log.stop();
  await watcher.poll(4000);
  assert.is(told.length, 1);
  await watcher.poll(5);
  assert.is(told.length, 1, 'not at once');
  await watcher.poll(10);
  assert.is(told.length, 2);
  watcher.kill();
  watcher.start();
  await watcher.poll(25);
  assert.is(told.length, 3);
  await watcher.poll(60);
  await watcher.poll(100);
  assert.is(told.length, 5);
  assert.is(watcher.monitor.store.deliveries.size, 0);
  await watcher.poll(4000);
  assert.is(told.length, 5);
  world.close();
});

const event = ({ body }: Told): string => {
  const { event, alarm } = JSON.parse(body) as { event: string; alarm: { kind: string; about: string } };
  return `${event} ${alarm.kind} ${alarm.about}`;
};

/** Raises alarms of one kind, about nothing or about so many things, of which these webhooks are told. */
function raiseAt(store: MonitorStore, kind: 'fork' | 'drift', urls: readonly string[], count?: number): void {
  const abouts = count === undefined ? [''] : Array.from({ length: count }, (_, i) => `${i}`);
  store.transaction(() => {
    for (const about of abouts) store.raise({ origin: 'o', kind, about, message: '', raised: 0 }, new Uint8Array(0), urls);
  });
}

/** Has slow.world wait with its answer. @returns what waits until it is asked, and lets it answer */
function holdUp(world: World): () => Promise<void> {
  let answer: (() => void) | undefined;
  world.hosts.set('slow.world', async () => {
    await new Promise<void>((done) => {
      answer = done;
    });
    return new Response('');
  });
  return async () => {
    while (answer === undefined) await setImmediate();
    answer();
  };
}

test('however much was raised before, what is gravest is told first, and all of it at once', async () => {
  const { world, watcher, told } = await hooked([]);
  const { store } = watcher.monitor;
  const urls = ['http://hook.world/alarm'];
  raiseAt(store, 'drift', urls, 450);
  raiseAt(store, 'fork', urls);
  await watcher.poll();
  assert.is(event(told[0]), 'raised fork ');
  assert.is(told.length, 451);
  assert.is(store.deliveries.size, 0);
  await watcher.poll();
  assert.is(told.length, 451, 'each once');
  world.close();
});

test('a fork that shows while others are told has its turn next', async () => {
  const { world, watcher, told } = await hooked([]);
  const { store } = watcher.monitor;
  const urls = ['http://hook.world/alarm'];
  raiseAt(store, 'drift', urls, 450);
  const hook = world.hosts.get('hook.world') as (request: Request) => Promise<Response>;
  world.hosts.set('hook.world', (request) => {
    if (told.length === 0) raiseAt(store, 'fork', urls);
    return hook(request);
  });
  await watcher.poll();
  assert.is(
    told.findIndex((one) => event(one) === 'raised fork '),
    100,
    'behind the posts that were under way',
  );
  world.close();
});

test('of a webhook that takes nothing, no more is asked in one poll, and others are told everything', async () => {
  const { world, watcher, told } = await hooked([]);
  const { store } = watcher.monitor;
  let refused = 0;
  world.hosts.set('dead.world', async () => {
    refused++;
    return new Response('', { status: 500 });
  });
  const urls = ['http://dead.world/', 'http://hook.world/alarm'];
  raiseAt(store, 'drift', urls, 250);
  await watcher.poll();
  assert.is(refused, 100);
  assert.is(told.length, 250);
  assert.is(store.deliveries.size, 250);
  world.close();
});

test('when the time is over no further post is begun', async () => {
  const { world, watcher, told } = await hooked([]);
  const { monitor } = watcher;
  raiseAt(monitor.store, 'drift', ['http://hook.world/alarm'], 250);
  await deliver(monitor, { fetch: world.fetchFrom('m.world'), within: 0 });
  assert.is(told.length, 100);
  await deliver(monitor, { fetch: world.fetchFrom('m.world') });
  assert.is(told.length, 250);
  world.close();
});

test('what is raised while webhooks are told is told right afterwards, also to one that had nothing to be told', async () => {
  const { world, watcher, told } = await hooked([]);
  const { monitor } = watcher;
  const release = holdUp(world);
  raiseAt(monitor.store, 'drift', ['http://slow.world/']);
  const first = monitor.tell();
  raiseAt(monitor.store, 'fork', ['http://hook.world/alarm']);
  const [second, third] = [monitor.tell(), monitor.tell()];
  assert.is(second, third, 'one for all who ask');
  await release();
  await first;
  assert.equal(told, []);
  await second;
  assert.equal(told.map(event), ['raised fork ']);
  world.close();
});

test('a monitor that is closed waits for what is under way, and leaves the rest to the next start', async () => {
  const { world, watcher, told } = await hooked([]);
  const { monitor } = watcher;
  const release = holdUp(world);
  raiseAt(monitor.store, 'drift', ['http://slow.world/']);
  const running = monitor.tell();
  raiseAt(monitor.store, 'fork', ['http://hook.world/alarm']);
  const next = monitor.tell();
  const closed = watcher.stop();
  await release();
  await Promise.all([running, next, closed]);
  assert.equal(told, []);
  watcher.start();
  assert.is(monitor === watcher.monitor, false);
  await watcher.poll();
  assert.equal(told.map(event), ['raised fork ']);
  await watcher.stop();
  world.close();
});

test('what was raised and cleared again and again before anybody was told is told of at its beginning and its end', async () => {
  const { world, watcher, told } = await hooked([]);
  const { store } = watcher.monitor;
  const urls = ['http://hook.world/alarm'];
  for (let i = 1; i <= 100; i++) {
    const alarm = { origin: 'o', kind: 'mismatch', about: 'deploy/x', message: `${i}`, raised: i } as const;
    const id = store.raise(alarm, new Uint8Array(0), urls)?.id as number;
    if (i < 100) store.clear(id, i, urls);
    store.raise({ ...alarm, about: `deploy/${i}` }, new Uint8Array(0), urls);
  }
  await watcher.poll();
  const flapping = told.filter((one) => event(one).endsWith(' deploy/x'));
  const messages = flapping.map(({ body }) => {
    const { event, alarm } = JSON.parse(body) as { event: string; alarm: { message: string } };
    return `${event} ${alarm.message}`;
  });
  assert.equal(messages, ['raised 1', 'cleared 1', 'raised 100']);
  assert.is(told.length, 103, 'what is about something else is told of each');
  assert.is(store.alarms().filter(({ about }) => about === 'deploy/x').length, 100, 'the listing has all of them');
  world.close();
});

test.run();
