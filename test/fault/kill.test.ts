import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type KillReport, runKillLoop } from './kill-loop.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

// Two logs at a time: most of a round is the start of a process.
const LOGS = forSize({ quick: 1, full: 2, soak: 2 });
const KILLS = forSize({ quick: 25, full: 260 });

test(`${LOGS * KILLS} kills under load lose nothing that was acknowledged`, async () => {
  const reports = await Promise.all(Array.from({ length: LOGS }, (_, i) => runKillLoop(KILLS, seededRandom(42 + i))));
  for (const report of reports) {
    assert.is(report.kills, KILLS);
    assert.ok(report.acknowledged > KILLS * 20, `the load was on: ${report.acknowledged} were acknowledged`);
    assert.ok(report.unanswered > KILLS * 0.8, `kills came while submissions were under way: ${report.unanswered} were`);
  }
  const sum = (count: (report: KillReport) => number): number => reports.reduce((all, report) => all + count(report), 0);
  reportOutcome({
    name: 'kill',
    group: 'log',
    scenario: 'SIGKILL at a random moment, under load or while it starts',
    runs: sum(({ kills }) => kills),
    unit: 'kills',
    acknowledged: sum(({ acknowledged }) => acknowledged),
    heads: sum(({ heads }) => heads),
    recovery: reports.flatMap(({ recovery }) => recovery),
    also: `${sum(({ unanswered }) => unanswered)} submissions cut off and sent again`,
  });
});

test.run();
