import { ALL_TARGETS } from './all-targets.js';
import { keepInCorpus } from './corpus.js';
import { Random } from './random.js';
import { Session } from './session.js';

// Adds to the corpus, for each error code that a target answers with, the shortest of the inputs that were found for it:
// node --conditions=@treering/source --import tsx test/fuzz/distil.ts <seed> [target...]
// Only of inputs of our own, so that nothing of third parties is in the corpus.

const INPUTS = 4000;
/** Bytes. */
const LONGEST = 2048;

const [seed, ...names] = process.argv.slice(2);

for (const target of ALL_TARGETS.filter(({ name }) => names.length === 0 || names.includes(name))) {
  const shortest = new Map<string, Uint8Array>();
  const session = new Session({ ...target, foreign: [] }, new Random(Number(seed)), (bytes, { accepted, code }) => {
    const known = shortest.get(code);
    if (!accepted && bytes.length <= LONGEST && (known === undefined || bytes.length < known.length)) shortest.set(code, bytes);
  });
  await session.run({ inputs: target.slow ? INPUTS / 20 : INPUTS });
  for (const bytes of shortest.values()) keepInCorpus(target.name, bytes);
  console.log(target.name, [...shortest.keys()].join(' '));
}
process.exit(0);
