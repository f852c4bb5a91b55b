import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND, Workplace } from './e2e/command.js';

/*
 * Runs the code blocks of README.md and docs/*.md. A block that ends with another code than 0 fails.
 *
 *   ```sh          bash -euo pipefail. All sh blocks of one file are one shell session, in their order, in one folder.
 *   ```ts          a module, run by tsx in the same folder after the sh blocks before it, with the workspace's packages at hand.
 *   ```sh no-run   shown to readers only; the same for ts. What is not run is printed.
 *   ```yaml policy a policy, or a part of one, which `treering policy check` must take; it has signing-key.pem and trusted_root.json.
 *   other, or none not code of ours: pictures, formats, output.
 *
 * A line that begins with `! ` is refused: bash does not end for it, so that what it says must fail may as well succeed.
 *
 * Each file has a folder and a log of its own, both fresh. In the folder are two versions of a real model (wink-1.8.0 and
 * wink-1.8.1), guardrails.yaml and prompt.txt. `treering` is on the PATH; TREERING_DATA, TREERING_STATE and TREERING_LOG_URL
 * belong to the log under test, and $VKEY holds its verifier key.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const KNOWN = ['sh', 'ts', 'sh no-run', 'ts no-run', 'yaml policy'];
/** Milliseconds for all blocks of one file. */
const PATIENCE = 600_000;

interface Block {
  /** The words behind the fence. */
  readonly info: string;
  /** Number of the fence's line. */
  readonly line: number;
  readonly code: string;
}

