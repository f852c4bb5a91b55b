import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type RunningLog, type RunningWitness, Workplace } from './command.js';

/*
 * What somebody between the gate and the log, a witness, a clock, or rules that change in between can do to a deployment: nothing is
 * ever run. The rules themselves are tried out in apps/cli/test/gate.test.ts.
 */

/** What a proxy changes of an answer; it may also do something meanwhile. */
type Change = (request: IncomingMessage, body: Buffer) => Buffer | Promise<Buffer>;

const place = new Workplace();
let log: RunningLog;
let proxy: Server;
let change: Change = (_, body) => body;

const POLICY = (more = '') => `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: approvers, who: { roles: [approver] }, may: [approval], on: ['**'] }
${more}`;

test.before(async () => {
  log = await place.up([], {}, 'json', true);
  proxy = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const {
      host: _host,
      connection: _connection,
      'content-length': _length,
      'transfer-encoding': _encoding,
      ...headers
    } = request.headers;
    const answer = await fetch(`${log.ready.url}${request.url}`, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    });
    const body = await change(request, Buffer.from(await answer.arrayBuffer()));
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/octet-stream' });
    response.end(body);
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  place.write('policy.yaml', POLICY());
  await place.result(['policy', 'set', 'policy.yaml', '--reason', 'The rules of this test are in force.']);
  place.write('model/weights', 'weights');
  place.write('prompt.txt', 'Be careful.\n');
  const about = ['--name', 'filter', '--version', '1', '--reason', 'The first version of it.'];
  await place.result(['record', 'model', 'model', ...about]);
  await place.result(['record', 'config', 'prompt.txt', ...about]);
});
test.after(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await log?.stop();
});

const gate = (service: string, env: Readonly<Record<string, string>> = {}, more: readonly string[] = []) =>
  place.run(
    [
      ...['gate', '--env', 'prod', '--service', service, '--model', 'model', '--config', 'prompt.txt'],
      ...['--reason', 'The filter goes live.', '--json', ...more, '--', 'touch', `ran-${service}`],
    ],
    env,
  );
