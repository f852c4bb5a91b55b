import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../fuzz/random.js';
import { policyOf, SimulatedLog, SimulatedMonitor, SimulatedWitness, World } from './simulation.js';

// An hour of honest operation, in simulated time: processes restart at random, witnesses are slow, fail or have wrong clocks, and
// answers get lost. Nothing of this is anybody's fault, so no monitor may raise an alarm.

const POLL = 10;
const SECONDS = 3600;

for (const seed of [1]) {
  test(`an honest hour raises no alarm`, async () => {
    const random = new Random(seed);
    const chance = (): number => random.next();
    const world = new World();
    const witnesses = [0, 1, 2, 3].map((i) => new SimulatedWitness(world, `w${i}.world`).start());
    const policyText = policyOf(
      witnesses.slice(0, 3).map(({ policyLine }) => policyLine),
      2,
    ).replace('group', `${witnesses[3].policyLine}\ngroup`);
    // Clocks differ, within what the rules allow.
    witnesses[1].skew = 90_000;
    witnesses[2].skew = -90_000;
    const log = await new SimulatedLog(world, 'log.world', policyText).start();
    const monitors = ['m0.world', 'm1.world'].map((host, i) =>
      new SimulatedMonitor(world, host, { at: 'log.world', policyText, peers: [`m${1 - i}.world`] }).start(),
    );
    const down = new Map<SimulatedWitness, number>();
    let slow: SimulatedWitness | undefined;
    let counts = { restarts: 0, outages: 0, unpublished: 0, lost: 0, held: 0 };
    // The network loses an answer now and then, and one witness at a time answers too slowly.
    for (const asker of ['log.world', 'm0.world', 'm1.world']) {
      world.interference.set(asker, (request, pass) => {
        const host = new URL(request.url).hostname;
        if (host === slow?.host)
          return pass().then((answer) => new Promise((resolve) => setTimeout(() => resolve(answer), 400)));
        if (chance() > 0.01) return undefined;
        counts = { ...counts, lost: counts.lost + 1 };
        return pass().then(() => Promise.reject(new TypeError('fetch failed')));
      });
    }
    for (let second = 0; second < SECONDS; second += POLL) {
      for (const [witness, until] of down) {
        if (until > second) continue;
        down.delete(witness);
        witness.start();
      }
      const witness = witnesses[Math.floor(chance() * witnesses.length)];
      if (chance() < 0.06 && !down.has(witness)) {
        counts = { ...counts, outages: counts.outages + 1 };
        witness.stop();
        down.set(witness, second + Math.floor(chance() * 300));
      }
      slow = chance() < 0.03 ? witnesses[Math.floor(chance() * witnesses.length)] : undefined;
      if (chance() < 0.04) {
        counts = { ...counts, restarts: counts.restarts + 1 };
        log.stop();
        await log.start();
      }
      // After a restart nothing is taken before enough witnesses have said what they know.
      if (chance() < 0.7)
        await log.grow(1 + Math.floor(chance() * 3)).catch((error: { code?: string }) => {
          assert.is(error.code, 'log/unwitnessed-start');
          counts = { ...counts, held: counts.held + 1 };
        });
      if (!(await log.publish())) counts = { ...counts, unpublished: counts.unpublished + 1 };
      for (const monitor of monitors) {
        if (chance() < 0.03) {
          monitor.kill();
          monitor.start();
          counts = { ...counts, restarts: counts.restarts + 1 };
        }
      }
      world.advance(POLL);
      await Promise.all(monitors.map(({ monitor }) => monitor.poll()));
    }
    assert.is(log.fatal, undefined);
    for (const monitor of monitors) {
      assert.equal(monitor.raised, [], monitor.host);
      assert.ok((monitor.monitor.logs[0].status().audited ?? 0) > 300);
    }
    for (const [what, count] of Object.entries(counts)) assert.ok(count > 0, `${what}: ${count}`);
    world.close();
  });
}

test.run();
