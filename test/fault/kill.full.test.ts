import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runKillLoop, seededRandom } from './kill-loop.js';

test('500 kills under load lose nothing that was acknowledged', async () => {
  // Two logs at a time: most of a round is the start of a process.
  const reports = await Promise.all([runKillLoop(250, seededRandom(1)), runKillLoop(250, seededRandom(2))]);
  for (const report of reports) {
    console.log(JSON.stringify(report));
    assert.is(report.kills, 250);
    assert.ok(report.acknowledged > 5000, 'the load was on');
    assert.ok(report.unanswered > 200, 'kills came while submissions were under way');
  }
});

test.run();
