import { holds, signAlarmProof, verifyAlarmProof } from '@treering/evidence';
import { nodeMeans } from '@treering/foreign/node';
import { formatNote, parseNote, type TrustPolicy } from '@treering/note';
import type { ChangeRecord } from '@treering/record';
import { createStatementSigner } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ADMIN,
  incident,
  LOG_SIGNERS,
  policyOf,
  SimulatedLog,
  SimulatedMonitor,
  SimulatedWitness,
  seedOf,
  World,
} from './simulation.js';
import { insert, intruder, inventedHead } from './watched-world.js';

// A log that wants to keep its monitor from seeing, from deciding or from saying what it saw.

const LOGS: TrustPolicy = { logs: LOG_SIGNERS.map(({ key }) => ({ key })), witnesses: [], groups: [], quorum: 'none' };

async function watchedLog(entries = 3) {
  const world = new World();
  const log = await new SimulatedLog(world, 'log.world').start();
  await log.grow(entries);
  await log.publish();
  const watcher = new SimulatedMonitor(world, 'm.world', { at: 'log.world' }).start();
  return { world, log, watcher };
}

const mismatch = (subject = 'deploy/prod/x'): ChangeRecord =>
  ({
    v: 1,
    type: 'verification',
    subject,
    reason: 'Something else runs there.',
    deployment: new Uint8Array(32).fill(1),
    observed: new Uint8Array(32).fill(2),
    verdict: 'mismatch',
  }) as ChangeRecord;

async function isProved(watcher: SimulatedMonitor, kind: string): Promise<boolean> {
  const trust = { policy: LOGS, observers: [watcher.signer.key], means: nodeMeans };
  const { claims, required } = await verifyAlarmProof(watcher.proof(kind), trust);
  return holds(claims, required);
}

const answer = (bytes: Uint8Array): Promise<Response> => Promise.resolve(new Response(bytes as Uint8Array<ArrayBuffer>));
const refuse = (status = 503): Promise<Response> => Promise.resolve(new Response('', { status }));

test('an alarm does not wait for its proof, and nobody is accused when the log stops answering in the middle', async () => {
  const { world, log, watcher } = await watchedLog();
  await watcher.poll();
  await log.grow(3);
  await insert(log, await intruder(log));
  await log.grow(2);
  await log.publish();
  const size = log.log.sequencer.head?.size ?? 0;
  let bundles = 0;
  world.interference.set('m.world', ({ url }) => {
    if (!url.includes('/tile/entries/')) return undefined;
    return ++bundles > 1 ? refuse() : undefined;
  });
  await watcher.poll();
  assert.equal(watcher.raised, [`unauthorised ${size - 3}`]);
  assert.throws(() => watcher.proof('unauthorised'), /no alarm of the kind/, 'its proof needs what the log withholds');
  assert.is((await world.fetchFrom('x')('http://m.world/v1/alarms/1/proof')).status, 503);
  watcher.kill();
  watcher.start();
  await watcher.poll();
  world.interference.delete('m.world');
  await watcher.poll();
  await log.grow(2);
  await log.publish();
  await watcher.poll();
  assert.equal(watcher.raised, [`unauthorised ${size - 3}`], 'once');
  assert.ok(await isProved(watcher, 'unauthorised'));
  assert.is(watcher.monitor.logs[0].status().audited, log.log.sequencer.head?.size);
  world.close();
});

test('a request that fails makes no entry judged twice', async () => {
  const { world, log, watcher } = await watchedLog();
  await watcher.poll();
  await log.grow(600);
  await log.submit(mismatch());
  await log.grow(300);
  await log.publish();
  let failed = 0;
  world.interference.set('m.world', ({ url }) =>
    url.includes('/tile/entries/003') && failed++ === 0 ? refuse(502) : undefined,
  );
  for (let i = 0; i < 3; i++) await watcher.poll();
  assert.ok(failed > 1);
  assert.equal(watcher.raised, ['mismatch deploy/prod/x']);
  assert.ok(await isProved(watcher, 'mismatch'));
  assert.is(watcher.monitor.logs[0].status().audited, log.log.sequencer.head?.size);
  world.close();
});

