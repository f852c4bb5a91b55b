import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { reportOutcome } from '../fault/results.js';
import { faultSize, forSize } from '../fault/size.js';
import { checkAnswer } from './http/check-answer.js';
import type { Face } from './http/face.js';
import { logFace } from './http/log-face.js';
import { admissionFace, monitorFace, recorderFace } from './http/other-faces.js';
import { anyRequest } from './http/requests.js';
import { witnessFace } from './http/witness-face.js';
import { Random } from './random.js';
import { fuzzSeed } from './seed.js';

// Whatever is asked, no server fails: it answers, or refuses with a problem that has a code, and what is refused changes nothing.

/** Each server, and the requests that it gets in `npm test`. */
const FACES: readonly (readonly [() => Promise<Face>, number])[] = [
  [logFace, 700],
  [witnessFace, 400],
  [monitorFace, 300],
  [admissionFace, 400],
  [recorderFace, 400],
];
/** Requests after which a server begins anew. */
const FRESH = 300;
/** Milliseconds of each in larger sizes. */
const [FULL, SOAK] = [20_000, 600_000];

const seed = fuzzSeed();
console.log(`http: TREERING_FUZZ_SEED=${seed}`);
const milliseconds = forSize({ quick: 0, full: FULL, soak: SOAK });

for (const [i, [open, quick]] of FACES.entries()) {
  test(`${open.name}: requests of every kind are answered or refused, and none fails`, async () => {
    let face = await open();
    const random = new Random(seed + i);
    const statuses = new Map<number, number>();
    const end = performance.now() + milliseconds;
    let runs = 0;
    for (; faultSize() === 'quick' ? runs < quick : performance.now() < end; runs++) {
      // What was accepted may have changed the rules, so that hardly anything is looked at any more.
      if (runs % FRESH === FRESH - 1) {
        await face.close?.();
        face = await open();
      }
      const asked = random.oneIn(3) ? anyRequest(face, random) : await face.submission(random);
      const status = await checkAnswer(face, asked);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    await face.close?.();
    const counts = [...statuses].sort(([a], [b]) => a - b);
    assert.ok((statuses.get(200) ?? 0) > 0 && counts.some(([status]) => status >= 400), JSON.stringify(counts));
    reportOutcome({
      name: `fuzz-http-${face.name}`,
      group: 'input',
      scenario: `any requests and mutated bodies for the HTTP face of the ${face.name}`,
      runs,
      unit: 'requests',
      also: counts.map(([status, count]) => `${count} x ${status}`).join(', '),
    });
  });
}

test.run();
