import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Outcome, reportOutcome } from '../fault/results.js';
import { faultSize, forSize } from '../fault/size.js';
import { corpusOf } from './corpus.js';
import { keptBytes } from './examine.js';
import { Random } from './random.js';
import { fuzzSeed } from './seed.js';
import { Session, type Share } from './session.js';
import { bytesOf, type Target } from './target.js';

/*
 * Whatever bytes come, a parser answers with a value or with an error of a documented class with a stable code, in bounded time and
 * memory; and what it accepts of a format with one spelling has that spelling. In `npm test` each target gets the same number of
 * inputs; `npm run test:faults` gives each the same time, so that all of them together take some ten minutes; a soak gives each ten
 * minutes, which would be far more than the hour that a full run may take. The corpus comes first in every size.
 */
const INPUTS = 500;
/** Milliseconds of each target. */
const FULL = 5_000;
const SOAK = 600_000;
/** Bytes that all targets together may leave behind: modules that were compiled, and caches, which are bounded. */
const KEPT = 64 * 1024 * 1024;

function shareOf({ slow = false }: Target): Share {
  if (faultSize() === 'quick') return { inputs: slow ? INPUTS / 10 : INPUTS };
  return { milliseconds: forSize({ quick: 0, full: FULL, soak: SOAK }) };
}

/** Registers a test for each target, and one that says what all of them came to. */
export function testTargets(targets: readonly Target[], outcome: Pick<Outcome, 'name' | 'scenario'>): void {
  const seed = fuzzSeed();
  console.log(`${outcome.name}: TREERING_FUZZ_SEED=${seed}`);
  const done: string[] = [];
  let [inputs, ways, milliseconds] = [0, 0, 0];
  let kept = Number.NaN;
  test.before(() => {
    kept = keptBytes();
  });

  for (const [i, target] of targets.entries()) {
    test(`${target.name}: whatever comes is answered`, async () => {
      const session = new Session(target, new Random(seed + i));
      for (const accepted of target.seeds) assert.is((await session.examine(bytesOf(accepted))).code, 'accepted');
      for (const known of [...(target.foreign ?? []), ...corpusOf(target.name)]) await session.examine(known);
      const started = performance.now();
      const result = await session.run(shareOf(target));
      milliseconds += performance.now() - started;
      assert.ok(
        result.refused > result.inputs / 20,
        `${result.refused} of ${result.inputs} refused: the mutations do not reach the checks`,
      );
      inputs += result.inputs;
      ways += result.ways;
      done.push(target.name);
    });
  }

  test('all targets were examined, and left no memory behind', () => {
    assert.is(done.length, targets.length);
    const grown = keptBytes() - kept;
    assert.ok(grown < KEPT, `${grown} bytes are kept`);
    const rate = Math.round((inputs / milliseconds) * 1000);
    reportOutcome({
      ...outcome,
      group: 'input',
      runs: inputs,
      unit: 'inputs',
      also: `${targets.length} parsers, ${ways} different ways through them, ${rate} inputs a second`,
    });
  });
}
