import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Outcome } from './command.js';

/** One step of a composite action. */
interface Step {
  readonly id?: string;
  readonly name?: string;
  readonly shell?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A composite action, as its file says. */
export interface Action {
  readonly name: string;
  readonly description: string;
  readonly inputs: Readonly<Record<string, { description: string; required?: boolean; default?: string }>>;
  readonly outputs: Readonly<Record<string, { description: string; value: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
}

/** A job of GitLab, as its template says. */
export interface Job {
  readonly id_tokens: Readonly<Record<string, { aud: string }>>;
  readonly variables: Readonly<Record<string, string>>;
  readonly script: readonly string[];
  readonly artifacts: { readonly paths: readonly string[]; readonly reports: { readonly dotenv: string } };
}

/** How an action or a job ended, and what it handed on. */
export interface Ran extends Outcome {
  readonly outputs: Readonly<Record<string, string>>;
  /** The folder for temporary files of this run. */
  readonly temporary: string;
}

/** Where something runs. */
export interface Surroundings {
  /** The workspace. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Gets the process of each step when it has begun. */
  readonly began?: (pid: number) => void;
}

const EXPRESSION = /\$\{\{\s*(.*?)\s*\}\}/g;

/** Every expression within a text, without its braces. */
export function expressionsOf(text: string): string[] {
  return [...text.matchAll(EXPRESSION)].map(([, expression]) => expression);
}

/**
 * Runs the steps of a composite action in their order, as GitHub's runner does: defaults of inputs, expressions wherever they
 * stand, a file per script, and files for outputs and environment. Throws for what it does not know, rather than to leave it out.
 */
export async function runAction(
  folder: string,
  given: Readonly<Record<string, string>>,
  { cwd, env, began }: Surroundings,
): Promise<Ran> {
  const action = parse(readFileSync(join(folder, 'action.yml'), 'utf8')) as Action;
  const inputs = new Map(Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? '']));
  for (const [name, value] of Object.entries(given)) {
    if (!inputs.has(name)) throw new Error(`the action has no input ${name}`);
    inputs.set(name, value);
  }
  const temporary = mkdtempSync(join(cwd, '..', 'runner-temp-'));
  const files = mkdtempSync(join(cwd, '..', 'runner-files-'));
  const steps = new Map<string, Map<string, string>>();
  const substitute = (text: string): string =>
    text.replace(EXPRESSION, (_whole, expression: string) => {
      const [, input] = /^inputs\.([\w-]+)$/.exec(expression) ?? [];
      if (input !== undefined) return inputs.get(input) ?? '';
      const [, step, output] = /^steps\.([\w-]+)\.outputs\.([\w-]+)$/.exec(expression) ?? [];
      if (step !== undefined) return steps.get(step)?.get(output) ?? '';
      if (expression === 'github.action_path') return folder;
      throw new Error(`this runner does not know the expression ${expression}`);
    });
  let environment: Record<string, string> = {
    ...env,
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION_PATH: folder,
    GITHUB_WORKSPACE: cwd,
    RUNNER_TEMP: temporary,
  };
  const all = { stdout: '', stderr: '' };
  let code: number | null = 0;
  for (const [index, step] of action.runs.steps.entries()) {
    const unknown = Object.keys(step).filter((key) => !['id', 'name', 'shell', 'run', 'env'].includes(key));
    if (unknown.length > 0 || step.run === undefined || step.shell !== 'bash')
      throw new Error(`this runner does not know step ${index}: ${unknown.join(', ')}`);
    const file = (name: string, text = ''): string => {
      writeFileSync(join(files, `${index}-${name}`), text);
      return join(files, `${index}-${name}`);
    };
    const own = Object.entries(step.env ?? {}).map(([name, value]) => [name, substitute(value)]);
    const [output, exported] = [file('output'), file('env')];
    const ended = await runBash(['--noprofile', '--norc', '-eo', 'pipefail', file('script.sh', substitute(step.run))], {
      cwd,
      env: { ...environment, ...Object.fromEntries(own), GITHUB_OUTPUT: output, GITHUB_ENV: exported },
      ...(began === undefined ? {} : { began }),
    });
    all.stdout += ended.stdout;
    all.stderr += ended.stderr;
    code = ended.code;
    if (step.id !== undefined) steps.set(step.id, readAssignments(output));
    if (code !== 0) break;
    environment = { ...environment, ...Object.fromEntries(readAssignments(exported)) };
  }
  const outputs = Object.entries(action.outputs).map(([name, { value }]) => [name, substitute(value)]);
  return { code, ...all, outputs: Object.fromEntries(outputs), temporary };
}

/** Runs the script of a job as GitLab's runner does: all lines in one shell that ends with the first that fails. */
export async function runJob(job: Job, variables: Readonly<Record<string, string>>, { cwd, env }: Surroundings): Promise<Ran> {
  for (const name of Object.keys(variables))
    if (name.startsWith('GATE_') && !Object.hasOwn(job.variables, name)) throw new Error(`the job has no variable ${name}`);
  const temporary = mkdtempSync(join(cwd, '..', 'job-temp-'));
  const script = ['set -eo pipefail', ...job.script].join('\n');
  const gitlab = { CI: 'true', GITLAB_CI: 'true', CI_PROJECT_DIR: cwd, TMPDIR: temporary };
  const ended = await runBash(['-c', script], { cwd, env: { ...env, ...gitlab, ...job.variables, ...variables } });
  const outputs = ended.code === 0 ? Object.fromEntries(readAssignments(join(cwd, job.artifacts.reports.dotenv))) : {};
  return { ...ended, outputs, temporary };
}

/** Lines name=value, or name<<delimiter with the value up to a line with the delimiter. */
function readAssignments(path: string): Map<string, string> {
  const values = new Map<string, string>();
  const lines = readFileSync(path, 'utf8').split('\n');
  for (let i = 0; i < lines.length; i++) {
    const [, name, sign, rest] = /^([^=<]+)(=|<<)(.*)$/.exec(lines[i]) ?? [];
    if (name === undefined) {
      if (lines[i] !== '') throw new Error(`${path} has a line that assigns nothing: ${lines[i]}`);
    } else if (sign === '=') values.set(name, rest);
    else {
      const end = lines.indexOf(rest, i + 1);
      if (end === -1) throw new Error(`${path}: the value of ${name} has no end`);
      values.set(name, lines.slice(i + 1, end).join('\n'));
      i = end;
    }
  }
  return values;
}

function runBash(args: readonly string[], { cwd, env, began }: Surroundings): Promise<Outcome> {
  mkdirSync(cwd, { recursive: true });
  const child = spawn('bash', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.on('exit', kill);
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    text.stdout += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text.stderr += chunk.toString('utf8');
  });
  if (child.pid !== undefined) began?.(child.pid);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      process.off('exit', kill);
      resolve({ code, ...text });
    });
  });
}
