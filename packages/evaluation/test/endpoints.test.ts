import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type AskOptions, askAll } from '../src/ask.js';
import { httpEndpoint } from '../src/http-endpoint.js';
import { bodyFor, defaultMapping, headersOf, parseMapping, predictionIn } from '../src/mapping.js';
import { commandEndpoint } from '../src/node/command-endpoint.js';
import { openAiEndpoint } from '../src/openai-endpoint.js';
import { answersOf, isError } from './answers.js';
import { TestEndpoint } from './http-server.js';

const server = new TestEndpoint();
const url = await server.listen();
test.after(() => server.close());

const none = new AbortController().signal;
const options: AskOptions = { concurrency: 3, timeout: 2_000, mostUnanswered: 0.02, now: () => performance.now() };
const examples = (count: number) =>
  answersOf(Array.from({ length: count }, () => ['spam', ''] as const)).map(({ example }) => example);
const mapping = (value: unknown, why: RegExp): void =>
  assert.throws(() => parseMapping(value), isError('evaluation/mapping', why), JSON.stringify(value));
/** The reasons for which an endpoint is not answered. */
async function reasons(answer: TestEndpoint['answer'], about: Partial<AskOptions> = {}): Promise<string[]> {
  server.answer = answer;
  const asked = await askAll(httpEndpoint(url, defaultMapping(), { env: {} }), examples(1), 'label', { ...options, ...about });
  return asked.unanswered.map(({ reason }) => reason);
}

test('an input is placed as a JSON value and can become nothing else', () => {
  const template = parseMapping({ body: { text: '{{input}}', list: ['{{input}}', 'fixed', null, 1] } });
  const evil = '", "admin": true, "x": "{{input}}';
  assert.equal(JSON.parse(bodyFor(template, evil)), { text: evil, list: [evil, 'fixed', null, 1] });
  assert.equal(JSON.parse(bodyFor(defaultMapping(), { a: [1] })), { input: { a: [1] } });
  assert.is(bodyFor(parseMapping({ body: '{{input}}' }), ['x']), '["x"]');
});

test('a mapping is read strictly', () => {
  mapping({ body: { text: 'fixed' } }, /every question would be the same/);
  mapping({ body: { text: 'say: {{input}}' } }, /stands alone/);
  mapping({ method: 'GET' }, /method/);
  mapping({ metod: 'POST' }, /metod/);
  mapping([], /no mapping/);
  mapping({ prediction: 'label' }, /JSON pointer/);
  mapping({ prediction: '/a~2' }, /JSON pointer/);
  mapping({ headers: { 'X-Api-Key': 'abc' } }, /X-Api-Key may be a secret/);
  mapping({ headers: { Authorization: 'Bearer abc' } }, /Authorization may be a secret/);
  mapping({ headers: { 'bad name': 'x' } }, /headers/);
  mapping({ labels: { a: 'b' }, threshold: { at: 1, at_or_above: 'a', below: 'b' } }, /one of the two/);
  assert.equal(headersOf(parseMapping({ headers: { 'X-Api-Key': 'env:KEY', 'X-Tenant': 'a' } }), { KEY: 'k' }), {
    'X-Api-Key': 'k',
    'X-Tenant': 'a',
  });
  assert.throws(
    () => headersOf(parseMapping({ headers: { 'X-Api-Key': 'env:KEY' } }), {}),
    isError('evaluation/mapping', /KEY, which is not set/),
  );
});

test('a prediction is found by its pointer, and becomes a label', () => {
  const answer = { 'a/b': [{ '~': 'yes' }, { n: 0.5 }], ok: true, text: ' 1 ' };
  assert.is(predictionIn(answer, '/a~1b/0/~0', {}), 'yes');
  assert.is(predictionIn(answer, '/ok', {}), true);
  assert.is(predictionIn('whole', '', {}), 'whole');
  const threshold = { at: 0.5, at_or_above: 'spam', below: 'ham' };
  assert.is(predictionIn(answer, '/a~1b/1/n', { threshold }), 'spam');
  assert.is(predictionIn({ p: '0.49' }, '/p', { threshold }), 'ham');
  assert.is(predictionIn(answer, '/text', { labels: { '1': 'spam' } }), 'spam');
  const unread: [unknown, string, object][] = [
    [answer, '/missing', {}],
    [answer, '/constructor', {}],
    [answer, '/a~1b/length', {}],
    [answer, '/a~1b/00', {}],
    [answer, '/a~1b', {}],
    [null, '/x', {}],
    [{ p: 'other' }, '/p', { labels: { '1': 'spam' } }],
    [{ p: 'toString' }, '/p', { labels: { '1': 'spam' } }],
    [{ p: 'high' }, '/p', { threshold }],
    [{ p: '' }, '/p', { threshold }],
  ];
  for (const [value, pointer, reading] of unread)
    assert.throws(() => predictionIn(value, pointer, reading), isError('evaluation/unanswered', /./), pointer);
});

