import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ORIGIN, SimulatedLog, SimulatedMonitor, type WatchOptions, World } from './simulation.js';
import { confirm, holdsForStrangers, insert, intruder, inventedHead } from './watched-world.js';

// A log that shows heads, and keeps back what would tell whether they are of one history.

/** The network of a monitor in which the log may be slow, choose the history that it shows, and hold things back. */
class Between {
  /** The log whose history is shown. */
  shown: SimulatedLog;
  /** Whether reading a bundle of entries takes longer than a poll reads. */
  slow = false;
  /** What is answered with 404. */
  held: (path: string) => boolean = () => false;
  /** Tiles of hashes that were asked for. */
  tiles = 0;
  readonly #now = performance.now.bind(performance);
  #offset = 0;

  constructor(world: World, shown: SimulatedLog) {
    this.shown = shown;
    performance.now = () => this.#now() + this.#offset;
    world.hosts.set('log.world', async ({ url }) => {
      const { pathname } = new URL(url);
      if (pathname.startsWith('/tile/') && !pathname.includes('entries')) this.tiles++;
      if (this.held(pathname)) return new Response('', { status: 404 });
      if (this.slow && pathname.includes('entries')) this.#offset += 11_000;
      const host = world.hosts.get(this.shown.host);
      return host === undefined ? new Response('', { status: 502 }) : host(new Request(`http://${this.shown.host}${pathname}`));
    });
  }

  end(): void {
    performance.now = this.#now;
  }
}

/** Two histories of one log with the same first entries, and a monitor. */
async function twoHistories(common: number, options: Partial<WatchOptions> = {}) {
  const world = new World();
  const a = await new SimulatedLog(world, 'a.world').start();
  await a.grow(common, 'both');
  const b = await a.fork('b.world');
  const between = new Between(world, a);
  const watcher = new SimulatedMonitor(world, 'm.world', { at: 'log.world', ...options }).start();
  const close = async (): Promise<void> => {
    between.end();
    await watcher.stop();
    world.close();
  };
  const show = (note: Uint8Array) =>
    world.fetchFrom('x')('http://m.world/gossip/checkpoint', { method: 'POST', body: note as Uint8Array<ArrayBuffer> });
  return { world, a, b, between, watcher, show, close };
}

const publishedBy = (log: SimulatedLog): Uint8Array => log.log.publisher.published?.note as Uint8Array;
const withoutHashes = (path: string): boolean => path.startsWith('/tile/') && !path.includes('entries');

async function grow(log: SimulatedLog, count: number): Promise<void> {
  await log.grow(count);
  await log.publish();
}

test('a head that the log gave out and that nobody could follow yet is compared with the next one', async () => {
  const { a, b, between, watcher, close } = await twoHistories(1000);
  await grow(a, 30);
  await grow(b, 40);
  between.slow = true;
  await watcher.poll();
  assert.is(watcher.monitor.logs[0].status().size, 0, 'it was not read to its end');
  between.shown = b;
  await watcher.poll();
  assert.equal(watcher.raised, ['fork']);
  await confirm(watcher, 'fork');
  assert.ok(await holdsForStrangers(watcher, 'fork'));
  await close();
});

test('a smaller head of another history is a rollback, and a fork as soon as it has outgrown the larger one', async () => {
  const { a, b, between, watcher, close } = await twoHistories(1000);
  await grow(a, 40);
  await grow(b, 30);
  between.slow = true;
  await watcher.poll();
  between.shown = b;
  for (let i = 0; i < 3; i++) await watcher.poll();
  assert.equal(watcher.raised, ['rollback'], 'the log does not give out what the larger tree contains');
  assert.is(watcher.monitor.logs[0].status().size, 1031, 'it is read all the same');
  await grow(b, 20);
  await watcher.poll();
  assert.equal(watcher.raised, ['rollback', 'fork']);
  await confirm(watcher, 'fork');
  await close();
});

test('a smaller head that is given out in between, and cannot be compared then, is kept', async () => {
  const { a, b, between, watcher, close } = await twoHistories(1000);
  await grow(a, 40);
  await grow(b, 30);
  between.slow = true;
  await watcher.poll();
  between.shown = b;
  between.held = withoutHashes;
  await watcher.poll();
  assert.equal(watcher.raised, [], 'nothing is proved yet');
  between.shown = a;
  between.held = () => false;
  for (let i = 0; i < 3; i++) await watcher.poll();
  assert.equal(watcher.raised, ['fork']);
  await close();
});

for (const places of ['free', 'taken'] as const)
  test(`a head that cannot be compared with the next one is not forgotten: places to keep it are ${places}`, async () => {
    const { a, b, between, watcher, close } = await twoHistories(1000);
    await grow(a, 30);
    await grow(b, 40);
    between.slow = true;
    await watcher.poll();
    if (places === 'taken')
      for (let i = 0; i < 64; i++) await watcher.monitor.logs[0].consider(inventedHead(900 + i, i), 'a visitor');
    between.shown = b;
    between.held = withoutHashes;
    await watcher.poll();
    await watcher.poll();
    assert.equal(watcher.raised, []);
    const heads = (role: 'served' | 'shown') => watcher.monitor.store.heads(ORIGIN, role).map(({ size }) => size);
    assert.equal(heads('served'), [places === 'free' ? 1041 : 1031], 'what is neither compared nor kept is not replaced');
    assert.is(heads('shown').includes(1031), places === 'free');
    between.held = () => false;
    for (let i = 0; i < 3; i++) await watcher.poll();
    assert.equal(watcher.raised.slice(0, 1), ['fork']);
    await confirm(watcher, 'fork');
    await close();
  });