const files = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** The fenced blocks of a Markdown text. Throws when one is not closed. */
function blocksOf(file: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: { info: string; line: number; fence: string; code: string[] } | undefined;
  text.split('\n').forEach((line, i) => {
    const fence = /^(`{3,})(.*)$/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { info: fence[2].trim(), line: i + 1, fence: fence[1], code: [] };
    } else if (fence !== null && fence[1].length >= open.fence.length && fence[2].trim() === '') {
      blocks.push({ info: open.info, line: open.line, code: `${open.code.join('\n')}\n` });
      open = undefined;
    } else open.code.push(line);
  });
  if (open !== undefined) throw new Error(`${file}:${open.line}: this block is not closed`);
  return blocks;
}

test('blocks are found, whatever stands around them', () => {
  const text = ['a', '```sh', 'echo 1', '', '```', '````ts', '```', 'x', '````', '```', 'picture', '```', ''].join('\n');
  assert.equal(blocksOf('x', text), [
    { info: 'sh', line: 2, code: 'echo 1\n\n' },
    { info: 'ts', line: 6, code: '```\nx\n' },
    { info: '', line: 10, code: 'picture\n' },
  ]);
  assert.throws(() => blocksOf('x', '```sh\necho 1\n'), /not closed/);
});

test('a block that fails is a failure, with its line and its output', async () => {
  const place = new Workplace();
  const good = await runBlocks('x.md', [{ info: 'sh', line: 1, code: 'echo hello\n' }], place, '');
  assert.is(good, undefined);
  const bad = await runBlocks(
    'x.md',
    [
      { info: 'sh', line: 1, code: 'A=kept; echo one\n' },
      { info: 'sh', line: 5, code: 'echo "$A"; false | true; echo not reached\n' },
    ],
    place,
    '',
  );
  assert.match(bad ?? '', 'x.md:5');
  assert.match(bad ?? '', 'kept');
  assert.not.match(bad ?? '', 'not reached');
  const unset = await runBlocks('x.md', [{ info: 'sh', line: 9, code: 'echo "$NOT_SET_ANYWHERE"\n' }], place, '');
  assert.match(unset ?? '', 'x.md:9');
  const module = await runBlocks('x.md', [{ info: 'ts', line: 12, code: "throw new Error('as expected');\n" }], place, '');
  assert.match(module ?? '', /x\.md:12[\s\S]*as expected/);
});

/** Lines that bash takes for the negation of a command; under `set -e` neither outcome of it ends anything. */
function negations({ info, line, code }: Block): string[] {
  if (!info.startsWith('sh')) return [];
  return code.split('\n').flatMap((text, i) => (/^\s*! /.test(text) ? [`${line + i + 1}: ${text}`] : []));
}

test('the negation of a command is found, and is no way to fail', async () => {
  const block = { info: 'sh', line: 1, code: 'true\n! true\n  ! false\necho "! x"\n' };
  assert.equal(negations(block), ['3: ! true', '4:   ! false']);
  assert.equal(negations({ ...block, info: 'text' }), []);
  assert.is(await runBlocks('x.md', [block], new Workplace(), ''), undefined);
});

/** Reads a policy, or a part of one, with the command. */
async function checkPolicy(code: string): Promise<{ exit: number | null; output: string }> {
  const place = new Workplace();
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  place.write('signing-key.pem', publicKey.export({ type: 'spki', format: 'pem' }) as string);
  place.write('trusted_root.json', '{}\n');
  const registrars = '  - { name: registrars, who: { roles: [registrar] }, may: [identity], on: ["identity/*"] }\n';
  place.write('policy.yaml', /^rules:$/m.test(code) ? code : `rules:\n${registrars}${code}`);
  const { code: exit, stdout, stderr } = await place.run(['policy', 'check', 'policy.yaml']);
  return { exit, output: stdout + stderr };
}

test('a policy that cannot be meant is found', async () => {
  assert.is((await checkPolicy('limits: { attachments: 3 }\n')).exit, 0);
  assert.is((await checkPolicy('limits: { attachment: 3 }\n')).exit, 2);
  assert.is((await checkPolicy('rules:\n')).exit, 2);
});

for (const file of files) {
  const blocks = blocksOf(file, readFileSync(join(ROOT, file), 'utf8'));
  const ours = blocks.filter(({ info }) => /^(sh|ts|bash|shell|console|typescript|js|javascript|ya?ml)\b/.test(info));
  for (const { info, line } of ours.filter((block) => block.info.endsWith('no-run')))
    console.log(`not run: ${file}:${line} (${info})`);

  test(`${file}: its code is marked as code that runs, or as code that does not`, () => {
    for (const { info, line } of ours)
      assert.ok(KNOWN.includes(info), `${file}:${line}: \`${info}\` is none of ${KNOWN.join(', ')}`);
  });

  test(`${file}: what must fail is said in a way that can fail`, () => {
    assert.equal(ours.flatMap(negations), []);
  });

  for (const { line, code } of blocks.filter(({ info }) => info === 'yaml policy'))
    test(`${file}:${line}: this is a policy`, async () => {
      const { exit, output } = await checkPolicy(code);
      assert.is(exit, 0, output);
    });

  const runnable = blocks.filter(({ info }) => info === 'sh' || info === 'ts');
  if (runnable.length === 0) continue;
  test(`${file}: its ${runnable.length} blocks run`, async () => {
    const place = new Workplace();
    prepare(place);
    // The tour is for what a person starts; the other documents need the log alone.
    const log = await place.up([], {}, 'json', file === 'README.md');
    place.env.TREERING_LOG_URL = log.ready.url;
    const failure = await runBlocks(file, runnable, place, log.ready.vkey);
    await log.stop();
    assert.is(failure, undefined, failure);
  });
}

/** Puts into the folder what the documents speak of. */
function prepare(place: Workplace): void {
  for (const version of ['1.8.0', '1.8.1']) {
    const source = fileURLToPath(new URL(`node_modules/wink-${version.replaceAll('.', '-')}`, import.meta.url));
    cpSync(source, place.path('work', `wink-${version}`), { recursive: true, dereference: true });
  }
  place.write(
    'work/guardrails.yaml',
    'parameters:\n  temperature: 0.2\nguardrails:\n  - id: pii\n    setting: strict\n    action: block\n',
  );
  place.write('work/prompt.txt', 'You help nurses to decide who is seen first.\n');
}

/** Runs blocks in their order. Resolves with what went wrong, or undefined. */
async function runBlocks(file: string, blocks: readonly Block[], place: Workplace, vkey: string): Promise<string | undefined> {
  const modules = join(ROOT, 'test', '.tmp');
  mkdirSync(modules, { recursive: true });
  const temporary = mkdtempSync(join(modules, 'docs-'));
  try {
    place.write('bin/treering', `#!/bin/sh\nexec '${process.execPath}' '${COMMAND}' "$@"\n`);
    chmodSync(place.path('bin', 'treering'), 0o755);
    mkdirSync(place.path('work'), { recursive: true });
    const script = place.write(
      'session.sh',
      `set -euo pipefail\n${blocks.map((block, i) => step(block, join(temporary, `block-${i}.ts`))).join('')}`,
    );
    const env = { ...place.env, VKEY: vkey, PATH: `${place.path('bin')}:${place.env.PATH}` };
    const { code, output } = await run('bash', [script], place.path('work'), env);
    if (code === 0) return undefined;
    const [, line] = /.*^::block (\d+)$/ms.exec(output) ?? [];
    return `${file}:${line}: the block ends with ${code}\n${output}`;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** The part of the session's script that announces and runs one block. */
function step({ info, line, code }: Block, path: string): string {
  const announce = `echo '::block ${line}'\n`;
  if (info === 'sh') return `${announce}${code}`;
  writeFileSync(path, code);
  return `${announce}'${process.execPath}' --conditions=@treering/source --import '${TSX}' '${path}'\n`;
}

/** The loader by its address: the session runs where no package can be found. */
const TSX = import.meta.resolve('tsx', import.meta.url);

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; output: string }> {
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
    child.on('close', (code) => resolve({ code, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

test.after(() => {
  const folder = join(ROOT, 'test', '.tmp');
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
});

test.run();
