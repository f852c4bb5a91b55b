import * as sequencer from '@treering/sequencer';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Choices, type Explored, explore } from './model/choices.js';
import { LogWorld, type WorldOptions } from './model/log-world.js';
import { loadMutant, type Mutation } from './model/mutant.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

// The sequencer and the publisher as they are, on a disk, an anchor and two witnesses that may fail or die at every step, with what they
// did done or not done. Every run with so many faults is run; after every step the two sentences are checked: no acknowledged entry
// is lost, and no second history is let out.

const SCRIPT = [['submit a'], ['submit b', 'publish'], ['publish']];
const FAULTS = forSize({ quick: 2, full: 3, soak: 4 });

async function exploreWorlds(options: WorldOptions, faults: number): Promise<Explored & { readonly states: number }> {
  const states = new Set<string>();
  const explored = await explore(async (choices: Choices) => {
    const world = new LogWorld(choices, options);
    await world.run().finally(() => {
      for (const state of world.states) states.add(state);
    });
  }, faults);
  return { ...explored, states: states.size };
}

test(`in every run with at most ${FAULTS} faults nothing acknowledged is lost and no second history is let out`, async () => {
  const { runs, failures, states } = await exploreWorlds({ parts: sequencer, script: SCRIPT }, FAULTS);
  assert.is(failures.length, 0, failures.join('\n'));
  assert.ok(runs > 2000, `only ${runs} runs`);
  reportOutcome({
    name: 'commit-protocol',
    group: 'log',
    scenario: `model: every run of sequencer, store, anchor, publisher and two witnesses with at most ${FAULTS} faults`,
    runs,
    unit: 'runs',
    also: `${states} different states; each deliberately wrong step is found`,
  });
});

/** A step that is deliberately left out, swapped or not waited for, and what the explorer must say. */
interface Wrong extends Mutation {
  readonly what: string;
  readonly found: RegExp;
  readonly script?: typeof SCRIPT;
  readonly faults?: number;
}

const MUTATIONS: readonly Wrong[] = [
  {
    what: 'submitters are answered before the commit is durable',
    file: 'sequencer.ts',
    from: 'await storage.commit({ entries: staged.entries, tiles, head: next }, before);',
    to: 'storage.commit({ entries: staged.entries, tiles, head: next }, before).catch(() => undefined);',
    found: /^lost|^two histories/,
  },
  {
    what: 'the anchor is not written after a commit',
    file: 'sequencer.ts',
    from: 'await this.anchor.write(next.note, false)',
    to: 'await Promise.resolve()',
    found: /^the log does not start: .*the head anchor is missing/,
  },
  {
    what: 'submitters are answered though the anchor could not be written',
    file: 'sequencer.ts',
    from: 'if (behind !== undefined) {',
    to: 'if (behind !== undefined) this.#stale = behind;\n    if (Number.isNaN(0)) {',
    found: /^lost|^two histories/,
    script: [['submit a']],
    faults: 3,
  },
  {
    what: 'a publication may set the anchor back',
    file: 'anchor.ts',
    from: 'size >= this.#largest.size',
    to: 'size >= 0n',
    found: /^lost|^two histories/,
    script: [['submit a'], ['submit b', 'publish']],
    faults: 3,
  },
  {
    what: 'a start does not compare the store with the anchor',
    file: 'recover.ts',
    from: "await checkPrefix(storage, head.size, known, hasher, 'the head anchor', 'sequencer/rolled-back');\n    // An anchor",
    to: '// An anchor',
    found: /^lost|^two histories/,
  },
  {
    what: 'a checkpoint is published without its quorum',
    file: 'publisher.ts',
    from: 'requireQuorum(policy, opened.cosignatures);',
    to: '',
    found: /^a checkpoint without its quorum/,
  },
];

for (const { what, found, faults = 2, script = [['submit a'], ['submit b']], ...mutation } of MUTATIONS)
  test(`it is found when ${what}`, async () => {
    const { parts, remove } = await loadMutant(mutation);
    try {
      const { failures } = await exploreWorlds({ parts, script }, faults);
      assert.ok(failures.length > 0, 'no run fails');
      assert.ok(found.test(failures[0]), failures[0]);
    } finally {
      remove();
    }
  });

test('it is found when a witness answers before it remembers', async () => {
  const { failures } = await exploreWorlds({ parts: sequencer, script: SCRIPT, witnessSteps: ['answer', 'remember'] }, 1);
  assert.ok(/would not know it after a crash/.test(failures[0]), failures[0]);
});

test.run();
