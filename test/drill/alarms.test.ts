import { type AlarmTrust, holds, timeText, verifyAlarmProof } from '@treering/evidence';
import { nodeMeans } from '@treering/foreign/node';
import { STARTING_POLICY } from '@treering/log';
import { nodeHasher } from '@treering/merkle/node';
import { formatNote, parsePolicy, type TrustPolicy } from '@treering/note';
import { type ChangeRecord, configDigest, type RecordOf, stateDigest } from '@treering/record';
import { createStatementSigner, encodeCbor } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ADMIN,
  incident,
  LOG_SIGNERS,
  ORIGIN,
  policyOf,
  SimulatedLog,
  SimulatedMonitor,
  SimulatedWitness,
  seedOf,
  World,
} from './simulation.js';

// Each kind of alarm about a log: raised within two polls of the moment when the monitor could first know, once, with a proof file
// that holds offline under nothing but the log's keys and, for what only a monitor can see, the monitor's.

const DAY = 86_400_000;
const LOGS: TrustPolicy = { logs: LOG_SIGNERS.map(({ key }) => ({ key })), witnesses: [], groups: [], quorum: 'none' };

async function confirm(monitor: SimulatedMonitor, kind: string, trust: Partial<AlarmTrust> = {}) {
  const file = monitor.proof(kind);
  const report = await verifyAlarmProof(file, { policy: LOGS, observers: [monitor.signer.key], means: nodeMeans, ...trust });
  assert.is(report.kind, kind);
  assert.is(report.origin, ORIGIN);
  assert.ok(holds(report.claims, report.required), report.claims.map(({ verdict, text }) => `${verdict}: ${text}`).join('\n'));
  return { file, ...report };
}

/** Whether the file also holds for somebody who does not know the monitor. */
async function holdsForStrangers(monitor: SimulatedMonitor, kind: string): Promise<boolean> {
  const { claims, required } = await verifyAlarmProof(monitor.proof(kind), { policy: LOGS, means: nodeMeans });
  return holds(claims, required);
}

async function worldWith(witnesses: number, quorum = witnesses) {
  const world = new World();
  const circle = Array.from({ length: witnesses }, (_, i) => new SimulatedWitness(world, `w${i}.world`).start());
  const policyText =
    witnesses === 0
      ? undefined
      : policyOf(
          circle.map(({ policyLine }) => policyLine),
          quorum,
        );
  const log = await new SimulatedLog(world, 'log.world', policyText).start();
  const monitor = (host: string, options: Partial<ConstructorParameters<typeof SimulatedMonitor>[2]> = {}) =>
    new SimulatedMonitor(world, host, {
      at: 'log.world',
      ...(policyText === undefined ? {} : { policyText }),
      ...options,
    }).start();
  return { world, circle, policyText, log, monitor };
}

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

test('records: mismatch and drift, and what ends them', async () => {
  const { world, log, monitor } = await worldWith(0);
  const watcher = monitor('m.world');
  const digest = new Uint8Array(32).fill(1);
  const verification = (verdict: 'match' | 'mismatch' | 'drift'): ChangeRecord => ({
    v: 1,
    type: 'verification',
    subject: 'deploy/prod/triage',
    reason: 'The routine has looked at what runs.',
    deployment: digest,
    observed: digest,
    verdict,
  });
  for (const verdict of ['mismatch', 'drift'] as const) {
    await log.submit(verification(verdict));
    await log.publish();
    await watcher.poll();
    await confirm(watcher, verdict);
    assert.ok(await holdsForStrangers(watcher, verdict));
  }
  assert.equal(watcher.raised, ['mismatch deploy/prod/triage', 'drift deploy/prod/triage']);
  await log.submit({ ...verification('match'), reason: 'Everything is as it was logged again.' });
  await log.publish();
  await watcher.poll();
  assert.equal(watcher.cleared, ['mismatch deploy/prod/triage', 'drift deploy/prod/triage']);
  world.close();
});

