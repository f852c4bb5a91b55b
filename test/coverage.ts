import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Lines of packages/ that tests must run, in per cent. */
const LINES = 95;

/** MiB of heap for putting the reports together. */
const HEAP = 12_288;

/** A folder in which the processes of a run leave what they covered. */
export function coverageFolder(): string {
  return mkdtempSync(join(tmpdir(), 'treering-coverage-'));
}

/** Prints the coverage of packages/ and removes the folder. False when too few lines were run. */
export function reportCoverage(root: string, folder: string): boolean {
  const c8 = join(root, 'node_modules', 'c8', 'bin', 'c8.js');
  const options = ['--temp-directory', folder, '--include', 'packages/*/src/**/*.ts', '--exclude', '**/contract.ts'];
  // Every process of a run leaves a report, and together they are more than the usual heap takes.
  const report = [
    'report',
    ...options,
    '--merge-async',
    '--reporter',
    'text-summary',
    '--check-coverage',
    '--lines',
    String(LINES),
  ];
  const memory = `--max-old-space-size=${HEAP}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, [memory, c8, ...report], { cwd: root, encoding: 'utf8' });
  rmSync(folder, { recursive: true, force: true });
  const lines = /^Lines +: .*$/m.exec(stdout)?.[0];
  console.log(
    lines === undefined
      ? `coverage cannot be told: ${stderr}`
      : `coverage of packages/: ${lines} (at least ${LINES}% are wanted)`,
  );
  return status === 0;
}
