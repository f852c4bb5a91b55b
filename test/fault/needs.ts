import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'uvu';

/** What a scenario takes from the system that it runs on. */
interface Needs {
  /** Commands by the Debian package that has them. */
  readonly commands?: Readonly<Record<string, string>>;
  /** Files by the Debian package that has them. */
  readonly files?: Readonly<Record<string, string>>;
  /** To mount file systems and to make network namespaces. */
  readonly root?: boolean;
}

/**
 * `test` when all is there. Otherwise the reason is printed and tests are skipped; in CI, where all must be there, it throws.
 * @param what is not tested then, for the message
 */
export function testNeeding(what: string, needs: Needs): typeof test | typeof test.skip {
  const missing = missingOf(needs);
  if (missing === undefined) return test;
  if (process.env.CI) throw new Error(`${missing}; a CI run needs it`);
  console.log(`${missing}: ${what} is not tested`);
  return test.skip;
}

function missingOf({ commands = {}, files = {}, root = false }: Needs): string | undefined {
  if (root && process.getuid?.() !== 0) return 'this is not root';
  for (const [command, debian] of Object.entries(commands))
    if (spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status !== 0)
      return `${command} (Debian: ${debian}) is not installed`;
  for (const [file, debian] of Object.entries(files))
    if (!existsSync(file)) return `${file} (Debian: ${debian}) is not installed`;
  return undefined;
}