test('records: a deployment that was announced and came to nothing, and one that broke the glass', async () => {
  const { world, log, monitor } = await worldWith(0);
  const watcher = monitor('m.world');
  const reason = 'It is recorded for the drill.';
  const common = { v: 1, reason } as const;
  const model: ChangeRecord = {
    ...common,
    type: 'model',
    subject: 'model/drill',
    name: 'drill',
    version: '1',
    digest: seedOf('model'),
    change: 'new',
    parents: [],
    training_data: [],
  };
  const config: ChangeRecord = {
    ...common,
    type: 'config',
    subject: 'config/drill',
    name: 'drill',
    version: '1',
    files: [{ path: 'a.yaml', digest: seedOf('file') }],
  };
  const leafOf = async (record: ChangeRecord): Promise<Uint8Array> => {
    const { entry } = await log.statement(record);
    await log.log.submit(entry);
    return nodeHasher.hashLeaf(entry);
  };
  const [modelLeaf, configLeaf] = [await leafOf(model), await leafOf(config)];
  const deployment = (phase: 'intent' | 'active', more: object = {}): ChangeRecord => ({
    ...common,
    type: 'deployment',
    subject: 'deploy/prod/drill',
    environment: 'prod',
    service: 'drill',
    phase,
    model: modelLeaf,
    config: configLeaf,
    state: stateDigest(model.digest, configDigest(config)),
    approvals: [],
    ...more,
  });
  await log.submit(deployment('intent'));
  await log.publish();
  await watcher.poll();
  await watcher.poll(3500);
  assert.equal(
    watcher.raised.filter((kind) => !kind.startsWith('stale')),
    [],
  );
  await watcher.poll(200);
  assert.ok(watcher.raised.includes('undeployed deploy/prod/drill@3'));
  watcher.kill();
  watcher.start();
  await watcher.poll();
  assert.is(watcher.raised.filter((kind) => kind.startsWith('undeployed')).length, 1, 'once');
  await confirm(watcher, 'undeployed');
  assert.not(await holdsForStrangers(watcher, 'undeployed'), 'that nothing followed is what the monitor saw');
  await log.submit(deployment('active'));
  await log.publish();
  await watcher.poll();
  assert.ok(watcher.cleared.includes('undeployed deploy/prod/drill@3'));

  await log.submit({
    ...common,
    type: 'policy',
    subject: 'policy',
    policy: { ...STARTING_POLICY, limits: { break_glass: true } },
  });
  await log.submit(deployment('active', { break_glass: true }));
  await log.publish();
  await watcher.poll();
  assert.ok(watcher.raised.includes('break-glass 6'));
  await confirm(watcher, 'break-glass');
  assert.ok(await holdsForStrangers(watcher, 'break-glass'));
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

test('incidents: a report that is due soon, one that is late, and what ends both, across restarts', async () => {
  const { world, log, monitor } = await worldWith(0);
  const watcher = monitor('m.world');
  const due = world.now + 15 * DAY;
  const at = timeText(Math.floor(due / 1000));
  const record = (more: Partial<RecordOf<'incident'>> = {}): ChangeRecord => ({
    ...(incident('The model answered with the name of a patient.') as RecordOf<'incident'>),
    subject: 'incident/names',
    severity: 'low',
    due_at: due,
    ...more,
  });
  const tell = async (...records: ChangeRecord[]): Promise<void> => {
    for (const each of records) await log.submit(each);
    await log.publish();
    await watcher.poll();
  };
  const ofIncidents = (list: readonly string[]) =>
    list.filter((kind) => kind.startsWith('incident-due')).map((kind) => kind.slice('incident-due '.length));
  const state = () => [ofIncidents(watcher.raised), ofIncidents(watcher.cleared)];
  const closedBefore = { subject: 'incident/over', due_at: world.now + DAY } as const;
  await tell(record(), record(closedBefore), record({ ...closedBefore, status: 'closed' }));
  await watcher.poll(12.9 * 86_400);
  assert.equal(state(), [[], []], 'more than two days are left');

  // What it remembers, it remembers after it was stopped, and after it was killed.
  await watcher.stop();
  watcher.start();
  await log.publish();
  await watcher.poll(0.2 * 86_400);
  const soon = `incident/names@${at}`;
  assert.equal(state(), [[soon], []]);
  watcher.kill();
  watcher.start();
  await watcher.poll();
  assert.equal(state(), [[soon], []], 'once');
  const { record: proved } = await confirm(watcher, 'incident-due');
  assert.is((proved as RecordOf<'incident'>).due_at, due, 'the proof shows the date');
  assert.not(await holdsForStrangers(watcher, 'incident-due'), 'that nothing followed is what the monitor saw');
  const message = () => watcher.monitor.store.alarms().find(({ kind }) => kind === 'incident-due')?.message ?? '';
  assert.match(message(), `is due at ${at}, in 45 hours`);

  // More that is affected is no new reason.
  await tell(record({ reason: 'It was the second model as well.', affected: [seedOf('model')] }));
  assert.equal(state(), [[soon], []]);
  await watcher.poll(2 * 86_400);
  assert.equal(state(), [[soon, `${soon}-overdue`], []]);
  assert.match(message(), new RegExp(`was due at ${at}, \\d+ hours ago`));
  await confirm(watcher, 'incident-due');

  // What an older version kept knows of no incidents: the log is read again, and nothing is raised twice.
  const { store, logs } = watcher.monitor;
  for (const watched of logs) watched.save();
  const kept = store.progress(ORIGIN);
  if (kept === undefined) throw new Error('nothing was saved');
  store.setProgress(ORIGIN, { ...kept, intents: encodeCbor(new Map()) });
  watcher.kill();
  watcher.start();
  assert.is(watcher.monitor.logs[0].status().audited, 0, 'it begins again');
  await watcher.poll();
  assert.equal(state(), [[soon, `${soon}-overdue`], []]);

  await tell(record({ reason: 'It is a matter of the second day.', due_at: due + 3 * DAY }));
  const moved = `incident/names@${timeText(Math.floor((due + 3 * DAY) / 1000))}`;
  assert.equal(
    state(),
    [
      [soon, `${soon}-overdue`],
      [soon, `${soon}-overdue`],
    ],
    'the date has moved',
  );
  await watcher.poll(86_400);
  assert.equal(state()[0], [soon, `${soon}-overdue`, moved]);
  await tell(record({ reason: 'The report was made, and the cause is gone.', status: 'closed', due_at: due + 3 * DAY }));
  assert.equal(state()[1], [soon, `${soon}-overdue`, moved]);
  await watcher.poll(9 * 86_400);
  assert.equal(state()[0].length, 3, 'what is closed is over');
  world.close();
});

test('incidents: while entries are read again, what comes behind them is not forgotten', async () => {
  const { world, log, monitor } = await worldWith(0);
  const watcher = monitor('m.world');
  const record = (status: 'open' | 'closed'): ChangeRecord => ({
    ...(incident(`The incident is ${status} now.`) as RecordOf<'incident'>),
    subject: 'incident/names',
    due_at: world.now + DAY,
    status,
  });
  await log.submit(record('open'));
  await log.grow(260);
  await log.submit(record('closed'));
  await log.publish();
  await watcher.poll();
  const { store, logs } = watcher.monitor;
  for (const watched of logs) watched.save();
  const kept = store.progress(ORIGIN);
  if (kept === undefined) throw new Error('nothing was saved');
  store.setProgress(ORIGIN, { ...kept, intents: encodeCbor(new Map()) });
  watcher.kill();
  watcher.start();
  world.interference.set('m.world', (request) =>
    request.url.includes('/tile/entries/001') ? Promise.resolve(new Response('', { status: 502 })) : undefined,
  );
  await watcher.poll();
  assert.is(watcher.monitor.logs[0].status().audited, 256, 'the first ones were read, with the incident that is open in them');
  await watcher.poll(2 * 86_400);
  world.interference.delete('m.world');
  await log.publish();
  await watcher.poll();
  assert.is(watcher.monitor.logs[0].status().audited, 263);
  assert.not(
    watcher.raised.some((kind) => kind.startsWith('incident-due')),
    watcher.raised.join(),
  );
  world.close();
});

test.run();
