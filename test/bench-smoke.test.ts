import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Result {
  readonly subject: string;
  readonly figure: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rival?: string;
  readonly ratio?: number;
}

interface Report {
  readonly environment: Readonly<Record<string, unknown>>;
  readonly quick: boolean;
  readonly benchmarks: readonly { readonly name: string; readonly title: string; readonly results: readonly Result[] }[];
}

/** The rate that each benchmark is about. */
const RATES: Readonly<Record<string, string>> = {
  'tree-build': 'leaves/s',
  append: 'entries/s',
  'http-submit': 'requests/s',
  audit: 'entries/s',
  pack: 'records/s',
  witness: 'requests/s',
  ed25519: 'signatures/s',
};

async function runBench(...args: string[]): Promise<string> {
  const command = ['--conditions=@treering/source', '--import', 'tsx', 'bench/run.ts', ...args];
  return (await promisify(execFile)(process.execPath, command, { cwd: ROOT })).stdout;
}

const report = JSON.parse(await runBench('--quick', '--json')) as Report;

test('the report names the machine that it was made on', () => {
  assert.is(report.quick, true);
  assert.is(report.environment.node, process.version);
  for (const name of ['cpu', 'os', 'memory']) assert.type(report.environment[name], 'string', name);
  assert.ok(Number(report.environment.cores) >= 1);
});

test('every benchmark is in the report', () => {
  assert.equal(
    report.benchmarks.map(({ name }) => name),
    Object.keys(RATES),
  );
});

test('every figure is a positive number between its minimum and maximum', () => {
  for (const { name, results } of report.benchmarks) {
    for (const { subject, figure, median, min, max } of results) {
      assert.ok(min > 0 && min <= median && median <= max && Number.isFinite(max), `${name}, ${subject}, ${figure}`);
    }
  }
});

test('what is measured stands beside a rival of the same run, as a ratio', () => {
  for (const { name, results } of report.benchmarks) {
    const rates = results.filter(({ figure }) => figure === RATES[name]);
    const compared = rates.filter(({ rival }) => rival !== undefined);
    assert.ok(compared.length > 0, name);
    for (const { subject, median, rival, ratio } of compared) {
      const other = rates.find((rate) => rate.subject === rival);
      assert.ok(other !== undefined && other.subject !== subject, `${name}: ${subject} has no rival ${rival}`);
      assert.is(ratio, median / (other as Result).median, `${name}: ${subject}`);
    }
  }
});

test('submission is measured at 1, 16 and 64 connections, with its latency', () => {
  const results = report.benchmarks.find(({ name }) => name === 'http-submit')?.results ?? [];
  const log = results.filter(({ subject }) => subject.startsWith('log, '));
  assert.equal([...new Set(log.map(({ subject }) => subject))], ['log, 1 conn.', 'log, 16 conn.', 'log, 64 conn.']);
  assert.equal([...new Set(log.map(({ figure }) => figure))], ['requests/s', 'p50 ms', 'p99 ms', 'answer bytes']);
});

test('a witness is measured with one key and with two, over many logs and over one, with its latency', () => {
  const results = report.benchmarks.find(({ name }) => name === 'witness')?.results ?? [];
  const cosigning = results.filter(({ subject }) => subject.startsWith('Ed25519'));
  assert.equal(
    [...new Set(cosigning.map(({ subject }) => subject))],
    ['Ed25519, 64 logs', 'Ed25519 + ML-DSA-44, 64 logs', 'Ed25519, 1 log', 'Ed25519 + ML-DSA-44, 1 log'],
  );
  assert.equal([...new Set(cosigning.map(({ figure }) => figure))], ['requests/s', 'p50 ms', 'p99 ms']);
});

test('an unknown benchmark is refused with the names of those that there are', async () => {
  let failure: { code?: number; stderr?: string } = {};
  try {
    await runBench('--quick', 'tree-bild');
  } catch (error) {
    failure = error as typeof failure;
  }
  assert.is(failure.code, 2);
  assert.match(failure.stderr ?? '', /tree-bild.*tree-build, append, http-submit, audit, pack, witness, ed25519/);
});

test.run();
