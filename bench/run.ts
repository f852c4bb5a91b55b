import { spawn } from 'node:child_process';
import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Benchmark, type Figures, type Summary, summarise } from './benchmark.js';
import { BENCHMARKS } from './benchmarks.js';

// npm run bench [--] [--quick] [--json] [name...]
// Measures each subject in a fresh process, in turns with its rivals, and prints medians beside the rivals' of the same run.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TRIAL = fileURLToPath(new URL('trial.ts', import.meta.url));

const environment = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  node: process.version,
  os: `${type()} ${release()} ${arch()}`,
};

/** Runs one trial in a process of its own, with this process's conditions and loader. */
function runTrial(benchmark: string, subject: string, quick: boolean): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const args = [...process.execArgv, TRIAL, benchmark, subject, ...(quick ? ['--quick'] : [])];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(output) as Figures);
      else reject(new Error(`${benchmark}, ${subject}: the trial ended with ${signal ?? code}`));
    });
  });
}

/** Takes the subjects in turns, so that what disturbs the machine for a while disturbs them all. */
async function runBenchmark(benchmark: Benchmark, quick: boolean): Promise<Summary[]> {
  const trials = new Map<string, Figures[]>(benchmark.subjects.map(({ name }) => [name, []]));
  const rounds = quick ? 1 : benchmark.trials;
  for (let round = 1; round <= rounds; round++) {
    for (const { name } of benchmark.subjects) {
      process.stderr.write(`${benchmark.name}: ${name} (${round} of ${rounds})\n`);
      trials.get(name)?.push(await runTrial(benchmark.name, name, quick));
    }
  }
  return summarise(benchmark, trials);
}

function printTable(benchmark: Benchmark, summaries: readonly Summary[]): void {
  const rows = [
    ['', 'figure', 'median', 'min', 'max', 'ratio'],
    ...summaries.map(({ subject, figure, median, min, max, rival, ratio }) => [
      subject,
      figure,
      ...[median, min, max].map(threeDigits),
      ratio === undefined ? '' : `${ratio.toFixed(2)} x ${rival}`,
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  console.log(`\n${benchmark.name}: ${benchmark.title}`);
  for (const row of rows) {
    const cells = row.map((cell, i) => (i >= 2 && i <= 4 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])));
    console.log(`  ${cells.join('  ').trimEnd()}`);
  }
}

function threeDigits(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const names = Object.keys(BENCHMARKS);
const unknown = positionals.find((name) => !names.includes(name));
if (unknown !== undefined) {
  console.error(`there is no benchmark ${unknown}; there are ${names.join(', ')}`);
  process.exit(2);
}
if (!values.json) for (const [what, value] of Object.entries(environment)) console.log(`${what.padEnd(7)} ${value}`);

const benchmarks: object[] = [];
for (const name of names.filter((candidate) => positionals.length === 0 || positionals.includes(candidate))) {
  const benchmark = await BENCHMARKS[name]();
  const results = await runBenchmark(benchmark, values.quick);
  benchmarks.push({ name: benchmark.name, title: benchmark.title, results });
  if (!values.json) printTable(benchmark, results);
}
if (values.json) console.log(JSON.stringify({ environment, quick: values.quick, benchmarks }, null, 2));
