import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Benchmark, type Figures, type Outcome, type Subject, type Summary, summarise } from './benchmark.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TRIAL = fileURLToPath(new URL('trial.ts', import.meta.url));

/** What the trials of a benchmark came to. */
export interface Measurement {
  readonly results: readonly Summary[];
  /** Subjects that this machine cannot measure. */
  readonly skipped: readonly { readonly subject: string; readonly reason: string }[];
}

/**
 * Measures the subjects in turns, each trial in a process of its own, so that what disturbs the machine for a while disturbs them
 * all. A quick run takes one process for all of them.
 * @param progress told before each trial, and of each subject that is skipped
 * @throws Error when a trial fails
 */
export async function runTrials(benchmark: Benchmark, quick: boolean, progress: (text: string) => void): Promise<Measurement> {
  const subjects = benchmark.subjects.filter((subject) => !quick || subject.quick !== false);
  const trials = new Map<string, Figures[]>(subjects.map(({ name }) => [name, []]));
  const skipped = new Map<string, string>();
  const rounds = quick ? 1 : Math.max(...subjects.map((subject) => trialsOf(benchmark, subject)));
  for (let round = 1; round <= rounds; round++) {
    const due = subjects.filter((subject) => round <= trialsOf(benchmark, subject) && !skipped.has(subject.name));
    for (const group of quick ? [due] : due.map((subject) => [subject])) {
      const names = group.map(({ name }) => name);
      progress(quick ? benchmark.name : `${benchmark.name}: ${names[0]} (${round} of ${trialsOf(benchmark, group[0])})`);
      const outcomes = await runTrial(benchmark.name, names, quick);
      for (const [i, outcome] of outcomes.entries()) {
        if ('figures' in outcome) {
          trials.get(names[i])?.push(outcome.figures);
          continue;
        }
        skipped.set(names[i], outcome.skipped);
        progress(`${benchmark.name}: ${names[i]} is skipped: ${outcome.skipped}`);
      }
    }
  }
  return { results: summarise(benchmark, trials), skipped: [...skipped].map(([subject, reason]) => ({ subject, reason })) };
}

function trialsOf(benchmark: Benchmark, subject: Subject): number {
  return subject.trials ?? benchmark.trials;
}

/** Measures what is built, as it is installed, not the sources. */
function withoutSources(execArgv: readonly string[]): readonly string[] {
  return execArgv.filter((arg) => arg !== '--conditions=@treering/source');
}

function runTrial(benchmark: string, subjects: readonly string[], quick: boolean): Promise<readonly Outcome[]> {
  return new Promise((resolve, reject) => {
    const args = [...withoutSources(process.execArgv), TRIAL, benchmark, ...(quick ? ['--quick'] : []), ...subjects];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const lines = output.trimEnd().split('\n');
      if (code === 0 && lines.length === subjects.length) resolve(lines.map((line) => JSON.parse(line) as Outcome));
      else reject(new Error(`${benchmark}, ${subjects.join('; ')}: the trial ended with ${signal ?? code}`));
    });
  });
}
