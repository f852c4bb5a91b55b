import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND, Workplace } from './command.js';
import { hasNetworkNamespaces } from './report-page.js';

// What stands before an entry point: the built command, with a permit of a real log that is gone, and without a network.

const IMAGE = 'ab'.repeat(32);
const POLICY = `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config], on: ['**'] }
  - { name: pipelines, who: { roles: [pipeline] }, may: [deployment], on: ['deploy/**'] }
`;

const pipeline = new Workplace();
/** Where the service starts: it has the permit, the trust policy, the model and the configuration. */
const host = new Workplace();
const ALONE = hasNetworkNamespaces();
let robot = '';

test.before(async () => {
  const log = await pipeline.up([], {}, 'json', true);
  pipeline.env.TREERING_LOG_URL = log.ready.url;
  try {
    pipeline.write('policy.yaml', POLICY);
    await pipeline.result(['policy', 'set', 'policy.yaml', '--reason', 'The pipeline deploys.']);
    for (const [id, role] of [
      ['eve', 'engineer'],
      ['robot', 'pipeline'],
    ]) {
      const { vkey } = await pipeline.result(['keygen', id, '--role', role]);
      await pipeline.result(['record', 'identity', '--file', `${id}.identity.yaml`]);
      robot = vkey;
    }
    for (const place of [pipeline, host]) {
      place.write('wink/weights', 'weights of 1');
      place.write('config/prompt.txt', 'You are careful.\n');
      place.write('config/limits.yaml', 'parameters: { temperature: 0.2 }\n');
    }
    const config = ['config/prompt.txt', 'config/limits.yaml'];
    const about = ['--version', '1', '--reason', 'The first version of it.', '--key', 'eve.key'];
    await pipeline.result(['record', 'model', 'wink', '--name', 'wink', ...about]);
    await pipeline.result(['record', 'config', ...config, '--name', 'api', ...about]);
    const passage = [
      ...['gate', '--env', 'prod', '--service', 'api', '--model', 'wink', '--config', ...config, '--image', IMAGE],
      ...['--reason', 'The first version goes live.', '--key', 'robot.key', '--out', 'api.permit', '--', 'true'],
    ];
    const { code, stdout, stderr } = await pipeline.run(passage);
    assert.is(code, 0, stdout + stderr);
    copyFileSync(pipeline.path('api.permit'), host.path('api.permit'));
    copyFileSync(pipeline.path('data', 'witness-policy.txt'), host.path('trust.policy'));
  } finally {
    await log.stop();
  }
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node in the folder of the service, without a network where that can be. */
function offline(args: readonly string[], env: Readonly<Record<string, string>> = {}): Ended {
  const [command, ...before] = ALONE ? ['unshare', '-rn', process.execPath] : [process.execPath];
  const { status, stdout, stderr } = spawnSync(command, [...before, ...args], {
    cwd: host.folder,
    env: { PATH: process.env.PATH, HOME: host.path('home'), ...env },
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: status, stdout, stderr };
}

const MAIN = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
/** The command without its short way. */
const usual = (args: readonly string[]): Ended =>
  offline([
    ...['--input-type=module', '--eval'],
    `process.exitCode = await (await import(${JSON.stringify(MAIN)})).main(process.argv.slice(1))`,
    ...['--', ...args],
  ]);

const verify = (...more: readonly string[]): string[] => [
  ...['permit', 'verify', 'api.permit', '--env', 'prod', '--service', 'api', '--policy', 'trust.policy', '--signer', robot],
  ...more,
];
const PARTS = ['--model', 'wink', '--config', 'config/limits.yaml', 'config/prompt.txt', '--image', `sha256:${IMAGE}`];
const elsewhere = (): string[] => verify().map((arg) => (arg === 'prod' ? 'test' : arg));

test('it is permitted without a network, with the witnesses of the log', () => {
  if (!ALONE) {
    if (process.env.CI !== undefined) throw new Error('no network namespace can be made here');
    console.log('with a network: no network namespace can be made here');
  }
  const { code, stdout, stderr } = offline([COMMAND, ...verify(...PARTS)]);
  assert.is(code, 0, stdout + stderr);
  assert.match(stdout, /It is permitted\./);
  assert.match(stdout, /The model and the configuration that lie here are those that it permits\./);
  assert.not.match(stdout, /No quorum of witnesses was asked for/);
});

test('what is not permitted ends with 1, and is not run', () => {
  host.write('wink/weights', 'weights of 2');
  const { code, stdout } = offline([COMMAND, ...verify(...PARTS)]);
  host.write('wink/weights', 'weights of 1');
  assert.is(code, 1, stdout);
  const entry = (args: readonly string[]) =>
    spawnSync('sh', ['-c', '"$@" && echo it runs', 'sh', process.execPath, COMMAND, ...args], {
      cwd: host.folder,
      encoding: 'utf8',
    });
  assert.is(entry(verify('--quiet')).stdout, 'it runs\n');
  assert.is(entry([...elsewhere(), '--quiet']).stdout, '');
});

test('the short way and the usual one say the same', () => {
  const ways: readonly (readonly string[])[] = [
    verify(...PARTS, '--verbose'),
    verify('--json'),
    elsewhere(),
    [...elsewhere(), '--json'],
    verify('--image', 'ab'),
    verify('--model', 'wink'),
    verify('--nonsense'),
    ['permit', 'verify', '--json'],
    ['permit', 'verify', 'trust.policy', ...verify().slice(3)],
    ['permit', 'verify', 'trust.policy', ...verify('--json').slice(3)],
    ['permit', 'verify', '--help'],
  ];
  for (const args of ways) {
    const [short, long] = [offline([COMMAND, ...args]), usual(args)];
    assert.equal([short.code, short.stdout, short.stderr], [long.code, long.stdout, long.stderr], args.join(' '));
    assert.ok(short.stdout !== '' || short.stderr !== '' || args.includes('--quiet'), args.join(' '));
  }
});

/** Runs something of the command's own before it. */
const withPrelude = (code: string) => ({ NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}` });

test('whatever breaks on the way, it does not end with 0', () => {
  const breaks = {
    'output that never works': 'process.stdout.write = () => { throw new Error("no output") };',
    'output that works the second time':
      'const { write } = process.stdout; let n = 0; process.stdout.write = function (...a) { if (n++ === 0) throw new Error("no output"); return write.apply(this, a) };',
    'no file can be read':
      'import fs from "node:fs/promises"; import { syncBuiltinESMExports } from "node:module"; fs.readFile = async () => { throw new Error("no files") }; syncBuiltinESMExports();',
    'a file that never comes':
      'import fs from "node:fs/promises"; import { syncBuiltinESMExports } from "node:module"; fs.readFile = () => new Promise(() => undefined); syncBuiltinESMExports();',
  };
  for (const [what, code] of Object.entries(breaks)) {
    const bad = offline([COMMAND, ...elsewhere()], withPrelude(code));
    assert.ok(typeof bad.code === 'number' && bad.code > 0, `${what}: ${bad.code} ${bad.stdout}${bad.stderr}`);
    // What is permitted may be said to be so when output works at last, and not when nothing could be checked.
    const good = offline([COMMAND, ...verify()], withPrelude(code));
    assert.is(
      good.code === 0,
      what === 'output that works the second time',
      `${what}: ${good.code} ${good.stdout}${good.stderr}`,
    );
  }
});

test('a reader of the output that is gone permits nothing', () => {
  for (const [args, exit] of [
    [elsewhere(), '1'],
    [[...elsewhere(), '--json'], '1'],
    [[...elsewhere(), '--quiet'], '1'],
  ] as const) {
    const script = 'code=$1; shift; { "$@"; echo $? > "$code"; } 2>&1 | true';
    spawnSync('sh', ['-c', script, 'sh', host.path('code'), process.execPath, COMMAND, ...args], { cwd: host.folder });
    assert.is(readFileSync(host.path('code'), 'utf8').trim(), exit, args.join(' '));
  }
});

test.run();
