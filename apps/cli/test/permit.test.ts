import { appendFileSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Desk, deskWithLog, type Outcome } from './fixture.js';
import { enrol, recordModel } from './people.js';

// A permit that the gate wrote is checked where something starts: no log is there, and no settings of one.

const IMAGE = 'ab'.repeat(32);

/** Has the gate write a permit and returns what whoever checks it brings along. The log is gone afterwards. */
async function deploy(): Promise<{ permit: string; log: string; robot: string; stranger: string; files: Desk }> {
  const desk = await deskWithLog();
  try {
    desk.write(
      'policy.yaml',
      `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config], on: ['**'] }
  - { name: pipelines, who: { roles: [pipeline] }, may: [deployment], on: ['deploy/**'] }
`,
    );
    await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'The rules of this test are in force.']);
    const eve = await enrol(desk, 'eve', 'engineer');
    await recordModel(desk, 'wink', '1', eve);
    desk.write('config/prompt.txt', 'You are careful.\n');
    desk.write('config/limits.yaml', 'parameters: { temperature: 0.2 }\n');
    const config = ['config/prompt.txt', 'config/limits.yaml'];
    const about = ['--name', 'api', '--version', '1', '--reason', 'The first version of it.', '--key', eve];
    await desk.result(['record', 'config', ...config, ...about]);
    const { vkey } = await desk.result(['keygen', 'robot', '--role', 'pipeline']);
    await desk.result(['record', 'identity', '--file', 'robot.identity.yaml']);
    const passage = [
      ...['gate', '--env', 'prod', '--service', 'api', '--model', 'wink', '--config', ...config, '--unwitnessed'],
      ...['--image', `registry.test/api@sha256:${IMAGE}`, '--key', 'robot.key', '--reason', 'The first version goes live.'],
    ];
    const script = 'echo "$TREERING_MODEL_DIGEST $TREERING_CONFIG_DIGEST" > told.txt';
    const passed = await desk.call([...passage, '--json', '--', 'sh', '-c', script]);
    assert.is(passed.code, 0, passed.stdout + passed.stderr);
    const { permit, model, config: digest } = passed.json();
    assert.is(readFileSync(desk.path('told.txt'), 'utf8'), `${model} ${digest}\n`);
    assert.match(`${model} ${digest}`, /^[0-9a-f]{64} [0-9a-f]{64}$/);
    const stranger = (await desk.result(['keygen', 'stranger'])).vkey;
    const files = new Desk();
    files.write('wink/weights', 'weights of 1');
    files.write('config/prompt.txt', 'You are careful.\n');
    files.write('config/limits.yaml', 'parameters: { temperature: 0.2 }\n');
    files.write('api.permit', readFileSync(permit));
    return { permit: 'api.permit', log: desk.env.TREERING_LOG_KEY as string, robot: vkey, stranger, files };
  } finally {
    await desk.served.close();
  }
}

const { permit, log, robot, stranger, files } = await deploy();
files.write('log.policy', `log ${log}\nquorum none\n`);
files.write('nothing.permit', 'This is no permit.\n');
files.write('api.json', '{"a":1}');
files.write('other-model/weights', 'weights of 2');
files.write('wink.more/weights', 'weights of 1');
files.write('wink.more/notes.txt', 'left out');
files.write('other.txt', 'You are careless.\n');

const WHERE = ['--env', 'prod', '--service', 'api'];
const TRUST = ['--log-key', log, '--signer', robot];
const PARTS = ['--model', 'wink', '--config', 'config/prompt.txt', 'config/limits.yaml'];
const verify = (...args: readonly string[]): Promise<Outcome> => files.call(['permit', 'verify', ...args]);

interface Case {
  readonly what: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly exit: number;
  /** What is printed, wherever that is. */
  readonly says: RegExp;
}

