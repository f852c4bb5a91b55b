import { execFileSync } from 'node:child_process';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Workplace } from './command.js';

// What people use, recorded by the built command into a real log: a registry's webhooks, model folders, DVC, bills of materials.

const SECRET = 'the secret of the webhook';

/** A delivery of MLflow, signed by the letter of its documentation. */
function delivery(event: string, data: object, id: string = randomUUID()) {
  const [entity, action] = event.split('.');
  const body = JSON.stringify({ entity, action, timestamp: new Date().toISOString(), data });
  const timestamp = String(Math.floor(Date.now() / 1000));
  const mac = createHmac('sha256', SECRET).update(`${id}.${timestamp}.${body}`).digest('base64');
  const headers: Record<string, string> = {
    'Content-Type': 'application/json',
    'X-MLflow-Delivery-Id': id,
    'X-MLflow-Timestamp': timestamp,
    'X-MLflow-Signature': `v1,${mac}`,
  };
  return { body, headers };
}

const created = (version: string, name = 'Wink', id?: string) =>
  delivery(
    'model_version.created',
    { name, version, source: `models:/m-${version}`, run_id: null, tags: {}, description: null },
    id,
  );

async function post(url: string, { body, headers }: { body: string; headers: Record<string, string> }) {
  const answer = await fetch(`${url}/mlflow`, { method: 'POST', headers, body });
  // biome-ignore lint/suspicious/noExplicitAny: answers have many shapes
  return { status: answer.status, json: (await answer.json()) as any };
}

/** Waits until nothing waits in a recorder. */
async function settled(url: string): Promise<{ refused: number }> {
  for (let i = 0; i < 300; i++) {
    const health = (await (await fetch(`${url}/healthz`)).json()) as { waiting: number; refused: number };
    if (health.waiting === 0) return health;
    await wait(100);
  }
  throw new Error('deliveries still wait after 30 seconds');
}

function put(place: Workplace, name: string, content: string | Uint8Array): void {
  mkdirSync(dirname(place.path(name)), { recursive: true });
  writeFileSync(place.path(name), content);
}

/** A workplace with a registry's artefacts of versions 1 to `count`. */
function registry(count: number) {
  const place = new Workplace();
  for (let i = 1; i <= count; i++) put(place, `artifacts/m-${i}/weights.bin`, `weights of ${i}`);
  const args = ['--map', `models:/=${place.path('artifacts')}`, '--log-level', 'silent'];
  const env = { TREERING_MLFLOW_SECRET: SECRET };
  /** Versions in the log, the newest first. */
  const versions = async (subject = 'model/wink'): Promise<string[]> => {
    const { records } = await place.result(['history', subject]);
    return records.map(({ record }: { record: { version: string } }) => record.version);
  };
  return { place, args, env, versions };
}

test('a registry announces versions: what is signed is recorded once, anything else changes nothing', async () => {
  const { place, args, env, versions } = registry(2);
  const log = await place.up();
  const recorder = await place.recorder(args, env);
  const { url } = recorder.ready;
  const first = created('1');
  const { 'X-MLflow-Signature': _, ...unsigned } = first.headers;
  assert.is((await post(url, { ...first, headers: unsigned })).status, 401);
  assert.is((await post(url, { ...first, body: first.body.replace('"1"', '"2"') })).status, 401);
  assert.is((await post(url, first)).status, 202);
  await settled(url);
  const replayed = await post(url, first);
  assert.equal([replayed.status, replayed.json.status], [200, 'known']);
  // Another delivery about the same content, and an alias of it: nothing new is to be said of the model.
  assert.is((await post(url, created('1'))).status, 202);
  assert.is(
    (await post(url, delivery('model_version_alias.created', { name: 'Wink', alias: 'champion', version: '1' }))).status,
    202,
  );
  assert.is((await post(url, created('2'))).status, 202);
  assert.is((await post(url, delivery('registered_model.created', { name: 'Wink' }))).status, 200);
  await settled(url);
  assert.equal(await versions(), ['2', '1']);
  const { records } = await place.result(['history', 'model/wink']);
  assert.equal(records[0].record.source, { kind: 'mlflow', path: 'models:/m-2', id: 'Wink/2' });
  assert.is(records[0].record.reason, 'Version 2 of Wink was registered in MLflow.');
  const proof = ['verify', place.path('data', 'proofs', `model-wink-${records[0].index}.tlog-proof`), '--key', log.ready.vkey];
  assert.is((await place.run(proof)).code, 0);
  // Content that changed behind a version's name shows with the next event.
  put(place, 'artifacts/m-1/weights.bin', 'other weights');
  await post(url, delivery('model_version_tag.set', { name: 'Wink', version: '1', key: 'approved', value: 'yes' }));
  await settled(url);
  assert.equal(await versions(), ['1', '2', '1']);
  // And so does content that came back.
  put(place, 'artifacts/m-1/weights.bin', 'weights of 1');
  await post(url, delivery('model_version_tag.set', { name: 'Wink', version: '1', key: 'restored', value: 'yes' }));
  await settled(url);
  assert.equal(await versions(), ['1', '1', '2', '1']);
  assert.is((await recorder.stop()).code, 0);
  const { events, counts } = await place.result(['recorder', 'events']);
  assert.equal([counts.recorded, counts.known, counts.ignored, events.length], [4, 2, 1, 7]);
  await log.stop();
});

