import { createHash } from 'node:crypto';
import {
  createSigner,
  formatAddCheckpoint,
  formatNote,
  formatVerifierKey,
  KEY_TYPE,
  openCheckpoint,
  parseNote,
  parsePolicy,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { incident, LOG_SIGNERS, ORIGIN, policyOf, SimulatedLog, SimulatedWitness, seedOf, World } from './simulation.js';
import { setUp } from './witnessed-log.js';

// The log as a client of its witnesses: what each of them may do wrong, and what must come of it.

const fake = createSigner('fake.world', KEY_TYPE.ed25519Cosignature, seedOf('fake.world'), nodeEd25519);
const FAKE_LINE = `witness fake.world ${formatVerifierKey(fake.key)} http://fake.world`;

/** The names of the witnesses whose cosignatures stand on what is published. */
function cosigners(log: SimulatedLog, policyText: string): string[] {
  const note = log.log.publisher.published?.note;
  if (note === undefined) return [];
  const witnessKeys = parsePolicy(policyText).witnesses.map(({ key }) => key);
  const trust = { origin: ORIGIN, logKeys: LOG_SIGNERS.map(({ key }) => key), witnessKeys };
  return openCheckpoint(note, trust, nodeEd25519).cosignatures.map(({ name }) => name);
}

const line = (text: string, time: bigint, signer = fake): string => {
  const { name, id, signature } = signer.sign(text, time);
  return `\u2014 ${name} ${Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64')}\n`;
};
const textOf = (body: string): string => {
  const note = body.slice(body.indexOf('\n\n') + 2);
  return note.slice(0, note.lastIndexOf('\n\n') + 1);
};

const WRONG: Readonly<Record<string, (body: string) => Response | Promise<Response>>> = {
  'is out of order': () => new Response('oops', { status: 500 }),
  'answers garbage': () => new Response('\u0000\u0001 not a line'),
  'answers nothing': () => new Response(''),
  'answers without end': () => new Response(new Uint8Array(10 * 1024 * 1024).fill(0x61)),
  'does not answer in time': () => new Promise((resolve) => setTimeout(() => resolve(new Response('')), 3500).unref()),
  'hangs up': () => Promise.reject(new TypeError('fetch failed')),
  'cosigns another head': () => new Response(line(`${ORIGIN}\n99\n${Buffer.alloc(32).toString('base64')}\n`, 5n)),
  'signs with another key': (body) =>
    new Response(line(textOf(body), 5n, createSigner('fake.world', KEY_TYPE.ed25519Cosignature, seedOf('x'), nodeEd25519))),
  'signs with the key of the log': (body) => {
    const { name, id, signature } = LOG_SIGNERS[0].sign(textOf(body));
    return new Response(`\u2014 ${name} ${Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64')}\n`);
  },
  'gives no time': (body) => new Response(line(textOf(body), 0n)),
  'names another size each time': (body) =>
    new Response(`${Number(/^old (\d+)/.exec(body)?.[1]) === 1 ? 2 : 1}\n`, {
      status: 409,
      headers: { 'Content-Type': 'text/x.tlog.size' },
    }),
  'names a size that is no number': () => new Response('-3\n', { status: 409 }),
  'sends somewhere else': () => new Response('', { status: 302, headers: { Location: 'http://w0.world/add-checkpoint' } }),
};

for (const [what, answer] of Object.entries(WRONG)) {
  test(`a witness that ${what} does not count, and nobody waits for it beyond the time`, async () => {
    const { world, log, policyText } = await setUp(1, [FAKE_LINE]);
    world.hosts.set('fake.world', async (request) =>
      request.method === 'POST' ? answer(await request.text()) : new Response('', { status: 404 }),
    );
    await log.grow(3);
    const started = performance.now();
    assert.is(await log.publish(), false);
    assert.ok(performance.now() - started < 8000);
    assert.is(log.log.publisher.published, null);
    assert.is(log.fatal, undefined);
    const status = log.log.witnesses?.status().find(({ name }) => name === 'fake.world');
    assert.ok(status?.trouble !== null || status.time === null, 'its trouble is told');
    // With another honest one beside it the quorum is met.
    const third = new SimulatedWitness(world, 'third.world').start();
    log.policyText = `${policyOf([...policyText.split('\n').filter((l) => l.startsWith('witness')), third.policyLine], 2)}`;
    await log.start();
    assert.ok(await log.publish());
    assert.equal(cosigners(log, log.policyText).sort(), ['third.world', 'w0.world']);
    world.close();
  });
}

test('without the quorum nothing is published, and what was published stays', async () => {
  const { world, log, witnesses } = await setUp(3);
  await log.grow(2);
  assert.ok(await log.publish());
  const published = log.log.publisher.published;
  for (const witness of witnesses.slice(1)) witness.stop();
  await log.grow(2);
  assert.is(await log.publish(), false);
  assert.equal(log.log.publisher.published, published);
  const answer = await world.fetchFrom('anybody')('http://log.world/checkpoint');
  assert.is(parseNote(new Uint8Array(await answer.arrayBuffer())).text.split('\n')[1], '3');
  witnesses[1].start();
  assert.ok(await log.publish());
  assert.is(log.log.publisher.published?.size, 5);
  world.close();
});

test('a log that has published nothing yet has no checkpoint', async () => {
  const { world, witnesses, log } = await setUp(2);
  for (const witness of witnesses) witness.stop();
  await log.publish();
  assert.is((await world.fetchFrom('anybody')('http://log.world/checkpoint')).status, 404);
  world.close();
});

test('optional witnesses add their cosignature and do not count', async () => {
  const world = new World();
  const [a, b, extra] = ['a.world', 'b.world', 'extra.world'].map((host) => new SimulatedWitness(world, host).start());
  const policyText = policyOf([a.policyLine, b.policyLine], 2).replace('group', `${extra.policyLine}\ngroup`);
  const log = await new SimulatedLog(world, 'log.world', policyText).start();
  await log.grow(1);
  assert.ok(await log.publish());
  assert.equal(cosigners(log, policyText).sort(), ['a.world', 'b.world', 'extra.world']);
  extra.stop();
  await log.grow(1);
  assert.ok(await log.publish());
  assert.equal(cosigners(log, policyText).sort(), ['a.world', 'b.world']);
  b.stop();
  extra.start();
  await log.grow(1);
  assert.is(await log.publish(), false);
  world.close();
});

test('two keys of one witness count once in a group, and may not count in two', async () => {
  const world = new World();
  const one = new SimulatedWitness(world, 'one.world').start();
  const two = new SimulatedWitness(world, 'two.world').start();
  const twin = createSigner('one.world', KEY_TYPE.mldsa44Cosignature, seedOf('one'), nodeEd25519);
  const twinLine = `witness twin ${formatVerifierKey(twin.key)} http://one.world`;
  (one as { signers: readonly unknown[] }).signers = [...one.signers, twin];
  one.stop();
  one.start();
  two.stop();
  const policyText = policyOf([one.policyLine, twinLine, two.policyLine], 2);
  const log = await new SimulatedLog(world, 'log.world', policyText).start();
  await log.grow(1);
  assert.is(await log.publish(), false, 'one witness with two keys is one witness');
  two.start();
  assert.ok(await log.publish());
  const split = `${[one.policyLine, twinLine].join('\n')}\ngroup x 1 one.world\ngroup y 1 twin\ngroup z 2 x y\nquorum z\n`;
  const error = await new SimulatedLog(world, 'split.world', split).start().catch((e: Error) => e);
  assert.match((error as Error).message, 'keys of one witness');
  world.close();
});

test('a witness that missed some heads, or is new, is brought up by its own answer', async () => {
  const { world, log, witnesses } = await setUp(3);
  await log.grow(2);
  await log.publish();
  witnesses[0].stop();
  for (let i = 0; i < 3; i++) {
    await log.grow(2);
    assert.ok(await log.publish());
  }
  witnesses[0].start();
  witnesses[1].stop();
  await log.grow(1);
  assert.ok(await log.publish());
  assert.is(Number(witnesses[0].store.head(ORIGIN)?.size), log.log.sequencer.head?.size);
  // After a restart the log knows no sizes, and asks.
  await log.start();
  await log.grow(1);
  assert.ok(await log.publish());
  world.close();
});

test('a rotation that one witness of three shows stops nobody', async () => {
  const { world, log } = await setUp(2, [FAKE_LINE], 2);
  const stranger = createSigner(ORIGIN, KEY_TYPE.ed25519, seedOf('stranger'), nodeEd25519);
  const text = `${ORIGIN}\n1000\n${Buffer.alloc(32, 7).toString('base64')}\n`;
  const note = formatNote({ text, signatures: [stranger.sign(text), fake.sign(text, 5n)] });
  world.hosts.set('fake.world', (request) =>
    request.method === 'POST' ? new Response('', { status: 403 }) : new Response(note as Uint8Array<ArrayBuffer>),
  );
  await log.start();
  await log.grow(2);
  assert.ok(await log.publish());
  assert.is(log.log.witnesses?.objection, undefined);
  assert.is(log.fatal, undefined);
  world.close();
});

test('somebody who brings committed heads to the witnesses before the log does makes nobody doubt it', async () => {
  const { world, log, witnesses } = await setUp(3);
  await log.grow(3);
  assert.ok(await log.publish());
  await log.grow(1);
  // The requests of the log take longer than those of the other.
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  world.interference.set('log.world', (request, pass) => (request.method === 'POST' ? held.then(pass) : undefined));
  const round = log.publish();
  await log.grow(1);
  const fetch = world.fetchFrom('outsider');
  const { committed } = (await (await fetch('http://log.world/v1/log')).json()) as {
    committed: { size: number; checkpoint: string };
  };
  const { hashes } = (await (await fetch(`http://log.world/v1/proof/consistency?from=4&to=${committed.size}`)).json()) as {
    hashes: string[];
  };
  const body = formatAddCheckpoint({
    oldSize: 4n,
    proof: hashes.map((hash) => new Uint8Array(Buffer.from(hash, 'base64'))),
    checkpoint: new TextEncoder().encode(committed.checkpoint),
  });
  for (const { host } of witnesses) {
    const answer = await fetch(`http://${host}/add-checkpoint`, { method: 'POST', body: body as Uint8Array<ArrayBuffer> });
    assert.is(answer.status, 200);
  }
  release();
  assert.is(await round, false, 'no witness cosigns a smaller tree than the one before');
  assert.is(log.log.witnesses?.objection, undefined);
  assert.match(log.log.witnesses?.status()[0].trouble ?? '', /ahead of this round/);
  assert.is((await fetch('http://log.world/readyz')).status, 200);
  await log.grow(1);
  assert.ok(await log.publish());
  assert.is(log.log.publisher.published?.size, 7);
  assert.is(log.fatal, undefined);
  world.close();
});

test('a witness that only says that it knows more is an alarm; when the quorum cannot do without, nothing more is taken', async () => {
  const { world, log, witnesses } = await setUp(2, [FAKE_LINE], 2);
  world.hosts.set('fake.world', (request) =>
    request.method === 'POST' ? new Response('1000000\n', { status: 409 }) : new Response('', { status: 404 }),
  );
  await log.grow(2);
  assert.ok(await log.publish(), 'one liar stops nobody');
  await log.grow(1);
  assert.is(log.log.witnesses?.objection, undefined);
  witnesses[0].stop();
  world.hosts.set('w0.world', (request) =>
    request.method === 'POST' ? new Response('1000000\n', { status: 409 }) : new Response('', { status: 404 }),
  );
  assert.is(await log.publish(), false);
  assert.match(log.log.witnesses?.objection ?? '', /more entries than this log has/);
  const answer = await world.fetchFrom('anybody')('http://log.world/readyz');
  assert.is(answer.status, 503);
  const refused = await log.submit(incident('While they object.')).catch((error: { code?: string }) => error.code);
  assert.is(refused, 'log/contradicted');
  // They come to their senses.
  world.hosts.delete('w0.world');
  witnesses[0].start();
  assert.ok(await log.publish());
  assert.is(log.log.witnesses?.objection, undefined);
  await log.grow(1);
  world.close();
});

test('a witness without a URL agrees with nothing: without it the others make the quorum, or nothing more is taken', async () => {
  const unasked = createSigner('unasked.world', KEY_TYPE.ed25519Cosignature, seedOf('unasked.world'), nodeEd25519);
  const { world, log } = await setUp(1, [FAKE_LINE, `witness unasked.world ${formatVerifierKey(unasked.key)}`], 2);
  world.hosts.set('fake.world', (request) =>
    request.method === 'POST' ? new Response('1000000\n', { status: 409 }) : new Response('', { status: 404 }),
  );
  await log.grow(1);
  assert.is(await log.publish(), false);
  assert.match(log.log.witnesses?.objection ?? '', /fake.world says that it knows 1000000/);
  assert.equal(
    log.log.witnesses?.status().map(({ name }) => name),
    ['w0.world', 'fake.world'],
  );
  world.close();
});

test('a head of another key under the name of the log stops nobody', async () => {
  const { world, log } = await setUp(2, [FAKE_LINE], 2);
  const stranger = createSigner(ORIGIN, KEY_TYPE.ed25519, seedOf('stranger'), nodeEd25519);
  const text = `${ORIGIN}\n1000\n${Buffer.alloc(32, 7).toString('base64')}\n`;
  const { name, id, signature } = stranger.sign(text);
  const note = `${text}\n\u2014 ${name} ${Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64')}\n`;
  world.hosts.set('fake.world', (request) =>
    request.method === 'POST' ? new Response('1000\n', { status: 409 }) : new Response(note),
  );
  await log.grow(2);
  assert.ok(await log.publish());
  assert.is(log.fatal, undefined);
  world.close();
});

test('how far each witness lags is told', async () => {
  const { world, log, witnesses } = await setUp(3);
  await log.grow(2);
  await log.publish();
  witnesses[2].stop();
  await log.grow(4);
  await log.publish();
  const get = async (path: string) => (await world.fetchFrom('anybody')(`http://log.world${path}`)).text();
  const about = JSON.parse(await get('/v1/log')) as {
    witnesses: { name: string; lag: number; trouble: string | null }[];
    quorum: string;
  };
  assert.is(about.quorum, 'all-of-us');
  assert.equal(
    about.witnesses.map(({ name, lag }) => [name, lag]),
    [
      ['w0.world', 0],
      ['w1.world', 0],
      ['w2.world', 4],
    ],
  );
  assert.match(about.witnesses[2].trouble ?? '', 'cannot be reached');
  assert.match(await get('/metrics'), /treering_witness_lag\{witness="w2.world"\} 4/);
  const hash = createHash('sha256').update(ORIGIN).digest('hex');
  assert.is((await world.fetchFrom('anybody')(`http://w0.world/${hash}/checkpoint`)).status, 200);
  world.close();
});

test.run();
