import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runKillLoop, seededRandom } from './kill-loop.js';

test('25 kills under load lose nothing that was acknowledged', async () => {
  const report = await runKillLoop(25, seededRandom(42));
  console.log(JSON.stringify(report));
  assert.is(report.kills, 25);
  assert.ok(report.acknowledged > 500, 'the load was on');
  assert.ok(report.unanswered > 20, 'kills came while submissions were under way');
});

test.run();