test('an alarm that was cleared or closed is not raised again by a restart without warning', async () => {
  const { world, log, watcher } = await watchedLog(1);
  await watcher.poll();
  await log.submit(mismatch());
  await insert(log, await intruder(log));
  await log.publish();
  await watcher.poll();
  await log.submit({ ...mismatch(), verdict: 'match' } as ChangeRecord);
  await log.publish();
  await watcher.poll();
  const open = watcher.monitor.store.openAlarms();
  assert.equal(
    open.map(({ kind }) => kind),
    ['unauthorised'],
  );
  watcher.monitor.store.clear(open[0].id, 1, []);
  const before = watcher.raised.length;
  for (let i = 0; i < 3; i++) {
    watcher.kill();
    watcher.start();
    await watcher.poll();
  }
  assert.is(watcher.raised.length, before);
  assert.equal(watcher.monitor.store.openAlarms(), []);
  world.close();
});

test('rollback is seen by a monitor that is started anew for every look', async () => {
  const { world, log, watcher } = await watchedLog(10);
  const old = log.log.publisher.published?.note as Uint8Array;
  await watcher.poll();
  await log.grow(10);
  world.advance(10);
  await log.publish();
  await watcher.poll();
  world.interference.set('m.world', ({ url }) => (url.endsWith('/checkpoint') ? answer(old) : undefined));
  for (let i = 0; i < 3; i++) {
    await watcher.stop();
    watcher.start();
    await watcher.poll();
  }
  assert.equal(watcher.raised, ['rollback']);
  world.close();
});

test('a head that is dated ahead does not stay fresh', async () => {
  const { world, log, watcher } = await watchedLog();
  const { text } = parseNote(log.log.publisher.published?.note as Uint8Array);
  const ahead = BigInt(Math.floor(world.now / 1000) + 10 * 365 * 86_400);
  const note = formatNote({ text, signatures: [LOG_SIGNERS[0].sign(text), LOG_SIGNERS[1].sign(text, ahead)] });
  world.interference.set('m.world', ({ url }) => (url.endsWith('/checkpoint') ? answer(note) : undefined));
  await watcher.poll();
  await watcher.poll(1801);
  assert.equal(watcher.raised, ['stale old']);
  world.close();
});

test('entries that are withheld below fresh heads are an alarm, and so is a log that was never there', async () => {
  const { world, log, watcher } = await watchedLog();
  await watcher.poll();
  await log.grow(1);
  await log.publish();
  const { text } = parseNote(log.log.publisher.published?.note as Uint8Array);
  world.interference.set('m.world', ({ url }) => {
    if (url.includes('/tile/entries/')) return refuse();
    if (!url.endsWith('/checkpoint')) return undefined;
    const now = BigInt(Math.floor(world.now / 1000));
    return answer(formatNote({ text, signatures: [LOG_SIGNERS[0].sign(text), LOG_SIGNERS[1].sign(text, now)] }));
  });
  for (let i = 0; i < 5; i++) await watcher.poll(600);
  assert.equal(watcher.raised, ['stale entries']);
  assert.ok(await isProved(watcher, 'stale'));
  world.interference.delete('m.world');
  await log.publish();
  await watcher.poll();
  assert.equal(watcher.cleared, ['stale entries']);
  world.close();

  const empty = new World();
  const waiting = new SimulatedMonitor(empty, 'm.world', { at: 'log.world' }).start();
  await waiting.poll();
  await waiting.poll(1801);
  assert.equal(waiting.raised, ['stale old']);
  assert.ok(await isProved(waiting, 'stale'));
  empty.close();
});

test('two heads of one size prove themselves, whoever shows them, and no tile has to be read', async () => {
  const { world, watcher } = await watchedLog();
  await watcher.poll();
  const body = inventedHead(1000, 1) as Uint8Array<ArrayBuffer>;
  assert.is((await world.fetchFrom('x')('http://m.world/gossip/checkpoint', { method: 'POST', body })).status, 202);
  world.interference.set('m.world', ({ url }) => (url.endsWith('/checkpoint') ? answer(inventedHead(1000, 2)) : refuse()));
  await watcher.poll();
  assert.equal(watcher.raised, ['fork']);
  assert.ok(await isProved(watcher, 'fork'));
  world.close();
});

