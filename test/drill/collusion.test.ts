import { holds, verifyAlarmProof } from '@treering/evidence';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  colludingWitness,
  LOG_SIGNERS,
  policyOf,
  SimulatedLog,
  SimulatedMonitor,
  SimulatedWitness,
  World,
} from './simulation.js';

// What happens when witnesses collude with the log (docs/threat-model.md): of n witnesses, of which k must agree, c cosign
// whatever they are shown. Two clients are shown two histories.

const N = 5;
const K = 3;

async function collude(c: number) {
  const world = new World();
  const honest = Array.from({ length: N - c }, (_, i) => new SimulatedWitness(world, `honest${i}.world`).start());
  const colluding = Array.from({ length: c }, (_, i) => colludingWitness(world, `colluding${i}.world`));
  const lines = [...honest, ...colluding].map(({ policyLine }) => policyLine);
  const policyText = policyOf(lines, K);
  const log = await new SimulatedLog(world, 'log.world', policyText).start();
  await log.grow(3);
  assert.ok(await log.publish());
  // The other history is for somebody else; the log's own checks are off, as they would be for an attacker.
  const other = await copyOf(log);
  await log.grow(4, 'one side');
  assert.ok(await log.publish());
  await other.grow(9, 'the other side');
  const cosigned = await cosignElsewhere(other, policyText);
  return { world, log, other, policyText, cosigned };
}

/** A second history with the same beginning. */
async function copyOf(log: SimulatedLog): Promise<SimulatedLog> {
  const copy = new SimulatedLog(log.world, 'other.world');
  await copy.start();
  const size = log.log.sequencer.head?.size ?? 0;
  for (const entry of (await log.storage.entries(0, size)).slice(1)) await copy.log.submit(entry);
  return copy;
}

/** Publishes the other history with the cosignatures of whoever gives them. @returns whether the quorum is met */
async function cosignElsewhere(other: SimulatedLog, policyText: string): Promise<boolean> {
  const { Witnesses } = await import('../../apps/log/src/witnesses.js');
  const { parsePolicy, evaluateQuorum, openCheckpoint, formatNote, parseNote } = await import('@treering/note');
  const { nodeEd25519 } = await import('@treering/note/node');
  const policy = parsePolicy(policyText);
  await other.publish();
  const published = other.log.publisher.published;
  assert.ok(published !== null);
  const witnesses = new Witnesses({
    policy,
    timeout: 3000,
    grace: 20,
    fetch: other.world.fetchFrom('other.world'),
    origin: other.log.origin,
    sequencer: {
      head: null,
      proveConsistency: (a, b) => other.log.sequencer.proveConsistency(a, b),
      confront: async () => ({ size: 0 }),
      contains: async () => true,
    },
    ed25519: nodeEd25519,
    clock: () => other.world.now,
  });
  const lines = await witnesses.cosign(published.note, null);
  const { text, signatures } = parseNote(published.note);
  const note = formatNote({ text, signatures: [...signatures, ...lines] });
  // This is what the other client is shown.
  const host = other.world.hosts.get('other.world');
  other.world.hosts.set('other.world', (request) =>
    new URL(request.url).pathname === '/checkpoint'
      ? new Response(note as Uint8Array<ArrayBuffer>)
      : (host?.(request) as Response),
  );
  const opened = openCheckpoint(
    note,
    {
      origin: other.log.origin,
      logKeys: LOG_SIGNERS.map(({ key }) => key),
      witnessKeys: policy.witnesses.map(({ key }) => key),
    },
    nodeEd25519,
  );
  return evaluateQuorum(policy, opened.cosignatures).met;
}

async function requireProof(monitor: SimulatedMonitor): Promise<void> {
  const policy = { logs: LOG_SIGNERS.map(({ key }) => ({ key })), witnesses: [], groups: [], quorum: 'none' };
  const { claims, required } = await verifyAlarmProof(monitor.proof('fork'), { policy });
  assert.ok(holds(claims, required));
}

test('fewer colluding witnesses than 2k - n: no second history gets a quorum', async () => {
  // Each history needs k of n; honest witnesses cosign one of them only, so both together need 2k - n witnesses who lie.
  for (let c = 0; c < 2 * K - N; c++) {
    const { world, cosigned } = await collude(c);
    assert.is(cosigned, false, `${c} of ${N}`);
    world.close();
  }
});

test('k colluding witnesses: the other client is deceived, and a monitor that asks all n witnesses detects it', async () => {
  for (const c of [K, N - 1]) {
    const { world, cosigned, policyText } = await collude(c);
    assert.is(cosigned, true, `${c} colluding witnesses are a quorum`);
    // It sees the log as the deceived client does, and asks every witness what it has cosigned.
    const deceived = new SimulatedMonitor(world, 'm.world', { at: 'other.world', policyText }).start();
    await deceived.poll();
    await deceived.poll();
    // An honest witness shows a head of the other history.
    assert.equal(deceived.raised, ['fork'], `${c} of ${N}`);
    await requireProof(deceived);
    // And so does one that sees the log as everybody else, because the colluding witnesses show what they cosigned.
    const other = new SimulatedMonitor(world, 'n.world', { at: 'log.world', policyText }).start();
    await other.poll();
    await other.poll();
    await other.poll();
    assert.ok(other.raised.length > 0, `the others see ${other.raised}`);
    world.close();
  }
});

test('all n colluding: only monitors that speak to one another detect it', async () => {
  const { world, cosigned, policyText } = await collude(N);
  assert.is(cosigned, true);
  const one = new SimulatedMonitor(world, 'm1.world', { at: 'log.world', policyText }).start();
  const two = new SimulatedMonitor(world, 'm2.world', { at: 'other.world', policyText, peers: ['m1.world'] }).start();
  await one.poll();
  await two.poll();
  await two.poll();
  assert.ok(two.raised.includes('fork'));
  await requireProof(two);
  world.close();
});

test.run();
