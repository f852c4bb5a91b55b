import { type Outcome, Unavailable } from './benchmark.js';
import { BENCHMARKS } from './benchmarks.js';

// trial.ts <benchmark> [--quick] <subject>...: measures subjects once, one after the other, and prints the outcome of each as one
// line of JSON.

const [benchmark, ...args] = process.argv.slice(2);
const quick = args[0] === '--quick';
const { subjects } = await BENCHMARKS[benchmark]();

for (const name of quick ? args.slice(1) : args) {
  const subject = subjects.find((candidate) => candidate.name === name);
  if (subject === undefined) throw new Error(`the benchmark ${benchmark} has no subject ${name}`);
  let outcome: Outcome;
  try {
    outcome = { figures: await subject.measure(quick) };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    outcome = { skipped: error.message };
  }
  console.log(JSON.stringify(outcome));
}