test('a log cannot fill the places for heads and then hide one that its witnesses cosigned', async () => {
  const world = new World();
  const circle = [0, 1, 2].map((i) => new SimulatedWitness(world, `w${i}.world`).start());
  const policyText = policyOf(
    circle.map(({ policyLine }) => policyLine),
    2,
  );
  const log = await new SimulatedLog(world, 'log.world', policyText).start();
  await log.grow(3);
  await log.publish();
  const frozen = log.log.publisher.published?.note as Uint8Array;
  const watcher = new SimulatedMonitor(world, 'm.world', { at: 'log.world', policyText }).start();
  await watcher.poll();
  for (let i = 0; i < 70; i++) await watcher.monitor.logs[0].consider(inventedHead(2 ** 40 + i, i), 'a visitor');
  await log.grow(3);
  await log.publish();
  world.interference.set('m.world', ({ url }) => (url === 'http://log.world/checkpoint' ? answer(frozen) : undefined));
  for (let i = 0; i < 4; i++) await watcher.poll();
  assert.equal(watcher.raised, ['stale hidden']);
  world.close();
});

test('a flood of alarms of one kind leaves room for the others', async () => {
  const { world, log, watcher } = await watchedLog();
  const other = await log.fork('other.world');
  await Promise.all(Array.from({ length: 1010 }, (_, i) => log.submit(mismatch(`deploy/prod/x${i}`))));
  await log.publish();
  await watcher.poll();
  assert.is(watcher.monitor.store.openAlarms().length, 1000);
  assert.is(watcher.monitor.alarms.suppressed, 10);
  await other.grow(3, 'the other side');
  await other.publish();
  const body = other.log.publisher.published?.note as Uint8Array<ArrayBuffer>;
  await world.fetchFrom('x')('http://m.world/gossip/checkpoint', { method: 'POST', body });
  assert.ok(watcher.raised.includes('fork'));
  world.close();
});

test('a date is measured by what the log says, and without that by what the monitor saw', async () => {
  const { world, log, watcher } = await watchedLog();
  const undated = (): Uint8Array => {
    const { text } = parseNote(log.log.publisher.published?.note as Uint8Array);
    return formatNote({ text, signatures: [LOG_SIGNERS[0].sign(text)] });
  };
  world.interference.set('m.world', ({ url }) => (url.endsWith('/checkpoint') ? answer(undated()) : undefined));
  await watcher.poll();
  const later = Math.floor(world.now / 1000) + 4000;
  await insert(log, (await log.statement(incident('It comes from the future.'), ADMIN, 'admin', later)).entry);
  await log.publish();
  await watcher.poll();
  assert.is(watcher.raised.length, 1);
  assert.match(watcher.raised[0], / time$/);
  assert.ok(await isProved(watcher, 'unauthorised'));
  const { claims, required } = await verifyAlarmProof(watcher.proof('unauthorised'), { policy: LOGS, means: nodeMeans });
  assert.not(holds(claims, required), 'a stranger cannot know when it was seen');
  world.close();
});

test('nobody is accused by a file that leaves out what gave a right, by a witness that lags, or by a reader without means', async () => {
  const { world, log, watcher } = await watchedLog();
  await watcher.poll();
  await insert(log, await intruder(log));
  await log.publish();
  await watcher.poll();
  const trust = { policy: LOGS, observers: [watcher.signer.key], means: nodeMeans };
  const genuine = await verifyAlarmProof(watcher.proof('unauthorised'), trust);
  assert.ok(holds(genuine.claims, genuine.required));
  const { parseAlarmProof } = await import('@treering/evidence');
  const { proof } = parseAlarmProof(watcher.proof('unauthorised'));
  assert.is(proof.kind, 'unauthorised');
  const forged = { ...proof, before: { some: [] } } as typeof proof;
  const file = await signAlarmProof(forged, { observer: 'nobody', observedAt: 1 }, createStatementSigner(seedOf('mallory')));
  const { claims, required } = await verifyAlarmProof(file, trust);
  assert.not(holds(claims, required));
  assert.is(claims.find(({ name }) => name === 'rules-complete')?.verdict, 'not proved');
  world.close();
});

test.run();
