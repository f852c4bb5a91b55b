import type { ChangeRecord } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { incident, ORIGIN, SimulatedLog, SimulatedMonitor, World } from '../../../test/drill/simulation.js';

/** The report on it is due in thirty days. */
function dated(world: World, name: string, more: object = {}): ChangeRecord {
  const due = { subject: `incident/${name}`, due_at: world.now + 30 * 86_400_000 };
  return { ...incident('Something was seen.'), ...due, ...more } as ChangeRecord;
}

test('a batch that cannot be stored leaves what is remembered as it was, and is taken in whole afterwards', async () => {
  const world = new World();
  const log = await new SimulatedLog(world, 'log.world').start();
  const watcher = new SimulatedMonitor(world, 'm.world', { at: 'log.world' }).start();
  for (const name of ['a', 'b', 'c']) await log.submit(dated(world, name));
  await log.publish();
  await watcher.poll(28.5 * 86_400);
  const { store, logs } = watcher.monitor;
  const remembered = (of = store): string => Buffer.from(of.progress(ORIGIN)?.intents ?? []).toString('hex');
  logs[0].save();
  const before = remembered();
  const alarmsOfB = (list: readonly string[]): number =>
    list.filter((text) => text.startsWith('incident-due incident/b@')).length;
  assert.is(alarmsOfB(watcher.raised), 1);
  assert.ok(before.includes(Buffer.from('incident/b').toString('hex')));

  await log.submit(dated(world, 'b', { status: 'closed' }));
  await log.submit(dated(world, 'd'));
  await log.publish();
  const addNodes = store.addNodes;
  store.addNodes = () => {
    throw new Error('the disk is full');
  };
  await watcher.poll().catch(({ message }: Error) => assert.match(message, 'the disk is full'));
  store.addNodes = addNodes;
  assert.is(logs[0].status().audited, 4, 'nothing counts of what was not stored');
  logs[0].save();
  assert.is(remembered(), before);
  assert.is(alarmsOfB(watcher.cleared), 0);

  await watcher.poll();
  // Only who still remembers when the report was due knows which alarm is over.
  assert.is(alarmsOfB(watcher.cleared), 1);
  logs[0].save();
  const fresh = new SimulatedMonitor(world, 'n.world', { at: 'log.world' }).start();
  await fresh.poll();
  fresh.monitor.logs[0].save();
  assert.is(remembered(), remembered(fresh.monitor.store), 'as if nothing had failed');
  assert.ok(!remembered().includes(Buffer.from('incident/b').toString('hex')));
  assert.ok(remembered().includes(Buffer.from('incident/d').toString('hex')));

  // What is restored is what was saved, to the bit.
  const saved = remembered();
  await watcher.stop();
  watcher.start();
  await log.submit(dated(world, 'e'));
  await log.submit(dated(world, 'e', { status: 'closed' }));
  await log.publish();
  await watcher.poll();
  watcher.monitor.logs[0].save();
  assert.is(remembered(watcher.monitor.store), saved);
  await watcher.stop();
  await fresh.stop();
  world.close();
});

test.run();