test('after a fork the entries of the other history are judged, also where those of the first one were before a kill', async () => {
  const { a, b, between, watcher, close } = await twoHistories(300);
  await grow(a, 800);
  await insert(b, await intruder(b));
  await grow(b, 820);
  between.slow = true;
  await watcher.poll();
  assert.is(watcher.monitor.store.standing(ORIGIN, 0).judged, 768);
  watcher.kill();
  watcher.start();
  between.shown = b;
  for (let i = 0; i < 3; i++) await watcher.poll();
  assert.equal(watcher.raised, ['fork', 'unauthorised 301']);
  await close();
});

test('a head that is shown, and that the log keeps from being compared, is an alarm in time', async () => {
  const { world, a, b, between, watcher, show, close } = await twoHistories(300, { audit: false });
  await grow(a, 400);
  await grow(b, 199);
  await watcher.poll();
  assert.is(watcher.monitor.logs[0].status().size, 701);
  // Following a log needs the right edge only: the one tile that tells the histories apart is not missed there.
  between.held = (path) => path === '/tile/0/001';
  assert.is((await show(publishedBy(b))).status, 202);
  for (let i = 0; i < 4; i++) {
    world.advance(600);
    await grow(a, 1);
    await watcher.poll();
    assert.equal(watcher.raised, i < 3 ? [] : ['stale compare'], `${i}`);
  }
  assert.is(watcher.monitor.logs[0].status().size, 705, 'the log is followed');
  const { claims } = await confirm(watcher, 'stale');
  assert.match(claims.map(({ text }) => text).join('\n'), 'did not give out what its head of 500 entries contains');
  between.held = () => false;
  await watcher.poll();
  assert.equal([watcher.raised, watcher.cleared], [['stale compare', 'fork'], ['stale compare']]);
  await close();
});

test('a head that cannot be compared now and then is no alarm', async () => {
  const { world, a, between, watcher, show, close } = await twoHistories(300, { audit: false });
  await grow(a, 150);
  const older = publishedBy(a);
  await grow(a, 250);
  await watcher.poll();
  for (let i = 0; i < 4; i++) {
    between.held = (path) => path === '/tile/0/001';
    await show(i === 0 ? older : inventedHead(2 ** 40 + i, i));
    world.advance(1500);
    await grow(a, 1);
    await watcher.poll();
    between.held = () => false;
    await watcher.poll();
  }
  assert.equal(watcher.raised, []);
  await close();
});

test('heads that are shown again ask the log for nothing, and only so many wait', async () => {
  const { a, between, watcher, show, close } = await twoHistories(300, { audit: false });
  const older: Uint8Array[] = [];
  for (let i = 0; i < 80; i++) {
    await grow(a, 1);
    older.push(publishedBy(a));
  }
  await watcher.poll();
  const answers = await Promise.all(older.map(show));
  const refused = answers.filter(({ status }) => status === 503);
  assert.ok(refused.length > 0 && refused.length < 20, `${refused.length} of 80`);
  assert.ok(refused.every(({ headers }) => headers.get('retry-after') !== null));
  assert.ok(answers.filter(({ status }) => status === 200).length === 80 - refused.length);
  const again = () => Promise.all(older.map((note) => watcher.monitor.logs[0].consider(note, 'a visitor')));
  await again();
  assert.ok(between.tiles <= 12, `${between.tiles} tiles for 160 heads`);
  const before = between.tiles;
  assert.ok((await again()).every((shown) => shown === 'known'));
  assert.is(between.tiles, before);
  await close();
});

test('a log that drips entries is an alarm, and one that is large is not', async () => {
  const { world, a, between, watcher, close } = await twoHistories(2600, { staleAfter: 300 });
  await a.publish();
  between.slow = true;
  for (let i = 0; i < 4; i++) {
    world.advance(400);
    await grow(a, 1);
    await watcher.poll();
  }
  assert.equal(watcher.raised, [], 'it is read as fast as this monitor reads');
  between.slow = false;
  await watcher.poll();
  assert.is(watcher.monitor.logs[0].status().audited, 2605);
  await a.grow(1500);
  let bundles = 0;
  between.held = (path) => path.includes('entries') && bundles-- <= 0;
  for (let i = 0; i < 5; i++) {
    bundles = 1;
    await grow(a, 20);
    await watcher.poll(290);
    assert.is(watcher.raised.length, 0, 'as long as it may');
  }
  bundles = 1;
  await grow(a, 20);
  await watcher.poll(290);
  assert.equal(watcher.raised, ['stale entries']);
  await confirm(watcher, 'stale');
  between.held = () => false;
  await watcher.poll();
  assert.equal(watcher.cleared, ['stale entries']);
  await close();
});

test('where there is no place to keep the head of a peer, the peer is asked what it contains', async () => {
  const { world, a, b, watcher, close } = await twoHistories(5, { peers: ['o.world'] });
  await grow(a, 4);
  await grow(b, 100);
  await watcher.poll();
  for (let i = 0; i < 64; i++) await watcher.monitor.logs[0].consider(inventedHead(11 + i, i), 'a visitor');
  const other = new SimulatedMonitor(world, 'o.world', { at: 'b.world' }).start();
  await other.poll();
  await watcher.poll();
  assert.not.ok(
    watcher.monitor.store.heads(ORIGIN, 'shown').some(({ size }) => size === 106),
    'it was not kept',
  );
  assert.equal(watcher.raised, ['fork']);
  await confirm(watcher, 'fork');
  await other.stop();
  await close();
});

test.run();
