import { BENCHMARKS } from './benchmarks.js';

// trial.ts <benchmark> <subject> [--quick]: measures one subject once and prints its figures as one line of JSON.

const [benchmark, name, quick] = process.argv.slice(2);
const { subjects } = await BENCHMARKS[benchmark]();
const subject = subjects.find((candidate) => candidate.name === name);
if (subject === undefined) throw new Error(`the benchmark ${benchmark} has no subject ${name}`);
console.log(JSON.stringify(await subject.measure(quick === '--quick')));
