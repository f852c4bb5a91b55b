import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeWitness } from './fake-witness.js';
import { Load } from './load.js';
import { trustOf } from './log-child.js';
import { startNeighbourhood } from './neighbourhood.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { faultSize, forSize } from './size.js';
import { pause, until } from './until.js';

// The log is killed while its witnesses are asked: between its signature under a head and the publication of it.

const ORIGIN = 'asked.test/log';
const KILLS = forSize({ quick: 0, full: 50 });

const folder = mkdtempSync(join(tmpdir(), 'treering-asked-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
/** packages/sequencer shows the same in one process, in a quick run. */
const fullTest = faultSize() === 'quick' ? test.skip : test;

fullTest(
  `${KILLS} kills while witnesses are asked: each size is only ever shown to them with one root, and is shown again`,
  async () => {
    const random = seededRandom(11);
    const fake = await new FakeWitness('asked.test/witness').listen();
    const world = await startNeighbourhood(folder, {
      origin: ORIGIN,
      witnesses: 1,
      others: [fake],
      quorum: 2,
      log: { publish_interval: 10 },
    });
    try {
      const load = await Load.on(world.data, { origin: ORIGIN, trust: await trustOf(world.data, ORIGIN), random });
      await until('there is a checkpoint', async () => (await fetch(`${world.log.url}/checkpoint`)).ok);
      const offered = new Map<number, string>();
      let contradictions = 0;
      let newest = 0;
      let onOffer: () => void = () => undefined;
      fake.onOffer = (size, root) => {
        if ((offered.get(size) ?? root) !== root) contradictions++;
        offered.set(size, root);
        newest = size;
        onOffer();
      };
      const recovery: number[] = [];
      for (let kill = 0; kill < KILLS; kill++) {
        // It signs, asks, and never learns what was answered: sometimes at once, sometimes when another witness has cosigned.
        const killed = new Promise<void>((resolve) => {
          const after = random() < 0.5 ? 0 : random() * 40;
          setTimeout(() => {
            fake.lie = 'never answers';
            onOffer = () => void pause(after).then(() => world.log.end('SIGKILL').then(() => resolve()));
          }, 100 * random());
        });
        await load.run(world.log.url, killed);
        onOffer = () => undefined;
        const lost = newest;
        fake.lie = undefined;
        const log = await world.startLogAgain();
        recovery.push(log.startTime);
        await load.checkAfterRestart(log.url);
        await until('the head or a larger one is published', async () => {
          const { published } = (await (await fetch(`${log.url}/v1/log`)).json()) as { published: { size: number } | null };
          return (published?.size ?? 0) >= lost;
        });
      }
      const metrics = await (await fetch(`${world.witnesses[0].url}/metrics`)).text();
      assert.match(metrics, new RegExp(`treering_witness_contradictions\\{origin="${ORIGIN}"\\} 0\\n`));
      assert.is(contradictions, 0, 'two roots were shown for one size');
      for (const [size, root] of offered) {
        const known = load.promises.heads.get(size);
        assert.ok(known === undefined || known.toString('hex') === root, `another root was shown for ${size}`);
        load.promises.heads.set(size, Buffer.from(root, 'hex'));
      }
      await world.end();
      await load.promises.checkStore(world.data);
      reportOutcome({
        name: 'restart-witnessing',
        group: 'witness',
        scenario: 'SIGKILL while witnesses are asked to cosign, between the signature of a head and its publication',
        runs: KILLS,
        unit: 'kills',
        acknowledged: load.promises.acknowledged.size,
        heads: load.promises.heads.size,
        recovery,
        also: `${offered.size} different sizes were shown to witnesses, each with one root`,
      });
    } finally {
      fake.close();
      world.log.child.kill('SIGKILL');
      await Promise.all(world.witnesses.map((witness) => witness.end('SIGKILL')));
    }
  },
);

test.run();
