import { verify } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
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
  assert.is(watcher.monitor.store.undelivered, 0);
  await watcher.poll(4000);
  assert.is(told.length, 5);
  world.close();
});

test.run();
