import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Machine, thisCommit, thisMachine } from '../../bench/machine.js';
import { reliabilityText } from './report.js';
import { faultSize, type Size } from './size.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** One file for each scenario. */
const FOLDER = fileURLToPath(new URL('results', import.meta.url));
const DOCUMENT = 'docs/reliability.md';

/** What came of a scenario that passed: what failed is never stored. */
export interface Outcome {
  /** Lower case words and hyphens: names the file in which it is stored. */
  readonly name: string;
  /** The heading under which it is listed. */
  readonly group: 'log' | 'disk' | 'time' | 'witness' | 'network' | 'load' | 'input';
  /** What is done, for people, in one line. */
  readonly scenario: string;
  /** How often it was done. */
  readonly runs: number;
  /** What one run is, in the plural: kills, power cuts, system calls, bits. */
  readonly unit: string;
  /** Entries whose submission was answered, all of which were looked for afterwards; left out where nothing is submitted. */
  readonly acknowledged?: number;
  /** Different sizes for which a signed head was seen, each of which has one root. */
  readonly heads?: number;
  /** Milliseconds from each start after a fault until the log answers again. */
  readonly recovery?: readonly number[];
  /** What else was counted, for example what was found of what was broken. */
  readonly also?: string;
}

/** An outcome as it is stored. */
export interface StoredOutcome extends Omit<Outcome, 'recovery'> {
  readonly recovery?: { readonly median: number; readonly worst: number };
  readonly size: Size;
  /** YYYY-MM-DD */
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
}

/**
 * Prints what came of a scenario and, in a run that stores (`npm run test:faults`), puts it in the place of what was stored of it. Call
 * it when everything has been checked.
 */
export function reportOutcome({ recovery, ...outcome }: Outcome): void {
  const stored: StoredOutcome = {
    ...outcome,
    ...(recovery === undefined || recovery.length === 0 ? {} : { recovery: summaryOf(recovery) }),
    size: faultSize(),
    date: new Date().toISOString().slice(0, 10),
    commit: thisCommit(['test/fault/results', DOCUMENT]),
    machine: thisMachine(),
  };
  console.log(JSON.stringify(stored));
  if (stored.size === 'quick') return;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${outcome.name}.json`), `${JSON.stringify(stored, null, 2)}\n`);
}

/** Makes the tables of the document anew: once, after a run that stored outcomes. */
export function writeDocument(): void {
  const { path, text } = document(readOutcomes());
  writeFileSync(path, text);
}

/** All that is stored, by name. */
export function readOutcomes(): readonly StoredOutcome[] {
  if (!existsSync(FOLDER)) return [];
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  return files.sort().map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as StoredOutcome);
}

/** The document as it must be for these outcomes. */
export function document(outcomes: readonly StoredOutcome[]): { readonly path: string; readonly text: string } {
  const path = join(ROOT, DOCUMENT);
  return { path, text: reliabilityText(readFileSync(path, 'utf8'), outcomes) };
}

function summaryOf(times: readonly number[]): { median: number; worst: number } {
  const sorted = [...times].sort((a, b) => a - b);
  return { median: Math.round(sorted[Math.floor((sorted.length - 1) / 2)]), worst: Math.round(sorted[sorted.length - 1]) };
}
