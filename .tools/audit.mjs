// node .tools/audit.mjs: asks the registry for known vulnerabilities of what is shipped. Ends with 1 for one that is high or critical.
// A registry that cannot be asked is no finding, and is said.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain } from './is-main.mjs';
import { root } from './setup.mjs';

const FAILING = ['high', 'critical'];
/** Milliseconds after which the registry counts as not reachable. */
const PATIENCE = 60_000;

/**
 * What an answer of `pnpm audit --json` amounts to. Only an answer that says how many vulnerabilities there are is one.
 * @returns `verdict`: 'clean', 'vulnerable' or 'unknown', and lines that say why
 */
export function judge(stdout) {
  const unknown = (why) => ({ verdict: 'unknown', lines: [`known vulnerabilities were not looked up: ${why}`] });
  let answer;
  try {
    answer = JSON.parse(stdout);
  } catch {
    return unknown('the answer is no JSON');
  }
  if (answer?.error !== undefined) return unknown(String(answer.error.message ?? answer.error.code));
  const counts = answer?.metadata?.vulnerabilities;
  if (typeof counts !== 'object' || counts === null || typeof answer.advisories !== 'object')
    return unknown('the answer has no counts');
  const lines = Object.values(answer.advisories).map(
    ({ severity, module_name: name, title, url }) => `${severity}: ${name}: ${title} (${url})`,
  );
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const bad = FAILING.reduce((sum, severity) => sum + (counts[severity] ?? 0), 0);
  const summary = `${all} known vulnerabilities, ${bad} of them ${FAILING.join(' or ')}`;
  return { verdict: bad > 0 ? 'vulnerable' : 'clean', lines: [...lines, summary] };
}

if (isMain(import.meta.url)) {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const args = ['--yes', packageManager, 'audit', '--prod', '--json'];
  const { stdout } = spawnSync('npx', args, { cwd: root, encoding: 'utf8', timeout: PATIENCE });
  const { verdict, lines } = judge(stdout ?? '');
  for (const line of lines) console.log(line);
  process.exit(verdict === 'vulnerable' ? 1 : 0);
}