const viaProxy = () => ({ TREERING_LOG_URL: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
const phases = async (service: string): Promise<string[]> =>
  ((await place.result(['history', `deploy/prod/${service}`])).records as { record: { phase: string } }[]).map(
    ({ record }) => record.phase,
  );

/** Fails unless the gate ended like this, and the command was not run. */
async function refused(service: string, run: ReturnType<typeof gate>, exit: number, code: RegExp): Promise<string> {
  const { code: ended, stdout, stderr } = await run;
  assert.is(existsSync(place.path(`ran-${service}`)), false, 'the command was run');
  assert.is(ended, exit, stdout + stderr);
  assert.match(JSON.parse(stdout).error.code, code);
  return stdout + stderr;
}

test('without anybody in between it goes live', async () => {
  const { code, stdout, stderr } = await gate('good', viaProxy());
  assert.is(code, 0, stdout + stderr);
  assert.ok(existsSync(place.path('ran-good')));
});

test('cosignatures that do not hold are none', async () => {
  change = (request, body) => {
    if (request.url?.includes('wait=witnessed') !== true) return body;
    const answer = JSON.parse(body.toString('utf8')) as { checkpoint?: string };
    if (answer.checkpoint === undefined) return body;
    // The witnesses' lines keep name and key id, and their signatures are of something else.
    const checkpoint = answer.checkpoint.replace(
      /^(— \S+witness-\d \S{20})\S{20}/gm,
      (_, start: string) => `${start}${'A'.repeat(20)}`,
    );
    assert.is.not(checkpoint, answer.checkpoint);
    return Buffer.from(JSON.stringify({ ...answer, checkpoint }));
  };
  const said = await refused('lying', gate('lying', viaProxy()), 4, /^gate\/no-permit$/);
  assert.match(said, 'The head does not hold');
  change = (_, body) => body;
});

test('a head without cosignatures is not enough', async () => {
  change = (request, body) => {
    if (request.url?.includes('wait=witnessed') !== true) return body;
    const answer = JSON.parse(body.toString('utf8')) as { checkpoint?: string };
    const checkpoint = answer.checkpoint?.replace(/^— \S*witness-\S* .*\n/gm, '');
    return Buffer.from(JSON.stringify({ ...answer, ...(checkpoint === undefined ? {} : { checkpoint }) }));
  };
  await refused('alone', gate('alone', viaProxy()), 4, /^gate\/no-quorum$/);
  change = (_, body) => body;
  assert.equal(await phases('alone'), ['ended', 'intent'], 'the log says that nothing came of it');
});

test('rules that change between the intent and the head stop it', async () => {
  let changed = false;
  change = async (request, body) => {
    if (changed || request.url?.includes('wait=witnessed') !== true) return body;
    changed = true;
    place.write('policy.yaml', POLICY('approvals: [{ on: model/*, need: 1, roles: [approver], not_author: true }]\n'));
    await place.result(['policy', 'set', 'policy.yaml', '--reason', 'From now on models are approved first.']);
    return body;
  };
  const said = await refused('overtaken', gate('overtaken', viaProxy()), 4, /^governance\/not-approved$/);
  assert.match(said, /decided by policy@\d+\/approvals\/model\/\*/);
  change = (_, body) => body;
  assert.equal(await phases('overtaken'), ['ended', 'intent']);
  place.write('policy.yaml', POLICY());
  await place.result(['policy', 'set', 'policy.yaml', '--reason', 'The rules of this test are in force.']);
});

test('a freeze between the intent and the head stops it', async () => {
  let frozen = false;
  change = async (request, body) => {
    if (frozen || request.url?.includes('wait=witnessed') !== true) return body;
    frozen = true;
    place.write(
      'freeze.yaml',
      `subject: freeze/now\nreason: Nothing goes live any more.\non: deploy/prod/frozen\nuntil: ${Math.floor(Date.now() / 1000) + 600}\n`,
    );
    await place.result(['record', 'freeze', '--file', 'freeze.yaml']);
    return body;
  };
  const said = await refused('frozen', gate('frozen', viaProxy()), 4, /^governance\/frozen$/);
  assert.match(said, 'The log does not say that the announced deployment came to nothing');
  change = (_, body) => body;
});

test('an answer that never comes stops it', async () => {
  change = (request, body) => (request.url?.includes('wait=witnessed') ? Buffer.from('{') : body);
  await refused('garbled', gate('garbled', viaProxy()), 1, /^client\//);
  change = (_, body) => body;
});

test('a clock that is wrong is refused by the log', async () => {
  const shift = fileURLToPath(new URL('shift-clock.mjs', import.meta.url));
  const env = { NODE_OPTIONS: `--import=${shift}`, CLOCK_SHIFT: String(-1_200_000) };
  await refused('late', gate('late', env), 4, /^governance\/clock$/);
});

test('a log whose own witnesses do not cosign lets nothing through', async () => {
  const own = new Workplace();
  let witness: RunningWitness | undefined;
  let served: RunningLog | undefined;
  try {
    const alone = await own.up();
    const [vkey] = alone.ready.vkey.split(' ');
    await alone.stop();
    own.write('logs.txt', `log ${vkey}\n`);
    witness = await own.witness([
      '--data',
      own.path('witness'),
      '--name',
      'witness.test/1',
      '--logs',
      'logs.txt',
      '--listen',
      '127.0.0.1:0',
    ]);
    own.write('trust.txt', `log ${vkey}\nwitness one ${witness.ready.vkeys[0]} ${witness.ready.url}\nquorum one\n`);
    served = await own.up(['--witnesses', own.path('trust.txt')]);
    Object.assign(own.env, { TREERING_LOG_URL: served.ready.url, TREERING_LOG_KEY: vkey });
    own.write('model/weights', 'weights');
    own.write('prompt.txt', 'Be careful.\n');
    const about = ['--name', 'filter', '--version', '1', '--reason', 'The first version of it.'];
    await own.result(['record', 'model', 'model', ...about]);
    await own.result(['record', 'config', 'prompt.txt', ...about]);
    await witness.stop('SIGKILL');
    const { code, stdout, stderr } = await own.run([
      ...['gate', '--env', 'prod', '--service', 'lonely', '--model', 'model', '--config', 'prompt.txt', '--trust', 'trust.txt'],
      ...['--reason', 'The filter goes live.', '--json', '--', 'touch', 'ran'],
    ]);
    assert.is(existsSync(own.path('ran')), false, 'the command was run');
    assert.is(code, 4, stdout + stderr);
    assert.is(JSON.parse(stdout).error.code, 'gate/no-quorum');
  } finally {
    await witness?.stop('SIGKILL');
    await served?.stop('SIGKILL');
  }
});

test.run();