const cases: readonly Case[] = [
  {
    what: 'the service in its environment',
    args: [permit, ...WHERE, ...TRUST],
    exit: 0,
    says: /✓ proved .*It permits api in prod\./,
  },
  {
    what: 'what nobody looked at is said',
    args: [permit, ...WHERE, ...TRUST],
    exit: 0,
    says: /Model and configuration were not looked at/,
  },
  {
    what: 'that nobody cosigned is said',
    args: [permit, ...WHERE, ...TRUST],
    exit: 0,
    says: /No quorum of witnesses was asked for/,
  },
  {
    what: 'a trust policy',
    args: [permit, ...WHERE, '--policy', 'log.policy', '--signer', robot],
    exit: 0,
    says: /It is permitted\./,
  },
  {
    what: 'whoever the log let in',
    args: [permit, ...WHERE, '--log-key', log, '--any-signer'],
    exit: 0,
    says: /It is permitted\./,
  },
  {
    what: 'one of two signers',
    args: [permit, ...WHERE, '--log-key', log, '--signer', stranger, robot],
    exit: 0,
    says: /It is permitted\./,
  },
  {
    what: 'the content',
    args: [permit, ...WHERE, ...TRUST, ...PARTS, '--image', IMAGE],
    exit: 0,
    says: /are those that it permits/,
  },
  {
    what: 'the configuration in another order',
    args: [
      permit,
      ...WHERE,
      ...TRUST,
      '--image',
      IMAGE,
      '--model',
      'wink',
      '--config',
      'config/limits.yaml',
      'config/prompt.txt',
    ],
    exit: 0,
    says: /are those that it permits/,
  },
  {
    what: 'a folder with what was left out',
    args: [permit, ...WHERE, ...TRUST, ...PARTS, '--model', 'wink.more', '--ignore', 'notes.txt'],
    exit: 0,
    says: /are those that it permits/,
  },
  {
    what: 'a reference with its digest',
    args: [permit, ...WHERE, ...TRUST, '--image', `r.test/api:1@sha256:${IMAGE}`],
    exit: 0,
    says: /The image is the one/,
  },
  { what: 'an hour', args: [permit, ...WHERE, ...TRUST, '--max-age', '1h'], exit: 0, says: /It was signed \d+ seconds ago\./ },
  {
    what: 'a permit in the environment',
    args: [...WHERE, ...TRUST],
    env: { TREERING_PERMIT: permit },
    exit: 0,
    says: /It is permitted\./,
  },
  {
    what: 'the file that is named, and not the one of the environment',
    args: [permit, ...WHERE, ...TRUST],
    env: { TREERING_PERMIT: 'nothing.permit' },
    exit: 0,
    says: /It is permitted\./,
  },

  {
    what: 'another environment',
    args: [permit, '--env', 'test', '--service', 'api', ...TRUST],
    exit: 1,
    says: /It permits api in prod, and not api in test\./,
  },
  {
    what: 'another service',
    args: [permit, '--env', 'prod', '--service', 'web', ...TRUST],
    exit: 1,
    says: /and not web in prod\./,
  },
  {
    what: 'another model',
    args: [permit, ...WHERE, ...TRUST, ...PARTS, '--model', 'other-model'],
    exit: 1,
    says: /are not those that it permits/,
  },
  {
    what: 'a file more',
    args: [permit, ...WHERE, ...TRUST, ...PARTS, '--model', 'wink.more'],
    exit: 1,
    says: /are not those that it permits/,
  },
  {
    what: 'another configuration',
    args: [permit, ...WHERE, ...TRUST, '--model', 'wink', '--config', 'other.txt', 'config/limits.yaml'],
    exit: 1,
    says: /are not those that it permits/,
  },
  {
    what: 'a part of the configuration',
    args: [permit, ...WHERE, ...TRUST, '--model', 'wink', '--config', 'config/prompt.txt'],
    exit: 1,
    says: /are not those/,
  },
  {
    what: 'another image',
    args: [permit, ...WHERE, ...TRUST, '--image', 'cd'.repeat(32)],
    exit: 1,
    says: /It permits another image\./,
  },
  {
    what: 'an unknown signer',
    args: [permit, ...WHERE, '--log-key', log, '--signer', stranger],
    exit: 1,
    says: /It is not permitted\./,
  },
  {
    what: 'another log',
    args: [permit, ...WHERE, '--log-key', stranger, '--signer', robot],
    exit: 1,
    says: /It is not permitted\./,
  },
  {
    what: 'what is no permit',
    args: ['nothing.permit', ...WHERE, ...TRUST],
    exit: 1,
    says: /^treering: the proof file is malformed/,
  },
  {
    what: 'no permit in the environment',
    args: [...WHERE, ...TRUST],
    env: { TREERING_PERMIT: 'nothing.permit' },
    exit: 1,
    says: /malformed/,
  },

  { what: 'no file', args: [...WHERE, ...TRUST], exit: 2, says: /which permit\? Give its file, or set TREERING_PERMIT/ },
  { what: 'an empty variable', args: [...WHERE, ...TRUST], env: { TREERING_PERMIT: '' }, exit: 2, says: /which permit\?/ },
  { what: 'a file that is not there', args: ['gone.permit', ...WHERE, ...TRUST], exit: 2, says: /ENOENT.*gone\.permit/ },
  { what: 'a folder', args: ['config', ...WHERE, ...TRUST], exit: 2, says: /EISDIR/ },
  { what: 'a model that is not there', args: [permit, ...WHERE, ...TRUST, ...PARTS, '--model', 'gone'], exit: 2, says: /gone/ },
  { what: 'a tag', args: [permit, ...WHERE, ...TRUST, '--image', 'registry.test/api:1'], exit: 2, says: /a tag may move/ },
  {
    what: 'no signer',
    args: [permit, ...WHERE, '--log-key', log],
    exit: 2,
    says: /--signer <vkey> names .*; give one of the two/,
  },
  {
    what: 'both kinds of signer',
    args: [permit, ...WHERE, ...TRUST, '--any-signer'],
    exit: 2,
    says: /--any-signer leaves .*; give one of the two/,
  },
  {
    what: 'no log',
    args: [permit, ...WHERE, '--signer', robot],
    exit: 2,
    says: /--policy <file> says .*; give one of the two/,
  },
  {
    what: 'both kinds of log',
    args: [permit, ...WHERE, ...TRUST, '--policy', 'log.policy'],
    exit: 2,
    says: /--policy <file> says .*; give one of the two/,
  },
  {
    what: "the key of a log as a signer's",
    args: [permit, ...WHERE, '--log-key', log, '--signer', 'nonsense'],
    exit: 2,
    says: /./,
  },
  { what: 'a policy that is none', args: [permit, ...WHERE, '--policy', 'api.json', '--signer', robot], exit: 2, says: /./ },
  {
    what: 'a model alone',
    args: [permit, ...WHERE, ...TRUST, '--model', 'wink'],
    exit: 2,
    says: /give --model and --config, or neither/,
  },
  {
    what: 'a configuration alone',
    args: [permit, ...WHERE, ...TRUST, '--config', 'other.txt'],
    exit: 2,
    says: /give --model and --config, or neither/,
  },
  {
    what: 'how, and not what',
    args: [permit, ...WHERE, ...TRUST, '--ignore', 'notes.txt'],
    exit: 2,
    says: /these are not given/,
  },
  {
    what: 'an age that is none',
    args: [permit, ...WHERE, ...TRUST, '--max-age', 'long'],
    exit: 2,
    says: /--max-age .* is invalid\. It takes a time such as/,
  },
  {
    what: 'an age of nothing',
    args: [permit, ...WHERE, ...TRUST, '--max-age', '0'],
    exit: 2,
    says: /--max-age .* is invalid\. It takes a time such as/,
  },
  { what: 'no environment', args: [permit, '--service', 'api', ...TRUST], exit: 2, says: /required option '--env/ },
  { what: 'no service', args: [permit, '--env', 'prod', ...TRUST], exit: 2, says: /required option '--service/ },
  { what: 'a flag that does not exist', args: [permit, ...WHERE, ...TRUST, '--lenient'], exit: 2, says: /unknown option/ },
  {
    what: 'two files',
    args: [permit, permit, ...WHERE, '--log-key', log, '--any-signer'],
    exit: 2,
    says: /too many arguments/,
  },
];

for (const { what, args, env = {}, exit, says } of cases)
  test(`${['permitted', 'not permitted', 'called wrongly'][exit]}: ${what}`, async () => {
    const outcome = await files.call(['permit', 'verify', ...args], { env });
    const printed = outcome.stdout + outcome.stderr;
    assert.is(outcome.code, exit, printed);
    assert.match(printed, says);
    assert.is(/It is permitted\./.test(printed), exit === 0, printed);
    if (exit === 2) assert.is(outcome.stdout, '');
    const quiet = await files.call(['permit', 'verify', ...args, '--quiet'], { env });
    assert.equal([quiet.code, quiet.stdout, quiet.stderr === ''], [exit, '', exit === 0], quiet.stderr);
    const json = await files.call(['permit', 'verify', ...args, '--json'], { env });
    assert.is(json.code, exit);
    if (exit === 0 || json.json().error === undefined) assert.is(json.json().permitted, exit === 0);
    else assert.type(json.json().error.code, 'string');
  });

test('a permit that was signed too long ago', async () => {
  const now = Date.now;
  Date.now = () => now() + 7_200_000;
  try {
    const old = await verify(permit, ...WHERE, ...TRUST, '--max-age', '1h');
    assert.is(old.code, 1, old.stdout);
    assert.match(old.stdout, /It was signed 72\d\d seconds ago, and may be 3600 seconds old\./);
    assert.is((await verify(permit, ...WHERE, ...TRUST, '--max-age', '3h')).code, 0);
    Date.now = () => now() - 7_200_000;
    const ahead = await verify(permit, ...WHERE, ...TRUST, '--max-age', '1h');
    assert.is(ahead.code, 1);
    assert.match(ahead.stdout, /ahead of the clock here/);
  } finally {
    Date.now = now;
  }
});

test('no byte of what was signed can be another one', async () => {
  const bytes = readFileSync(files.path(permit));
  // Behind it are the head's signatures, of which those of keys that nobody named are not looked at.
  const signed = bytes.indexOf('\n\n— ');
  assert.ok(signed > 500);
  for (let at = 0; at < signed; at += Math.ceil(signed / 60)) {
    const changed = Buffer.from(bytes);
    changed[at] ^= 1;
    files.write('changed.permit', changed);
    const { code, stdout } = await verify('changed.permit', ...WHERE, ...TRUST, ...PARTS, '--image', IMAGE);
    assert.is(code, 1, `byte ${at}: ${stdout}`);
  }
});

test('what is said quietly names what failed, and nothing else', async () => {
  const args = [permit, '--env', 'test', '--service', 'api', '--log-key', log, '--any-signer', '--quiet'];
  const { stderr } = await verify(...args);
  assert.is(stderr, 'treering: It permits api in prod, and not api in test.\n');
});

test('settings of a log, and its absence, change nothing', async () => {
  const env = {
    TREERING_LOG_URL: 'http://127.0.0.1:9',
    TREERING_LOG_KEY: stranger,
    TREERING_TRUST: 'gone.txt',
    TREERING_KEY: 'gone',
  };
  assert.is((await files.call(['permit', 'verify', permit, ...WHERE, ...TRUST], { env })).code, 0);
  const none = await files.call(['permit', 'verify', permit, ...WHERE, '--signer', robot], {
    env: { ...env, TREERING_LOG_KEY: log },
  });
  assert.is(none.code, 2, 'the key of the log is never taken from the environment');
});

test('characters that terminals obey are never printed', async () => {
  const { stdout, stderr } = await verify(permit, '--env', '\u001b[2Jprod', '--service', 'api', ...TRUST);
  assert.not.match(stdout + stderr, '\u001b');
  appendFileSync(files.path('nothing.permit'), '\u001b[2J');
  const bad = await verify('nothing.permit', ...WHERE, ...TRUST);
  assert.not.match(bad.stdout + bad.stderr, '\u001b');
});

test.run();
