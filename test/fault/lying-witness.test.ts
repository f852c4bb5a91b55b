import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeUtf8, openCheckpoint, parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeWitness, LIES, type Lie } from './fake-witness.js';
import { Load } from './load.js';
import { trustOf } from './log-child.js';
import { type Neighbourhood, startNeighbourhood } from './neighbourhood.js';
import { residentBytes } from './process-figures.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';
import { until } from './until.js';

// One of three witnesses lies over HTTP, and two must agree. test/drill has the same without sockets, and what a witness says of other histories.

const ORIGIN = 'liar.test/log';
/** Publications under each lie. */
const ROUNDS = forSize({ quick: 1, full: 25 });
/** All lies, but for a quick run in which a few have to do. */
const TOLD = (Object.keys(LIES) as Lie[]).filter((_, i) => i % forSize({ quick: 4, full: 1, soak: 1 }) === 0);
const WITNESS_TIMEOUT = 500;
/** Bytes of resident memory by which the log may grow in all of it. */
const MOST_GROWTH = 200 * 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'treering-liar-'));
const liar = await new FakeWitness('liar.test/witness').listen();
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

test('a witness that lies over HTTP neither counts nor delays nor fills the memory, and counts again when it is honest', async () => {
  const world = await startNeighbourhood(folder, {
    origin: ORIGIN,
    witnesses: 2,
    others: [liar],
    quorum: 2,
    log: { witness_timeout: WITNESS_TIMEOUT, publish_interval: 20 },
  });
  try {
    const trust = await trustOf(world.data, ORIGIN);
    const load = await Load.on(world.data, { origin: ORIGIN, trust, random: seededRandom(1) });
    const witnessKeys = [liar, ...world.witnesses].map(({ vkeys }) => parseVerifierKey(vkeys[0]));
    /** Who cosigned what is published now; every line of a known key is verified. */
    const cosigners = async (): Promise<string[]> => {
      const note = await (await fetch(`${world.log.url}/checkpoint`)).text();
      load.promises.head(note);
      const { cosignatures } = openCheckpoint(encodeUtf8(note), { ...trust, witnessKeys }, nodeEd25519);
      return cosignatures.map(({ name }) => name);
    };
    const isBelieved = async (): Promise<boolean> => (await cosigners()).includes(liar.signer.key.name);
    const publish = async (): Promise<number> => {
      await load.submit(world.log.url, 1);
      return untilPublished(world, load.promises.largest);
    };
    await publish();
    await until('all three cosign', isBelieved);
    const before = residentBytes(world.log.pid);
    const [delays, recovery]: [number[], number[]] = [[], []];
    for (const lie of TOLD) {
      liar.lie = lie;
      // What was under way when it began to lie may still be honest.
      await publish();
      for (let i = 0; i < ROUNDS; i++) {
        delays.push(await publish());
        assert.equal((await cosigners()).sort(), [`w1.${ORIGIN}`, `w2.${ORIGIN}`], `it ${lie}`);
      }
      liar.lie = undefined;
      recovery.push(await until(`it is believed again after it ${lie}`, async () => (await publish()) >= 0 && isBelieved()));
      const growth = residentBytes(world.log.pid) - before;
      assert.ok(growth < MOST_GROWTH, `after it ${lie} the log has taken ${growth >> 20} MiB more`);
    }
    assert.is(liar.elsewhere, 0, 'nobody went where it sent them');
    const growth = residentBytes(world.log.pid) - before;
    await world.end();
    await load.promises.checkStore(world.data);
    delays.sort((a, b) => a - b);
    reportOutcome({
      name: 'lying-witness',
      group: 'witness',
      scenario: `One of three witnesses lies over HTTP in ${TOLD.length} ways, two must agree`,
      runs: delays.length,
      unit: 'publications',
      acknowledged: load.promises.acknowledged.size,
      heads: load.promises.heads.size,
      recovery,
      also: `published after ${Math.round(delays[delays.length >> 1])} ms in the median and ${Math.round(delays[delays.length - 1])} ms at most; memory grew by ${Math.max(0, growth >> 20)} MiB`,
    });
  } finally {
    liar.close();
    world.log.child.kill('SIGKILL');
    await Promise.all(world.witnesses.map((witness) => witness.end('SIGKILL')));
  }
});

/** @returns milliseconds */
function untilPublished({ log }: Neighbourhood, size: number): Promise<number> {
  return until(`${size} entries are published`, async () => {
    const { published } = (await (await fetch(`${log.url}/v1/log`)).json()) as { published: { size: number } | null };
    return (published?.size ?? 0) >= size;
  });
}

test.run();