test('two names that would be one subject, and a source without a mapping, are refused where everybody sees it', async () => {
  const { place, args, env, versions } = registry(1);
  const log = await place.up();
  const recorder = await place.recorder(args, env);
  const { url } = recorder.ready;
  await post(url, created('1'));
  await post(url, created('1', 'WINK'));
  await post(url, delivery('model_version.created', { name: 'Other', version: '1', source: 's3://bucket/../x' }));
  assert.is((await settled(url)).refused, 2);
  assert.equal(await versions(), ['1']);
  await recorder.stop();
  const { code, stdout } = await place.run(['recorder', 'events']);
  assert.is(code, 1);
  assert.match(stdout, 'which is "Wink"');
  assert.match(stdout, 'has no mapping');
  await log.stop();
});

test('kill -9 between receipt and recording: the delivery is recorded, once', async () => {
  const { place, args, env, versions } = registry(1);
  const log = await place.up();
  const recorder = await place.recorder(args, env);
  // Nothing can be recorded now.
  await log.stop();
  const sent = created('1');
  assert.is((await post(recorder.ready.url, sent)).status, 202);
  await recorder.stop('SIGKILL');
  const again = await place.up();
  const second = await place.recorder(args, env);
  await settled(second.ready.url);
  assert.equal(await versions(), ['1']);
  assert.equal((await post(second.ready.url, sent)).json.status, 'known');
  await second.stop('SIGKILL');
  const third = await place.recorder(args, env);
  assert.is(third.ready.waiting, 0);
  assert.equal(await versions(), ['1']);
  await third.stop();
  await again.stop();
});

test('kill -9 at many moments: every version that was accepted is in the log exactly once', async () => {
  const { place, args, env, versions } = registry(12);
  const log = await place.up();
  const accepted: string[] = [];
  for (const [round, delay] of [0, 15, 40, 90].entries()) {
    const recorder = await place.recorder(args, env);
    for (const version of [1, 2, 3].map((n) => String(round * 3 + n)))
      if ((await post(recorder.ready.url, created(version))).status === 202) accepted.push(version);
    await wait(delay);
    await recorder.stop('SIGKILL');
  }
  const last = await place.recorder(args, env);
  assert.is((await settled(last.ready.url)).refused, 0);
  const logged = await versions();
  assert.equal([...logged].sort(), [...accepted].sort());
  assert.is(accepted.length, 12);
  await last.stop();
  await log.stop();
});

test('the secret is needed, long enough, and readable by nobody else', async () => {
  const { place, args } = registry(1);
  const log = await place.up();
  const refused = async (env: Record<string, string>, flags: readonly string[], why: string): Promise<void> => {
    const { code, stderr } = await place.run(['recorder', 'serve', ...args, ...flags], env);
    assert.is(code, 2, stderr);
    assert.match(stderr, why);
  };
  await refused({}, [], 'TREERING_MLFLOW_SECRET');
  await refused({ TREERING_MLFLOW_SECRET: 'short' }, [], 'at least 16 characters');
  place.write('secret.txt', `${SECRET}\n`);
  chmodSync(place.path('secret.txt'), 0o644);
  await refused({}, ['--secret-file', 'secret.txt'], 'secret file');
  chmodSync(place.path('secret.txt'), 0o600);
  const recorder = await place.recorder([...args, '--secret-file', 'secret.txt']);
  assert.is((await post(recorder.ready.url, created('1'))).status, 202);
  await settled(recorder.ready.url);
  await recorder.stop();
  await log.stop();
});