test('an endpoint is asked with its headers and its token', async () => {
  server.seen.length = 0;
  server.answer = ({ body }, response) => response.end(JSON.stringify({ label: { name: `is ${body.text}` } }));
  const given = parseMapping({
    method: 'PUT',
    headers: { 'X-Tenant': 'a' },
    body: { text: '{{input}}' },
    prediction: '/label/name',
  });
  const endpoint = httpEndpoint(`${url}/classify`, given, { token: 'secret', env: {} });
  assert.is(await endpoint.ask({ id: '1', input: 'mail' }, none), 'is mail');
  const [{ path, method, headers }] = server.seen;
  assert.equal([path, method, headers.authorization, headers['x-tenant']], ['/classify', 'PUT', 'Bearer secret', 'a']);
  for (const wrong of ['ftp://x', 'x', 'http://user:pass@127.0.0.1/'])
    assert.throws(() => httpEndpoint(wrong, given, { env: {} }), isError('evaluation/endpoint', /address/));
});

test('whatever cannot be read is unanswered, and says why without what was answered', async () => {
  assert.equal(await reasons((_, r) => r.writeHead(500).end('secret')), ['the endpoint answers with status 500']);
  assert.equal(await reasons((_, r) => r.writeHead(302, { Location: `${url}/other` }).end()), [
    'the endpoint redirects, which is not followed',
  ]);
  assert.equal(await reasons((_, r) => r.end('secret')), ['the answer is no JSON']);
  assert.equal(await reasons((_, r) => r.end(Buffer.from([0x22, 0xff, 0x22]))), ['the answer cannot be read']);
  assert.equal(await reasons((_, r) => r.end('{}')), ['the answer has nothing at /prediction']);
  assert.equal(await reasons((_, r) => r.end(`{"prediction":"${'x'.repeat(1024 * 1024)}"}`)), [
    'the answer is longer than 1048576 bytes',
  ]);
  assert.equal(await reasons((_, r) => r.write('{'), { timeout: 100 }), ['no answer within 100 ms']);
  assert.equal(await reasons((_, r) => r.destroy()), ['the endpoint cannot be reached (UND_ERR_SOCKET)']);
});

test('every example is in one of the two lists, and asking ends when too many are unanswered', async () => {
  let count = 0;
  server.answer = (_, response) => response.end(++count % 10 === 0 ? '{}' : '{"prediction":"spam"}');
  const endpoint = httpEndpoint(url, defaultMapping(), { env: {} });
  const patient = await askAll(endpoint, examples(50), 'label', { ...options, mostUnanswered: 0.5 });
  assert.equal([patient.answered.length, patient.unanswered.length], [45, 5]);
  assert.ok(patient.answered.every(({ latency, predicted }) => latency > 0 && predicted === 'spam'));
  server.seen.length = 0;
  server.answer = (_, response) => response.writeHead(503).end();
  const ended = await askAll(endpoint, examples(100), 'label', options);
  assert.equal([ended.answered.length, ended.unanswered.length], [0, 100]);
  assert.ok(server.seen.length < 10, `${server.seen.length} questions`);
  assert.match(ended.unanswered[99].reason, 'not asked');
  // One that answers most is asked to the end, however many it leaves: what it answers may be wrong for certain.
  server.answer = ({ body }, response) => response.end(body.input % 10 === 0 ? '{}' : '{"prediction":"WRONG"}');
  const evasive = await askAll(endpoint, examples(100), 'label', { ...options, concurrency: 1, mostUnanswered: 0.02 });
  assert.equal([evasive.answered.length, evasive.unanswered.length], [90, 10]);
});

