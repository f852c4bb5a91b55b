import { type AlarmTrust, holds, verifyAlarmProof } from '@treering/evidence';
import { nodeMeans } from '@treering/foreign/node';
import { nodeHasher } from '@treering/merkle/node';
import { formatNote, type TrustPolicy } from '@treering/note';
import { createStatementSigner } from '@treering/statement';
import * as assert from 'uvu/assert';
import {
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

/** Trust in nothing but the log's own keys. */
export const LOGS: TrustPolicy = { logs: LOG_SIGNERS.map(({ key }) => ({ key })), witnesses: [], groups: [], quorum: 'none' };

/** The proof file of the alarm of a kind, which holds under the log's keys and the monitor's. */
export async function confirm(monitor: SimulatedMonitor, kind: string, trust: Partial<AlarmTrust> = {}) {
  const file = monitor.proof(kind);
  const report = await verifyAlarmProof(file, { policy: LOGS, observers: [monitor.signer.key], means: nodeMeans, ...trust });
  assert.is(report.kind, kind);
  assert.is(report.origin, ORIGIN);
  assert.ok(holds(report.claims, report.required), report.claims.map(({ verdict, text }) => `${verdict}: ${text}`).join('\n'));
  return { file, ...report };
}

/** Whether the file also holds for somebody who does not know the monitor. */
export async function holdsForStrangers(monitor: SimulatedMonitor, kind: string): Promise<boolean> {
  const { claims, required } = await verifyAlarmProof(monitor.proof(kind), { policy: LOGS, means: nodeMeans });
  return holds(claims, required);
}

/** A log with so many witnesses, and monitors that watch it. */
export async function worldWith(witnesses: number, quorum = witnesses) {
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

/** Puts an entry into the log past its rules. */
export async function insert(log: SimulatedLog, entry: Uint8Array): Promise<void> {
  const { admission, sequencer } = log.log;
  const admit = admission.admit.bind(admission);
  Object.assign(admission, { admit: () => () => undefined });
  await sequencer.submit({ bytes: entry, leafHash: nodeHasher.hashLeaf(entry), topic: '', candidate: undefined as never });
  Object.assign(admission, { admit });
}

/** An entry of somebody whom nobody enrolled. */
export async function intruder(log: SimulatedLog, text = 'Nobody enrolled me.'): Promise<Uint8Array> {
  return (await log.statement(incident(text), createStatementSigner(seedOf('mallory')), 'mallory')).entry;
}

/** A head of a tree that nobody has. */
export function inventedHead(size: number, fill: number): Uint8Array {
  const text = `${ORIGIN}\n${size}\n${Buffer.alloc(32, fill).toString('base64')}\n`;
  return formatNote({ text, signatures: [LOG_SIGNERS[0].sign(text)] });
}