/** A safetensors file with one tensor of 32-bit numbers. */
function safetensors(name: string, shape: readonly number[]): Uint8Array {
  const size = shape.reduce((product, n) => product * n, 4);
  const json = Buffer.from(JSON.stringify({ [name]: { dtype: 'F32', shape, data_offsets: [0, size] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return new Uint8Array(Buffer.concat([length, json, Buffer.alloc(size)]));
}

test('a Hugging Face folder in DVC goes into the log and comes back as a BOM that can be imported', async () => {
  const place = new Workplace();
  const log = await place.up();
  mkdirSync(place.path('repo'));
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', place.path('repo'), '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
      env: { ...place.env },
      encoding: 'utf8',
    }).trim();
  git('init', '-q');
  const files: Record<string, string | Uint8Array> = {
    'config.json': '{"model_type":"tiny"}',
    'generation_config.json': '{"temperature":0.5}',
    'model.safetensors': safetensors('w', [3, 5]),
    'README.md': '---\nlicense: mit\n---\n',
  };
  for (const [name, content] of Object.entries(files)) put(place, `repo/tiny/${name}`, content);
  const md5 = (content: string | Uint8Array): string => createHash('md5').update(content).digest('hex');
  const list = Object.keys(files)
    .sort()
    .map((name) => `{"md5": "${md5(files[name])}", "relpath": "${name}"}`);
  put(place, 'repo/tiny.dvc', `outs:\n- md5: ${md5(`[${list.join(', ')}]`)}.dir\n  nfiles: 4\n  hash: md5\n  path: tiny\n`);
  put(place, 'repo/.gitignore', '/tiny\n');
  git('add', '-A');
  git('commit', '-q', '-m', 'The model.');
  const why = ['--version', '1', '--reason', 'The first version of it.'];
  const { index, leaf, config } = await place.result(['record', 'repo/tiny', ...why, '--config-name', 'tiny-decoding']);
  const { record } = await place.result(['show', String(index)]);
  assert.equal([record.license, record.format, record.size.parameters], ['mit', 'safetensors', 15]);
  const { kind, dirty, revision } = record.source;
  assert.equal([kind, dirty, revision], ['dvc', false, git('rev-parse', 'HEAD')]);
  assert.equal((await place.result(['show', String(config.index)])).record.parameters, { temperature: '0.5' });

  await place.result(['bom', 'export', leaf, '-o', 'tiny.cdx.json']);
  const bom = readFileSync(place.path('tiny.cdx.json'), 'utf8');
  assert.match(bom, leaf);
  const said = await place.run(['record', 'tiny.cdx.json', ...why]);
  assert.is(said.code, 2);
  assert.match(said.stderr, `treering bom import ${place.path('tiny.cdx.json')} --path`);
  const args = ['bom', 'import', 'tiny.cdx.json', '--path', 'copy', '--name', 'copied', '--reason', 'A copy, as its BOM says.'];
  cpSync(place.path('repo/tiny'), place.path('copy'), { recursive: true });
  const imported = await place.result(['show', String((await place.result(args)).index)]);
  assert.equal([imported.record.digest, imported.record.license, imported.record.version], [record.digest, 'mit', '1']);
  put(place, 'copy/config.json', '{"model_type":"other"}');
  const { code, stderr } = await place.run(args);
  assert.is(code, 2);
  assert.match(stderr, 'nothing is recorded');
  // DVC says what was committed; the working copy is now something else.
  put(place, 'repo/tiny/config.json', '{"model_type":"other"}');
  const changed = await place.result(['record', 'repo/tiny', '--version', '2', '--reason', 'Somebody changed the folder.']);
  assert.is((await place.result(['show', String(changed.index)])).record.source.dirty, true);
  await log.stop();
});

test.run();
