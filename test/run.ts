import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism, constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { coverageFolder, reportCoverage } from './coverage.js';
import { writeDocument } from './fault/results.js';
import { parseSelection, type Selection, SelectionError, selectTestFiles } from './test-files.js';

// Runs the project's uvu test files, each in its own process: pnpm test [--quick|--faults|--soak] [pattern...]
// uvu alone lets a file pass that forgot `test.run()`, and a pattern that matches nothing. This runner fails both.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WORKERS = Math.min(2, availableParallelism());
const MINUTE = 60_000;
/** How long one file may run, in milliseconds; tests of faults may take longer than others. */
const TIME_LIMIT = process.argv.includes('--soak')
  ? 24 * 60 * MINUTE
  : process.argv.includes('--faults')
    ? 60 * MINUTE
    : 10 * MINUTE;
/** Files that take longer are named at the end, in milliseconds. */
const SLOW = 10_000;
/** How long output may still come once a file's process has ended and something it started holds its pipes. */
const PIPE_GRACE = 1_000;

/** What uvu printed, summed over all its summaries. Its total does not contain the skipped tests. */
interface Counts {
  readonly total: number;
  readonly passed: number;
  readonly skipped: number;
}

interface Outcome extends Counts {
  readonly file: string;
  readonly milliseconds: number;
  /** Why the file failed; undefined when it passed. */
  readonly reason?: string;
}

/** How a file's process ended, and all that it printed. */
interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly output: string;
}

const running = new Set<ChildProcess>();

/** Where a complete run leaves what it covered. */
let coverage: string | undefined;
/** The size of tests of faults, see test/fault/size.ts. */
let faultSize: string | undefined;

function childEnvironment(): NodeJS.ProcessEnv {
  const { FORCE_COLOR: _, ...env } = process.env;
  env.NO_COLOR = '1';
  if (coverage !== undefined) env.NODE_V8_COVERAGE = coverage;
  if (faultSize !== undefined) env.TREERING_FAULT_SIZE = faultSize;
  return env;
}

function runChild(file: string): Promise<Ended> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['--conditions=@treering/source', '--import', 'tsx', file], {
      cwd: ROOT,
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    const chunks: Buffer[] = [];
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, TIME_LIMIT);
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      clearTimeout(limit);
      running.delete(child);
      done({ code, signal, timedOut, output: Buffer.concat(chunks).toString('utf8') });
    };
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      finish(null, null);
    });
    child.on('exit', () => {
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, PIPE_GRACE).unref();
    });
    child.on('close', finish);
  });
}

function countsIn(output: string): Counts {
  const sum = (label: string): number =>
    [...output.matchAll(new RegExp(`^ *${label}: +(\\d+)$`, 'gm'))].reduce((all, match) => all + Number(match[1]), 0);
  return { total: sum('Total'), passed: sum('Passed'), skipped: sum('Skipped') };
}

function reasonToFail({ code, signal, timedOut }: Ended, { total, passed, skipped }: Counts): string | undefined {
  if (timedOut) return `ran longer than ${TIME_LIMIT / MINUTE} minutes`;
  if (signal !== null) return `ended by ${signal}`;
  if (code !== 0) return total > passed ? `${total - passed} of ${total} tests failed` : `exit code ${code}`;
  if (total + skipped === 0) return 'registered no test (is test.run() missing?)';
  if (passed < total) return `${total - passed} of ${total} tests did not pass`;
  return undefined;
}

async function runFile(file: string): Promise<Outcome> {
  const started = performance.now();
  const ended = await runChild(file);
  const milliseconds = performance.now() - started;
  const counts = countsIn(ended.output);
  const reason = reasonToFail(ended, counts);
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  const line = `${file}: ${counts.passed} passed${skipped}, ${seconds(milliseconds)}`;
  console.log(reason === undefined ? `ok   ${line}` : `\nFAIL ${line}: ${reason}\n${ended.output.trimEnd()}\n`);
  return { ...counts, file, milliseconds, reason };
}

async function runAll(files: readonly string[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const queue = [...files];
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) outcomes.push(await runFile(file));
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  return outcomes;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Prints what deserves a look and, as the last line, the counts. A failed file counts as one failed test at least. */
function report(outcomes: readonly Outcome[], covered: boolean): void {
  const failures = outcomes.filter((outcome) => outcome.reason !== undefined);
  const slow = outcomes.filter((outcome) => outcome.milliseconds > SLOW).sort((a, b) => b.milliseconds - a.milliseconds);
  for (const { file, milliseconds } of slow) console.log(`slow ${file}: ${seconds(milliseconds)}`);
  for (const { file, reason } of failures) console.log(`FAIL ${file}: ${reason}`);
  const sum = (count: (outcome: Outcome) => number): number => outcomes.reduce((all, outcome) => all + count(outcome), 0);
  const failed = sum((outcome) => (outcome.reason === undefined ? 0 : Math.max(1, outcome.total - outcome.passed)));
  printCounts(
    sum((outcome) => outcome.passed),
    failed + (covered ? 0 : 1),
    sum((outcome) => outcome.skipped),
  );
}

function printCounts(passed: number, failed: number, skipped: number): void {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed > 0 ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const child of running) child.kill('SIGKILL');
    process.exit(128 + constants.signals[signal]);
  });
}

function isComplete({ quick, faults, soak, patterns }: Selection): boolean {
  return !quick && !faults && !soak && patterns.length === 0;
}

try {
  const selection = parseSelection(process.argv.slice(2));
  if (isComplete(selection)) coverage = coverageFolder();
  if (selection.faults || selection.soak) faultSize = selection.soak ? 'soak' : 'full';
  const outcomes = await runAll(selectTestFiles(ROOT, selection));
  if (faultSize !== undefined) writeDocument();
  report(outcomes, coverage === undefined || reportCoverage(ROOT, coverage));
} catch (error) {
  if (!(error instanceof SelectionError)) throw error;
  console.log(error.message);
  printCounts(0, 1, 0);
}
