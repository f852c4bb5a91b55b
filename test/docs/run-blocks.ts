import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMAND, Workplace } from '../e2e/command.js';
import type { Block } from './blocks.js';

/** The folder in which the workspace's packages are found by name. */
const TEST = fileURLToPath(new URL('..', import.meta.url));
/** Milliseconds for all blocks of one document; less than a test file may take, so that what was printed is shown. */
const PATIENCE = 480_000;
/** The loader by its address: the session runs where no package can be found. */
const TSX = import.meta.resolve('tsx', import.meta.url);

/** Puts into the folder what the documents speak of. */
export function prepare(place: Workplace): void {
  for (const version of ['1.8.0', '1.8.1']) {
    const source = join(TEST, 'node_modules', `wink-${version.replaceAll('.', '-')}`);
    cpSync(source, place.path('work', `wink-${version}`), { recursive: true, dereference: true });
  }
  place.write(
    'work/guardrails.yaml',
    'parameters:\n  temperature: 0.2\nguardrails:\n  - id: pii\n    setting: strict\n    action: block\n',
  );
  // A checkout of the source.
  symlinkSync(join(TEST, '..'), place.path('work', 'treering'));
  place.write('work/prompt.txt', 'You help nurses to decide who is seen first.\n');
}

/** Runs blocks in their order, as one session with $VKEY. Resolves with what went wrong, or undefined. */
export async function runBlocks(
  file: string,
  blocks: readonly Block[],
  place: Workplace,
  vkey: string,
): Promise<string | undefined> {
  const modules = mkdtempSync(join(TEST, '.tmp-docs-'));
  try {
    place.write('bin/treering', `#!/bin/sh\nexec '${process.execPath}' '${COMMAND}' "$@"\n`);
    chmodSync(place.path('bin', 'treering'), 0o755);
    mkdirSync(place.path('work'), { recursive: true });
    const steps = blocks.map((block, i) => step(block, join(modules, `block-${i}.ts`)));
    const script = place.write('session.sh', `set -euo pipefail\n${steps.join('')}`);
    const env = { ...place.env, VKEY: vkey, PATH: `${place.path('bin')}:${place.env.PATH}` };
    const { code, signal, output } = await run('bash', [script], place.path('work'), env);
    if (code === 0) return undefined;
    const [, line] = /.*^::block (\d+)$/ms.exec(output) ?? [];
    return `${file}:${line}: the block ends with ${code ?? signal}\n${output}`;
  } finally {
    rmSync(modules, { recursive: true, force: true });
  }
}

/** Reads a policy, or a part of one, with the command. */
export async function checkPolicy(code: string): Promise<{ exit: number | null; output: string }> {
  const place = new Workplace();
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  place.write('signing-key.pem', publicKey.export({ type: 'spki', format: 'pem' }) as string);
  place.write('trusted_root.json', '{}\n');
  const registrars = '  - { name: registrars, who: { roles: [registrar] }, may: [identity], on: ["identity/*"] }\n';
  place.write('policy.yaml', /^rules:$/m.test(code) ? code : `rules:\n${registrars}${code}`);
  const { code: exit, stdout, stderr } = await place.run(['policy', 'check', 'policy.yaml']);
  return { exit, output: stdout + stderr };
}

/** The part of the session's script that announces and runs one block. */
function step({ info, line, code }: Block, path: string): string {
  const announce = `echo '::block ${line}'\n`;
  if (info === 'sh') return `${announce}${code}`;
  writeFileSync(path, code);
  return `${announce}'${process.execPath}' --conditions=@treering/source --import '${TSX}' '${path}'\n`;
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE, detached: true });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    // A log that the session started in the background ends with the session, also when a block of it failed.
    child.on('exit', () => {
      try {
        process.kill(-(child.pid as number), 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') reject(error);
      }
    });
    child.on('close', (code, signal) => resolve({ code, signal, output: Buffer.concat(chunks).toString('utf8') }));
  });
}
