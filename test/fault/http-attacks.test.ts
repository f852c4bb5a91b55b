import { randomBytes } from 'node:crypto';
import { createAttachment } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pod, review } from '../../apps/admission/test/reviews.js';
import { FiveServers, type Server } from './five-servers.js';
import { jsonAttacksOn } from './json-attacks.js';
import { disguisesOf } from './path-attacks.js';
import { exchange } from './raw-exchange.js';
import { REQUEST_ATTACKS, type RequestAttack } from './request-attacks.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

// What strangers can put on a connection: every server answers it in one way, ends the connection where the bytes behind could be
// taken for a request, and is as it was before.

/** What the record that is logged says of its attachment. */
const ATTACHED = { name: 'note.txt', media_type: 'text/plain', access: 'public' } as const;

const five = await FiveServers.open();
test.after(() => five.close());
let requests = 0;
/** Of the disguises of a path, every so many are tried. */
const STEP = forSize({ quick: 3, full: 1, soak: 1 });

/** What is wrong with the answer to an attack; undefined when nothing is. */
async function mistakeOf(server: Server, { what, bytes, answers }: RequestAttack): Promise<string | undefined> {
  const { statuses, closed, text } = await exchange(server, bytes(server));
  requests++;
  const right = answers.some((answer) => answer.join() === statuses.join());
  if (right && closed) return undefined;
  return `${server.name}, ${what}: ${statuses.join()}${closed ? '' : ', and the connection stays open'}: ${text.slice(-200)}`;
}

for (const server of five.servers) {
  const attacks = REQUEST_ATTACKS.filter(({ bounded }) => bounded !== true || Number.isFinite(server.largest));
  test(`${server.name}: ${attacks.length} requests that nobody should send are answered, and change nothing`, async () => {
    const before = await server.state();
    const mistakes = await Promise.all(attacks.map((attack) => mistakeOf(server, attack)));
    assert.equal(
      mistakes.filter((mistake) => mistake !== undefined),
      [],
    );
    assert.is(await server.state(), before);
  });
}

/** The answer to one target, as it is sent. */
async function get(server: Server, target: string): Promise<{ status: number; body: string }> {
  const { statuses, text } = await exchange(server, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  requests++;
  return { status: statuses[0] ?? 0, body: text.slice(text.indexOf('\r\n\r\n') + 4) };
}

const hash = five.hash;
const salted = new Uint8Array(randomBytes(16));
const attachment = createAttachment(new TextEncoder().encode('a public attachment'), ATTACHED, salted);
const digest = Buffer.from(attachment.ref.digest).toString('hex');
const { index, leaf } = await five.logged(attachment);
const PATHS: Readonly<Record<string, readonly string[]>> = {
  log: [
    '/checkpoint',
    '/tile/0/000.p/2',
    '/tile/entries/000.p/2',
    `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`,
    `/v1/entries/${index}`,
    `/v1/entries/${leaf}`,
    `/v1/proof/${index}.tlog-proof`,
    '/v1/subjects/model/wink',
    `/entries/${index}/statement`,
    '/healthz',
  ],
  witness: [`/${hash}/contradictions`, '/healthz'],
  mirror: [`/mirror/${hash}/checkpoint`, `/mirror/${hash}/tile/0/000.p/2`],
  monitor: [`/gossip/${hash}`, '/v1/alarms/1', '/healthz'],
  admission: ['/healthz'],
  recorder: ['/healthz'],
};

for (const server of five.servers)
  test(`${server.name}: no target that only looks like a path leads anywhere else`, async () => {
    for (const [at, path] of PATHS[server.name].entries()) {
      const plain = await get(server, path);
      assert.ok([200, 404].includes(plain.status), `${path}: ${plain.status}`);
      const targets = disguisesOf(path).filter((_, i) => (i + at) % STEP === 0);
      const answers = await Promise.all(targets.map(async (target) => ({ target, ...(await get(server, target)) })));
      // A path that is spelled otherwise may be the same path, and is then answered as it.
      const wrong = answers.filter(
        ({ status, body }) => ![400, 404].includes(status) && !(status === 200 && body === plain.body),
      );
      assert.equal(
        wrong.map(({ target, status }) => `${status} for ${target}`),
        [],
        path,
      );
      const again = await get(server, path);
      assert.equal(again.status, plain.status, 'nothing of what was asked is kept for the path itself');
      if (plain.status === 200) assert.is(again.body, plain.body);
    }
  });

test('JSON that is read otherwise elsewhere lets in nothing and leaves nothing behind', async () => {
  const [, , , , admission, recorder] = five.servers;
  const send = async (
    server: Server,
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: string }> => {
    const lines = [...Object.entries(headers), ['Content-Length', String(body.length)], ['Connection', 'close']].map(
      ([name, value]) => `${name}: ${value}`,
    );
    const { statuses, text } = await exchange(
      server,
      Buffer.concat([Buffer.from([`POST ${server.post} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n')), body]),
    );
    requests++;
    return { status: statuses[0] ?? 0, body: text.slice(text.indexOf('\r\n\r\n') + 4) };
  };
  const bad = JSON.stringify(review(pod({ annotations: { 'treering.dev/model': 'd4'.repeat(32) } })));
  const good = new TextEncoder().encode(JSON.stringify(review(pod())));
  const allowed = await send(admission, good, { 'Content-Type': 'application/json' });
  assert.is(
    JSON.parse(allowed.body).response.allowed,
    true,
    'the review that all of this is made of is allowed but for its model',
  );
  for (const [what, body] of jsonAttacksOn(bad)) {
    const answer = await send(admission, body, { 'Content-Type': 'application/json' });
    assert.ok([200, 400].includes(answer.status), `admission, ${what}: ${answer.status}`);
    if (answer.status === 200) assert.is(JSON.parse(answer.body).response.allowed, false, `admission, ${what}`);
  }
  const event = JSON.stringify({ entity: 'registered_model', action: 'created', data: { name: 'x' } });
  const before = five.recorder.store.counts();
  let kept = 0;
  for (const [i, [what, body]] of jsonAttacksOn(event).entries()) {
    const answer = await send(recorder, body, five.signed(`json-${i}`, body));
    assert.ok([200, 400].includes(answer.status), `recorder, ${what}: ${answer.status} ${answer.body}`);
    if (answer.status === 200) kept++;
  }
  // Whoever has the secret may send what nobody reads: it is ignored, and of its content nothing is kept.
  assert.equal(five.recorder.store.counts(), { ...before, ignored: before.ignored + kept });
  const probe: Record<string, unknown> = {};
  assert.is(probe.polluted, undefined);
  assert.is(probe.isAdmin, undefined);
});

test('after all of this every server answers, and the log holds what it acknowledged', async () => {
  for (const server of five.servers) assert.is((await get(server, '/healthz')).status, 200, server.name);
  assert.is(five.log.served.log.sequencer.head?.size, 2);
  reportOutcome({
    name: 'http-attacks',
    group: 'input',
    scenario: 'requests that smuggle, disguise a path, or bring JSON that is read in two ways, to every server over sockets',
    runs: requests,
    unit: 'requests',
    also: 'no state changed, none answered in two ways, none with 5xx but 501 and 505',
  });
});

test.run();