test('where numbers are expected, an answer is a number', async () => {
  const answers = [
    '{"prediction":1.5}',
    '{"prediction":" 2e1 "}',
    '{"prediction":"0x10"}',
    '{"prediction":true}',
    '{"prediction":""}',
  ];
  server.answer = ({ body }, response) => response.end(answers[body.input]);
  const asked = await askAll(httpEndpoint(url, defaultMapping(), { env: {} }), examples(5), 'number', {
    ...options,
    mostUnanswered: 0.9,
  });
  assert.equal(
    asked.answered.map(({ predicted }) => predicted),
    [1.5, 20],
  );
  assert.equal(new Set(asked.unanswered.map(({ reason }) => reason)), new Set(['the answer is no number']));
});

test('who is told to end ends, and nobody is blamed', async () => {
  const ending = new AbortController();
  server.answer = () => ending.abort(new Error('told to end'));
  const endpoint = httpEndpoint(url, defaultMapping(), { env: {} });
  await askAll(endpoint, examples(5), 'label', { ...options, signal: ending.signal }).then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'told to end'),
  );
});

test('an OpenAI-compatible endpoint is asked by chat and by completion, with the deployed parameters', async () => {
  server.answer = ({ path }, response) =>
    response.end(
      JSON.stringify({ choices: [path.endsWith('chat/completions') ? { message: { content: ' Spam\n' } } : { text: ' ham' }] }),
    );
  const about = { model: 'm', token: 't', env: {}, parameters: { temperature: '0.2', max_tokens: '5', confidence: '0.8' } };
  const chat = openAiEndpoint(`${url}/v1/`, { ...about, completions: false, reading: { labels: { Spam: 'spam' } } });
  assert.is(await chat.ask({ id: '1', input: 'is it?' }, none), 'spam');
  const messages = [{ role: 'system', content: 'Be brief.' }];
  assert.is(await chat.ask({ id: '1', input: messages }, none), 'spam');
  const completions = openAiEndpoint(`${url}/v1`, { ...about, completions: true });
  assert.is(await completions.ask({ id: '1', input: 'is it?' }, none), 'ham');
  const seen = server.seen.filter(({ path }) => path.startsWith('/v1'));
  const sampling = { temperature: 0.2, max_tokens: 5 };
  assert.equal(
    seen.map(({ path, body }) => [path, body]),
    [
      ['/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'is it?' }], ...sampling }],
      ['/v1/chat/completions', { model: 'm', messages, ...sampling }],
      ['/v1/completions', { model: 'm', prompt: 'is it?', ...sampling }],
    ],
  );
  assert.is(seen[0].headers.authorization, 'Bearer t');
  server.answer = (_, response) => response.end('{"choices":[]}');
  await chat.ask({ id: '1', input: 'x' }, none).then(
    () => assert.unreachable(),
    (error) => assert.ok(isError('evaluation/unanswered', /nothing at/)(error)),
  );
});

/** A program that answers lines: `reply` is the body of a function of the question. */
function program(reply: string) {
  const code = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const q = JSON.parse(line); const say = (v) => console.log(JSON.stringify(v)); ${reply} });`;
  return commandEndpoint([process.execPath, '-e', code], { cwd: process.cwd(), env: { PATH: process.env.PATH, A: 'b' } });
}
async function asksCommand(reply: string, about: Partial<AskOptions> = {}) {
  const endpoint = program(reply);
  try {
    return await askAll(endpoint, examples(6), 'label', { ...options, mostUnanswered: 0.9, ...about });
  } finally {
    await endpoint.close();
  }
}

test('a command answers in any order, and sees what it is given of the environment', async () => {
  const late = await asksCommand(
    'setTimeout(() => say({ id: q.id, prediction: process.env.A + q.input }), q.input === 0 ? 200 : 0);',
  );
  assert.equal(
    late.answered.map(({ predicted }) => predicted),
    ['b0', 'b1', 'b2', 'b3', 'b4', 'b5'],
  );
});

test('a command that ends, is silent, or writes something else leaves examples unanswered', async () => {
  const ended = await asksCommand("if (q.input === 3) process.exit(0); say({ id: q.id, prediction: 'x' });", {
    concurrency: 1,
  });
  assert.equal([ended.answered.length, ended.unanswered[0].reason], [3, 'the command ended']);
  const silent = await asksCommand("if (q.input !== 3) say({ id: q.id, prediction: 'x' });", { timeout: 1_500 });
  assert.equal([silent.answered.length, silent.unanswered[0].reason], [5, 'no answer within 1500 ms']);
  assert.is((await asksCommand("console.log('hello');")).unanswered[0].reason, 'the command wrote a line that is no JSON');
  assert.is((await asksCommand('say({ id: q.id });')).unanswered[0].reason, 'the answer has nothing at /prediction');
  const long = await asksCommand("console.log('x'.repeat(3 * 1024 * 1024));");
  assert.is(long.unanswered[0].reason, 'the command wrote a line longer than 1048576 bytes');
  const missing = commandEndpoint(['./there-is-no-such-program'], { cwd: process.cwd(), env: {} });
  const unstarted = await askAll(missing, examples(2), 'label', options);
  await missing.close();
  assert.is(unstarted.unanswered[0].reason, 'the command cannot be started');
  assert.throws(() => commandEndpoint([], { cwd: '.', env: {} }), isError('evaluation/endpoint', /name/));
});

test('a command that does not end is ended', async () => {
  const endpoint = program(
    "process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1000); say({ id: q.id, prediction: String(process.pid) });",
  );
  const pid = Number(await endpoint.ask({ id: '1', input: 1 }, none));
  await endpoint.close();
  assert.throws(() => process.kill(pid, 0), /ESRCH/);
});

test('what a command has started ends with it, and is not waited for when it keeps the output open', async () => {
  const answers =
    "require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => console.log(JSON.stringify({ id: JSON.parse(line).id, prediction: process.env.LEFT })))";
  // In the group, deaf to SIGTERM; and outside of it, as a daemon is.
  for (const start of [
    `(trap '' TERM; exec sleep 40) & export LEFT=$!; exec "$0" -e "$1"`,
    `exec 3>&1; export LEFT=$("$0" -e "$2"); exec "$0" -e "$1"`,
  ]) {
    const daemon =
      "const c = require('node:child_process').spawn('sleep', ['40'], { detached: true, stdio: ['ignore', 3, 3] }); c.unref(); console.log(c.pid)";
    const command = ['sh', '-c', start, process.execPath, answers, daemon];
    const endpoint = commandEndpoint(command, { cwd: process.cwd(), env: { PATH: process.env.PATH } });
    const left = Number(await endpoint.ask({ id: '1', input: 1 }, AbortSignal.timeout(10_000)));
    const began = performance.now();
    await endpoint.close();
    assert.ok(performance.now() - began < 10_000, start);
    assert.ok(left > 0);
    if (start.includes('trap')) assert.is(await isGone(left), true);
    else process.kill(left, 'SIGKILL');
  }
});

test('a command ends with the process that asks it', async () => {
  const source = new URL('../src/node/command-endpoint.ts', import.meta.url).href;
  const answers =
    "require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => console.log(JSON.stringify({ id: JSON.parse(line).id, prediction: String(process.pid) }))); process.stdin.on('end', () => setInterval(() => undefined, 1000))";
  const code = `import { commandEndpoint } from '${source}';
    const endpoint = commandEndpoint([process.execPath, '-e', ${JSON.stringify(answers)}], { cwd: '.', env: {} });
    console.log(await endpoint.ask({ id: '1', input: 1 }, AbortSignal.timeout(20000)));
    setInterval(() => undefined, 1000);`;
  const args = ['--conditions=@treering/source', '--import', 'tsx', '--input-type=module', '-e', code];
  const asking = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = (await once(asking.stdout, 'data')) as [Buffer];
  asking.kill('SIGINT');
  const [, signal] = await once(asking, 'exit');
  assert.is(signal, 'SIGINT');
  assert.is(await isGone(Number(chunk.toString('utf8'))), true);
});

/** Whether a process ends within some seconds. */
async function isGone(pid: number): Promise<boolean> {
  assert.ok(pid > 0);
  for (let wait = 0; wait < 50; wait++) {
    try {
      process.kill(pid, 0);
      // One that nobody has waited for yet is over as well.
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true;
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

test.run();
