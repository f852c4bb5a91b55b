import { holds, verifyAlarmProof } from '@treering/evidence';
import { nodeHasher } from '@treering/merkle/node';
import { formatNote, parsePolicy } from '@treering/note';
import { createStatementSigner } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ADMIN, incident, ORIGIN, type SimulatedLog, SimulatedMonitor, seedOf } from './simulation.js';
import { confirm, holdsForStrangers, LOGS, worldWith } from './watched-world.js';

// Each kind of alarm about a log: raised within two polls of the moment when the monitor could first know, once, with a proof file
// that holds offline under nothing but the log's keys and, for what only a monitor can see, the monitor's.
test('an honest log raises nothing, however it grows, and every entry is audited', async () => {
  const { world, log, monitor } = await worldWith(3, 2);
  const watcher = monitor('m.world');
  for (let i = 0; i < 6; i++) {
    await log.grow(i * 40);
    assert.ok(await log.publish());
    await watcher.poll();
  }
  assert.equal(watcher.raised, []);
  assert.is(watcher.monitor.logs[0].status().audited, log.log.sequencer.head?.size);
  world.close();
});

test('fork: two heads of one size, seen by two monitors that speak to one another', async () => {
  const { world, log } = await worldWith(0);
  await log.grow(5);
  const other = await log.fork('other.world');
  await log.grow(3, 'one side');
  await other.grow(3, 'the other side');
  await log.publish();
  await other.publish();
  const one = new SimulatedMonitor(world, 'm1.world', { at: 'log.world' }).start();
  const two = new SimulatedMonitor(world, 'm2.world', { at: 'other.world', peers: ['m1.world'] }).start();
  await one.poll();
  await two.poll();
  await two.poll();
  assert.equal(two.raised, ['fork']);
  await two.poll();
  assert.equal(two.raised, ['fork'], 'once');
  // What it was told, the first monitor knows as well.
  await one.poll();
  assert.equal(one.raised, ['fork']);
  await confirm(one, 'fork');
  assert.ok(await holdsForStrangers(two, 'fork'));
  world.close();
});

test('fork: heads of two sizes, in both directions', async () => {
  for (const [mine, theirs] of [
    [3, 40],
    [40, 3],
  ]) {
    const { world, log } = await worldWith(0);
    await log.grow(300);
    const other = await log.fork('other.world');
    await log.grow(mine, 'one side');
    await other.grow(theirs, 'the other side');
    await log.publish();
    await other.publish();
    const one = new SimulatedMonitor(world, 'm1.world', { at: 'log.world' }).start();
    const two = new SimulatedMonitor(world, 'm2.world', { at: 'other.world', peers: ['m1.world'] }).start();
    await one.poll();
    await two.poll();
    await two.poll();
    assert.equal(two.raised, ['fork'], `${mine} and ${theirs}`);
    const { file } = await confirm(two, 'fork');
    assert.ok(await holdsForStrangers(two, 'fork'));
    // A proof without its proof is none.
    const broken = file.slice();
    broken[broken.length - 100] ^= 1;
    const report = await verifyAlarmProof(broken, { policy: LOGS, observers: [two.signer.key] }).catch(() => undefined);
    assert.ok(report === undefined || !holds(report.claims, ['observed', ...report.required]));
    world.close();
  }
});

test('fork: the log changes its history between two polls of one monitor', async () => {
  for (const audit of [true, false]) {
    const { world, log } = await worldWith(0);
    await log.grow(300);
    const other = await log.fork('elsewhere.world');
    await log.grow(7, 'one side');
    await log.publish();
    const watcher = new SimulatedMonitor(world, 'm.world', { at: 'log.world', audit }).start();
    await watcher.poll();
    await other.grow(500, 'the other side');
    await other.publish();
    world.hosts.set('log.world', world.hosts.get('elsewhere.world') as never);
    await watcher.poll();
    assert.equal(watcher.raised, ['fork'], `audit ${audit}`);
    await confirm(watcher, 'fork');
    assert.ok(await holdsForStrangers(watcher, 'fork'));
    world.close();
  }
});

test('rollback: the log gives out a smaller head than before', async () => {
  const { world, log, monitor } = await worldWith(0);
  await log.grow(10);
  await log.publish();
  const old = log.log.publisher.published;
  const watcher = monitor('m.world');
  await watcher.poll();
  await log.grow(10);
  world.advance(10);
  await log.publish();
  await watcher.poll();
  world.interference.set('m.world', (request) =>
    new URL(request.url).pathname === '/checkpoint'
      ? Promise.resolve(new Response(old?.note as Uint8Array<ArrayBuffer>))
      : undefined,
  );
  await watcher.poll();
  await watcher.poll();
  assert.equal(watcher.raised, ['rollback']);
  await watcher.poll();
  assert.equal(watcher.raised, ['rollback'], 'once');
  await confirm(watcher, 'rollback');
  assert.not(await holdsForStrangers(watcher, 'rollback'), 'the order is what the monitor saw');
  world.interference.delete('m.world');
  await watcher.poll();
  assert.equal(watcher.cleared, [], 'one head that is as it should be has not mended it');
  for (let i = 0; i < 12; i++) await watcher.poll();
  assert.equal(watcher.cleared, ['rollback']);
  world.close();
});

