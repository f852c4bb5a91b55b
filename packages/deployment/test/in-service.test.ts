import type { RecordOf } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { countingRecords, type DeploymentEntry, inService } from '../src/index.js';

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

/** Phase, state, and the index of what an end names. */
type Step = readonly [RecordOf<'deployment'>['phase'], number, number?];

/** Deployment records in a row. */
function history(steps: readonly Step[]): DeploymentEntry[] {
  return steps.map(([phase, state, ended], index) => ({
    index,
    leaf: bytes(100 + index),
    record: {
      v: 1,
      type: 'deployment',
      subject: 'deploy/prod/triage',
      reason: 'A step in the life of a service.',
      phase,
      environment: 'prod',
      service: 'triage',
      model: bytes(1),
      config: bytes(2),
      state: bytes(state),
      approvals: [],
      ...(ended === undefined ? {} : { refs: [{ rel: 'ends', leaf: bytes(100 + ended) }] }),
    },
  }));
}

function standing(...steps: Step[]): [number | undefined, number | undefined] {
  const { active, announced } = inService(history(steps));
  return [active?.index, announced?.index];
}

test('what is active is in service, and what is announced is not yet', () => {
  assert.equal(standing(), [undefined, undefined]);
  assert.equal(standing(['intent', 1]), [undefined, 0]);
  assert.equal(standing(['intent', 1], ['active', 1]), [1, undefined]);
  assert.equal(standing(['intent', 1], ['active', 1], ['intent', 2]), [1, 2]);
  assert.equal(standing(['intent', 1], ['active', 1], ['intent', 2], ['active', 2]), [3, undefined]);
});

test('an announcement that came to nothing leaves in service what was', () => {
  assert.equal(standing(['intent', 1], ['active', 1], ['intent', 2], ['ended', 2, 2]), [1, undefined]);
  assert.equal(standing(['intent', 1], ['active', 1], ['intent', 2], ['ended', 2]), [1, undefined]);
});

test('the same state deployed once more and given up leaves in service what was, when the end says so', () => {
  assert.equal(standing(['intent', 1], ['active', 1], ['intent', 1], ['ended', 1, 2]), [1, undefined]);
});

test('an end that does not say what ends, ends all that it could mean', () => {
  assert.equal(standing(['intent', 1], ['active', 1], ['intent', 1], ['ended', 1]), [undefined, undefined]);
});

test('an end names the active record, or the announcement that it followed', () => {
  assert.equal(standing(['intent', 1], ['active', 1], ['ended', 1, 1]), [undefined, undefined]);
  assert.equal(standing(['intent', 1], ['active', 1], ['ended', 1, 0]), [undefined, undefined]);
  assert.equal(standing(['intent', 1], ['active', 1], ['active', 1], ['ended', 1, 0]), [undefined, undefined]);
  assert.equal(standing(['intent', 1], ['active', 1], ['ended', 9]), [1, undefined], 'another state does not end it');
});

test('the records that count stand for all of them, wherever one goes on', () => {
  const all: Step[] = [];
  for (const phase of ['intent', 'active', 'ended'] as const)
    for (const state of [1, 2])
      for (const back of phase === 'ended' ? [undefined, 1, 2, 3] : [undefined]) all.push([phase, state, back]);
  let histories = 0;
  const extend = (steps: readonly Step[]): void => {
    const entries = history(steps);
    for (let cut = 0; cut <= entries.length; cut++) {
      const kept = countingRecords(entries.slice(0, cut));
      assert.ok(kept.length <= 3);
      assert.equal(inService([...kept, ...entries.slice(cut)]), inService(entries), `${JSON.stringify(steps)}, ${cut}`);
    }
    histories++;
    if (steps.length === 4) return;
    // An end names one of the three records before it.
    for (const [phase, state, back] of all)
      extend([...steps, back === undefined ? [phase, state] : [phase, state, steps.length - back]]);
  };
  extend([]);
  assert.ok(histories > 10_000, `${histories} histories`);
});

test.run();
