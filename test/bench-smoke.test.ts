import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BENCHMARKS } from '../bench/benchmarks.js';
import type { Measured } from '../bench/results.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Figures that count what should not be, or what comes only of more load than a quick run makes. */
const MAY_BE_ZERO = /^steady: not logged$|^overload: /;

async function runBench(...args: string[]): Promise<string> {
  const command = ['--conditions=@treering/source', '--import', 'tsx', 'bench/run.ts', ...args];
  return (await promisify(execFile)(process.execPath, command, { cwd: ROOT, maxBuffer: 1 << 24 })).stdout;
}

const { benchmarks } = JSON.parse(await runBench('--quick', '--json')) as { benchmarks: readonly Measured[] };

async function subjectsOf(name: string): Promise<readonly string[]> {
  return (await BENCHMARKS[name]()).subjects.map((subject) => subject.name);
}

test('the report names the machine that it was made on, and what was measured', () => {
  for (const { name, quick, machine, date, commit } of benchmarks) {
    assert.is(quick, true, name);
    assert.is(machine.node, process.version, name);
    for (const what of ['cpu', 'os', 'memory'] as const) assert.type(machine[what], 'string', `${name}: ${what}`);
    assert.ok(machine.cores >= 1, name);
    assert.match(date, /^\d{4}-\d\d-\d\d$/, name);
    assert.type(commit, 'string', name);
  }
});

test('every benchmark is in the report, in its order', () => {
  assert.equal(
    benchmarks.map(({ name }) => name),
    Object.keys(BENCHMARKS),
  );
});

test('every subject of a quick run was measured, or says why not', async () => {
  for (const { name, results, skipped } of benchmarks) {
    const seen = new Set([...results, ...skipped].map(({ subject }) => subject));
    const wanted = (await BENCHMARKS[name]()).subjects.filter(({ quick }) => quick !== false);
    assert.equal([...seen].sort(), wanted.map((subject) => subject.name).sort(), name);
    for (const { reason } of skipped) assert.ok(reason.length > 0, name);
  }
});

test('every figure is a positive number between its minimum and maximum', () => {
  for (const { name, results } of benchmarks) {
    for (const { subject, figure, median, min, max } of results) {
      const least = MAY_BE_ZERO.test(figure) ? min >= 0 : min > 0;
      assert.ok(least && min <= median && median <= max && Number.isFinite(max), `${name}, ${subject}, ${figure}`);
    }
  }
});

test('what is measured stands beside a rival of the same run, as a ratio', () => {
  for (const { name, results } of benchmarks) {
    const compared = results.filter(({ rival }) => rival !== undefined);
    assert.ok(compared.length > 0 || name === 'sustained', name);
    for (const { subject, figure, median, rival, ratio } of compared) {
      const other = results.find((result) => result.subject === rival && result.figure === figure);
      assert.ok(other !== undefined && other.subject !== subject, `${name}: ${subject} has no rival ${rival}`);
      assert.is(ratio, median / (other?.median ?? 0), `${name}: ${subject}`);
    }
  }
});

test('every rival is a subject of the same benchmark, and measured in a quick run with what is compared with it', async () => {
  for (const name of Object.keys(BENCHMARKS)) {
    const { subjects } = await BENCHMARKS[name]();
    assert.is(new Set(subjects.map((subject) => subject.name)).size, subjects.length, name);
    for (const { name: subject, rival, quick } of subjects.filter((each) => each.rival !== undefined)) {
      const other = subjects.find((each) => each.name === rival);
      assert.ok(other !== undefined, `${name}: ${subject} has no rival ${rival}`);
      if (quick !== false) assert.is.not(other?.quick, false, `${name}: ${rival}`);
    }
  }
});

test('trees of a million and of ten million leaves are built by us and by each rival', async () => {
  const subjects = await subjectsOf('tree-build');
  for (const size of ['1 M', '10 M']) {
    const own = subjects.filter((subject) => subject.endsWith(`, ${size}`)).join('; ');
    for (const what of [
      /TreePool/,
      /nodeHasher/,
      /@noble\/hashes/,
      /createHash/,
      /crypto\.hash/,
      /tlog/,
      /transparency-dev/,
      /C, SHA/,
    ])
      assert.match(own, what, size);
  }
});

test('submission is measured at 1, 16, 64 and 256 connections, with its latency and the processor time of the server', async () => {
  const log = (await subjectsOf('http-submit')).filter((subject) => subject.startsWith('log, '));
  assert.equal(log, ['log, 1 conn.', 'log, 16 conn.', 'log, 64 conn.', 'log, 256 conn.']);
  const results = benchmarks.find(({ name }) => name === 'http-submit')?.results ?? [];
  const figures = results.filter(({ subject }) => subject === 'log, 64 conn.').map(({ figure }) => figure);
  const ofServer = process.platform === 'linux' ? ['CPU µs/entry'] : [];
  assert.equal(figures, ['entries/s', 'p50 ms', 'p99 ms', ...ofServer, 'generator CPU µs']);
});

test('a witness is measured with one key and with two, over many logs and over one, with its latency', async () => {
  assert.equal(
    (await subjectsOf('witness')).filter((subject) => subject.startsWith('Ed25519')),
    ['Ed25519, 64 logs', 'Ed25519 + ML-DSA-44, 64 logs', 'Ed25519, 1 log', 'Ed25519 + ML-DSA-44, 1 log'],
  );
  const results = benchmarks.find(({ name }) => name === 'witness')?.results ?? [];
  const cosigning = results.filter(({ subject }) => subject.startsWith('Ed25519'));
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
  assert.match(failure.stderr ?? '', /tree-bild.*tree-build, crossover, append, http-submit/);
});

test.run();
