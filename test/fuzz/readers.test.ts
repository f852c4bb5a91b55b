import { test } from 'uvu';
import { testTargets } from './run-targets.js';
import { answerTargets } from './targets/answers.js';
import { evidenceTargets } from './targets/evidence.js';
import { foreignTargets } from './targets/foreign.js';
import { operatorTargets } from './targets/operators.js';

// What those read who verify, submit and operate: proofs, packs, answers, bundles, quotes, and files of others.

testTargets([...evidenceTargets, ...foreignTargets, ...operatorTargets, ...answerTargets], {
  name: 'fuzz-readers',
  scenario: 'mutated inputs for every parser of a client or command',
});

test.run();
