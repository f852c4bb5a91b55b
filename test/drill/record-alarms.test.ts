import { timeText } from '@treering/evidence';
import { STARTING_POLICY } from '@treering/log';
import { nodeHasher } from '@treering/merkle/node';
import { type ChangeRecord, configDigest, type RecordOf, stateDigest } from '@treering/record';
import { encodeCbor } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { incident, ORIGIN, seedOf } from './simulation.js';
import { confirm, holdsForStrangers, worldWith } from './watched-world.js';

// Alarms about what was recorded, in a log that keeps its promises: raised and cleared by what records say and what time brings.

const DAY = 86_400_000;

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
