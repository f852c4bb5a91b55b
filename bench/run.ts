import { parseArgs } from 'node:util';
import type { Benchmark, Summary } from './benchmark.js';
import { BENCHMARKS, LONG } from './benchmarks.js';
import { thisMachine } from './machine.js';
import { threeDigits } from './report.js';
import { type Measured, measuredCommit, storeResult } from './results.js';
import { runTrials } from './run-trials.js';

// npm run bench [--] [--quick] [--long] [--json] [--write|--no-write] [name...]
// Measures each subject in a fresh process, in turns with its rivals, and prints medians beside the rivals' of the same run. Each
// benchmark replaces its own figures in bench/results.json, docs/performance.md and README.md, unless the run is quick.

/** Quick trials that run at the same time: their figures mean nothing anyway. */
const QUICK_TOGETHER = 2;

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean' },
    'no-write': { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const { quick, json } = values;
const write = values.write ?? !(quick || values['no-write']);
const names = Object.keys(BENCHMARKS);
const unknown = positionals.find((name) => !names.includes(name));
if (unknown !== undefined) {
  console.error(`there is no benchmark ${unknown}; there are ${names.join(', ')}`);
  process.exit(2);
}
const chosen = names.filter((name) =>
  positionals.length > 0 ? positionals.includes(name) : quick || values.long || !LONG.includes(name),
);

const started = performance.now();
const machine = thisMachine();
const run = { date: new Date().toISOString().slice(0, 10), commit: measuredCommit(), quick, machine };
const measured: Measured[] = [];
let failed = false;
if (!json) for (const [what, value] of Object.entries(machine)) console.log(`${what.padEnd(7)} ${value}`);

const waiting = [...chosen];
const work = async (): Promise<void> => {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await measure(await BENCHMARKS[name]());
};
await Promise.all(Array.from({ length: quick ? QUICK_TOGETHER : 1 }, work));
measured.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
if (json) console.log(JSON.stringify({ benchmarks: measured }, null, 2));
progress('done');
if (failed) process.exitCode = 1;

/** A benchmark that fails leaves the figures of the others as they are. */
async function measure(benchmark: Benchmark): Promise<void> {
  try {
    const measurement = await runTrials(benchmark, quick, progress);
    const all = { name: benchmark.name, title: benchmark.title, ...run, ...measurement };
    measured.push(all);
    if (write) storeResult(all);
    if (!json) printTable(benchmark, measurement.results);
  } catch (error) {
    failed = true;
    progress(`${benchmark.name} failed: ${(error as Error).message}`);
  }
}

function progress(text: string): void {
  const seconds = Math.round((performance.now() - started) / 1000);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  process.stderr.write(`${time.padStart(6)}  ${text}\n`);
}

function printTable(benchmark: Benchmark, summaries: readonly Summary[]): void {
  const rows = [
    ['', 'figure', 'median', 'min', 'max', 'ratio'],
    ...summaries.map(({ subject, figure, median, min, max, rival, ratio }) => [
      subject,
      figure,
      ...[median, min, max].map(threeDigits),
      ratio === undefined ? '' : `${threeDigits(ratio)} x ${rival}`,
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  console.log(`\n${benchmark.name}: ${benchmark.title}`);
  for (const row of rows) {
    const cells = row.map((cell, i) => (i >= 2 && i <= 4 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])));
    console.log(`  ${cells.join('  ').trimEnd()}`);
  }
}
