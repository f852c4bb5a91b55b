import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BENCHMARKS } from './benchmarks.js';
import { type Machine, thisCommit } from './machine.js';
import { performanceText, readmeText } from './report.js';
import type { Measurement } from './run-trials.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RESULTS = fileURLToPath(new URL('results.json', import.meta.url));

/** One benchmark as it was measured, once. */
export interface Measured extends Measurement {
  readonly name: string;
  readonly title: string;
  /** YYYY-MM-DD */
  readonly date: string;
  /** What was measured: the start of the commit's hash, with a + when the working tree had changes. */
  readonly commit: string;
  /** A quick run shows that everything works; its figures mean nothing. */
  readonly quick: boolean;
  readonly machine: Machine;
}

/** What a run writes. */
const WRITTEN = ['bench/results.json', 'docs/performance.md', 'README.md'];

/** The commit that is measured. */
export function measuredCommit(): string {
  return thisCommit(WRITTEN);
}

/** All that is stored, in the order in which benchmarks run. */
export function readResults(): readonly Measured[] {
  if (!existsSync(RESULTS)) return [];
  return (JSON.parse(readFileSync(RESULTS, 'utf8')) as { benchmarks: Measured[] }).benchmarks;
}

/** Puts a benchmark in the place of what was measured of it before, and makes the tables of the documents anew. */
export function storeResult(measured: Measured): void {
  const others = readResults().filter(({ name }) => name !== measured.name);
  const order = Object.keys(BENCHMARKS);
  const benchmarks = [...others, measured].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  writeFileSync(RESULTS, `${JSON.stringify({ benchmarks }, null, 2)}\n`);
  for (const { path, text } of documents(benchmarks)) writeFileSync(`${ROOT}${path}`, text);
}

/** The documents with figures as they must be for these results. */
export function documents(benchmarks: readonly Measured[]): readonly { readonly path: string; readonly text: string }[] {
  const read = (path: string): string => readFileSync(`${ROOT}${path}`, 'utf8');
  return [
    { path: 'docs/performance.md', text: performanceText(read('docs/performance.md'), benchmarks) },
    { path: 'README.md', text: readmeText(read('README.md'), benchmarks) },
  ];
}