test('rollback: a smaller head that was signed later proves itself', async () => {
  const { world, log, monitor } = await worldWith(0);
  await log.grow(10);
  const older = await log.fork('older.world');
  await log.grow(10);
  await log.publish();
  const watcher = monitor('m.world');
  await watcher.poll();
  world.advance(60);
  await older.publish();
  world.hosts.set('log.world', world.hosts.get('older.world') as never);
  await watcher.poll();
  await watcher.poll();
  assert.equal(watcher.raised, ['rollback']);
  assert.ok(await holdsForStrangers(watcher, 'rollback'));
  world.close();
});

test('stale: a frozen head, and one that cannot be read any more', async () => {
  for (const gone of [false, true]) {
    const { world, log, monitor } = await worldWith(0);
    await log.grow(2);
    await log.publish();
    const watcher = monitor('m.world', { staleAfter: 600 });
    await watcher.poll();
    if (gone) log.stop();
    await watcher.poll(580);
    assert.equal(watcher.raised, []);
    await watcher.poll(30);
    assert.equal(watcher.raised, ['stale old']);
    await watcher.poll(30);
    assert.equal(watcher.raised, ['stale old'], 'once');
    await confirm(watcher, 'stale');
    if (gone) await log.start();
    await log.publish();
    await watcher.poll();
    assert.equal(watcher.cleared, ['stale old']);
    world.close();
  }
});

test('stale: the log hides a head that its witnesses have cosigned', async () => {
  const { world, log, monitor } = await worldWith(3, 2);
  await log.grow(3);
  await log.publish();
  const frozen = log.log.publisher.published?.note as Uint8Array<ArrayBuffer>;
  const watcher = monitor('m.world');
  await watcher.poll();
  world.interference.set('m.world', (request) =>
    request.url === 'http://log.world/checkpoint' ? Promise.resolve(new Response(frozen)) : undefined,
  );
  await log.grow(3);
  await log.publish();
  // The first poll hears of it from the witnesses, the next two see that the log does not give it out.
  await watcher.poll();
  await watcher.poll();
  await watcher.poll();
  assert.equal(watcher.raised, ['stale hidden']);
  await confirm(watcher, 'stale');
  world.interference.delete('m.world');
  await watcher.poll();
  assert.equal(watcher.cleared, [], 'one head that is as it should be has not mended it');
  for (let i = 0; i < 12; i++) await watcher.poll();
  assert.equal(watcher.cleared, ['stale hidden']);
  world.close();
});

test('unwitnessed: a head without the quorum of the policy', async () => {
  const { world, log, monitor, policyText } = await worldWith(3, 2);
  await log.grow(3);
  await log.publish();
  const watcher = monitor('m.world');
  await watcher.poll();
  log.policyText = undefined;
  await log.start();
  await log.grow(2);
  await log.publish();
  await watcher.poll();
  assert.equal(watcher.raised, ['unwitnessed']);
  await watcher.poll();
  assert.equal(watcher.raised, ['unwitnessed'], 'once');
  const { claims } = await confirm(watcher, 'unwitnessed');
  assert.match(claims.map(({ text }) => text).join('\n'), /no witness/);
  assert.ok(parsePolicy(policyText as string).witnesses.length === 3);
  world.close();
});

test('unauthorised: an entry that the rules do not admit, inserted by the operator', async () => {
  const { world, log, monitor } = await worldWith(0);
  await log.grow(4);
  const mallory = createStatementSigner(seedOf('mallory'));
  const entry = (await log.statement(incident('Nobody enrolled me for this.'), mallory, 'mallory')).entry;
  await insert(log, entry);
  await log.publish();
  const watcher = monitor('m.world');
  await watcher.poll();
  assert.equal(watcher.raised, ['unauthorised 5']);
  await log.grow(2);
  await log.publish();
  await watcher.poll();
  assert.equal(watcher.raised, ['unauthorised 5'], 'once');
  const { claims } = await confirm(watcher, 'unauthorised');
  assert.match(claims.map(({ text }) => text).join('\n'), /no identity is enrolled with this key/);
  assert.ok(await holdsForStrangers(watcher, 'unauthorised'));
  world.close();
});

