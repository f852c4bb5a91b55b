import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { reportOutcome } from '../fault/results.js';
import { faultSize, forSize } from '../fault/size.js';
import { cborComparison } from './differential/cbor.js';
import type { Comparison } from './differential/comparison.js';
import { noteComparison } from './differential/notes.js';
import { proofComparison } from './differential/proofs.js';
import { signatureComparison } from './differential/signatures.js';
import { pathComparison } from './differential/tile-paths.js';
import { Random } from './random.js';
import { fuzzSeed } from './seed.js';

// What the product reads and verifies, and what an independent implementation makes of the same input.

/** Each comparison, and its inputs in `npm test`. */
const COMPARISONS: readonly (readonly [Comparison, number])[] = [
  [cborComparison, 3000],
  [noteComparison, 3000],
  [proofComparison, 2000],
  [pathComparison, 5000],
  [signatureComparison, 150],
];
/** Milliseconds of each in larger sizes. */
const [FULL, SOAK] = [12_000, 600_000];

const seed = fuzzSeed();
console.log(`differential: TREERING_FUZZ_SEED=${seed}`);
const milliseconds = forSize({ quick: 0, full: FULL, soak: SOAK });

for (const [i, [comparison, quick]] of COMPARISONS.entries()) {
  test(`${comparison.name}: both say the same`, async () => {
    const random = new Random(seed + i);
    const end = performance.now() + milliseconds;
    let [runs, accepted] = [0, 0];
    for (; faultSize() === 'quick' ? runs < quick : performance.now() < end; runs++)
      if ((await comparison.compare(random)) === 'accepted') accepted++;
    assert.ok(accepted > runs / 20 && accepted < runs * 0.95, `${accepted} of ${runs} are accepted`);
    const { name, scenario } = comparison;
    reportOutcome({
      name,
      group: 'input',
      scenario,
      runs,
      unit: 'inputs',
      also: `${accepted} accepted by both, no difference`,
    });
  });
}

test.run();