test('unauthorised: an entry that is dated back', async () => {
  const { world, log, monitor } = await worldWith(0);
  await log.grow(2);
  await log.publish();
  const watcher = monitor('m.world');
  await watcher.poll();
  world.advance(3600);
  // Later than what governance itself refuses, earlier than the head that did not contain it.
  const old = Math.floor(world.now / 1000) - 3610 - 400;
  await insert(log, (await log.statement(incident('I was here before, really.'), ADMIN, 'admin', old)).entry);
  await log.publish();
  await watcher.poll();
  assert.equal(watcher.raised, ['unauthorised 3 time']);
  const { claims } = await confirm(watcher, 'unauthorised');
  assert.match(claims.map(({ text }) => text).join('\n'), /did not contain it/);
  world.close();
});

test('bad-entry: something that is no statement', async () => {
  const { world, log, monitor } = await worldWith(0);
  await log.grow(2);
  await insert(log, new TextEncoder().encode('this is no statement'));
  await log.publish();
  const watcher = monitor('m.world');
  await watcher.poll();
  assert.equal(watcher.raised, ['bad-entry 3']);
  await confirm(watcher, 'bad-entry');
  assert.ok(await holdsForStrangers(watcher, 'bad-entry'));
  world.close();
});

test('bad-entry: the log gives out other bytes than its tree contains', async () => {
  const { world, log, monitor } = await worldWith(0);
  await log.grow(20);
  await log.publish();
  const watcher = monitor('m.world');
  world.interference.set('m.world', (request, pass) => {
    if (!request.url.includes('/tile/entries/')) return undefined;
    return pass().then(async (response) => {
      const bytes = new Uint8Array(await response.arrayBuffer());
      bytes[bytes.length - 30] ^= 1;
      return new Response(bytes);
    });
  });
  await watcher.poll();
  assert.equal(watcher.raised, ['bad-entry 20']);
  await watcher.poll();
  assert.equal(watcher.raised, ['bad-entry 20'], 'once');
  await confirm(watcher, 'bad-entry');
  assert.not(await holdsForStrangers(watcher, 'bad-entry'), 'what was given out is what the monitor saw');
  world.close();
});

test('a head that the log did not sign is nobody’s: it is neither followed nor an alarm, whoever shows it', async () => {
  const { world, log, monitor } = await worldWith(0);
  await log.grow(2);
  await log.publish();
  const watcher = monitor('m.world');
  await watcher.poll();
  const note = new TextDecoder().decode(log.log.publisher.published?.note);
  const forged = [note.replace('\n3\n', '\n9\n'), note.replace(/— .*/s, '— somebody.else AAAAAAAA\n'), 'x', ''];
  const url = 'http://m.world/gossip/checkpoint';
  for (const body of forged) {
    const response = await world.fetchFrom('anybody')(url, { method: 'POST', body });
    assert.ok([400, 404, 422].includes(response.status), `${response.status}`);
  }
  const foreign = formatNote({
    text: 'other.log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n',
    signatures: [{ name: 'a', id: '00000000', signature: new Uint8Array(64) }],
  });
  assert.is((await world.fetchFrom('anybody')(url, { method: 'POST', body: foreign as never })).status, 404);
  await watcher.poll();
  assert.equal(watcher.raised, []);
  assert.is(watcher.monitor.store.heads(ORIGIN, 'shown').length, 0);
  world.close();
});
test('a monitor that is killed at any time raises the same alarms once', async () => {
  const { world, log, monitor } = await worldWith(0);
  await log.grow(4);
  const watcher = monitor('m.world');
  await watcher.poll();
  await insert(log, new TextEncoder().encode('this is no statement'));
  await log.publish();
  for (let i = 0; i < 4; i++) {
    watcher.kill();
    watcher.start();
    await watcher.poll();
    await log.grow(300);
    await log.publish();
  }
  await watcher.poll();
  assert.equal(watcher.raised, ['bad-entry 5']);
  assert.is(watcher.monitor.logs[0].status().audited, log.log.sequencer.head?.size);
  await watcher.stop();
  watcher.start();
  await watcher.poll();
  assert.equal(watcher.raised, ['bad-entry 5']);
  world.close();
});

/** Puts an entry into the store behind the back of the rules, as an operator with the log's key can. */
async function insert(log: SimulatedLog, entry: Uint8Array): Promise<void> {
  const { sequencer, admission } = log.log;
  const admit = admission.admit.bind(admission);
  admission.admit = () => () => undefined;
  await sequencer.submit({ bytes: entry, leafHash: nodeHasher.hashLeaf(entry), topic: '', candidate: undefined as never });
  admission.admit = admit;
}

test.run();
