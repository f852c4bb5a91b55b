import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync } from 'node:fs';
import { decodeBase64, formatAddCheckpoint, openNote, parseCheckpoint, parseNote, parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../vectors.js';
import { Workplace } from './command.js';

// A log and a witness as two processes of the command, and everything between them over sockets.

const place = new Workplace();
const log = await place.up();
const WITNESS = { TREERING_DATA: place.path('witness') };
const FLAGS = ['--name', 'witness.example/e2e', '--logs', 'logs.txt'];
place.write('logs.txt', `# Who is cosigned here.\nlog ${log.ready.vkey} ${log.ready.url}\n`);
let witness = await place.witness(FLAGS, WITNESS);

test.after(async () => {
  await witness.stop();
  await log.stop();
});

async function bytesOf(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  assert.is(response.status, 200, url);
  return new Uint8Array(await response.arrayBuffer());
}

async function addCheckpoint(body: Uint8Array | string): Promise<{ status: number; text: string }> {
  const init = { method: 'POST', body: body as Uint8Array<ArrayBuffer> };
  const response = await fetch(`${witness.ready.url}/add-checkpoint`, init);
  return { status: response.status, text: await response.text() };
}

/** The head that the log publishes, with a proof from the given size. */
async function published(oldSize: number): Promise<{ size: number; head: Uint8Array; body: Uint8Array }> {
  const head = await bytesOf(`${log.ready.url}/checkpoint`);
  const size = Number(parseCheckpoint(parseNote(head).text).size);
  let hashes: string[] = [];
  if (oldSize > 0) {
    const answer = await fetch(`${log.ready.url}/v1/proof/consistency?from=${oldSize}&to=${size}`);
    hashes = ((await answer.json()) as { hashes: string[] }).hashes;
  }
  const body = formatAddCheckpoint({ oldSize: BigInt(oldSize), proof: hashes.map(decodeBase64), checkpoint: head });
  return { size, head, body };
}

const monitoring = (origin: string): string =>
  `${witness.ready.url}/${createHash('sha256').update(origin).digest('hex')}/checkpoint`;

/** What the witness serves carries the signature of the log and both of the witness. */
async function expectServed(size: number): Promise<void> {
  const note = parseNote(await bytesOf(monitoring(log.ready.origin)));
  const keys = [log.ready.vkey, ...witness.ready.vkeys].map(parseVerifierKey);
  const { verified } = openNote(note, keys, nodeEd25519);
  assert.is(new Set(verified.map(({ key }) => key)).size, 3);
  assert.is(Number(parseCheckpoint(note.text).size), size);
}

let known = 0;

async function record(version: string): Promise<void> {
  place.write('model/weights.bin', version);
  const args = ['record', 'model', 'model', '--name', 'm', '--version', version, '--reason', 'One more version for the test.'];
  const { code, stderr } = await place.run(args);
  assert.is(code, 0, stderr);
}

test('it starts with the name, the keys and the logs that it was given', () => {
  const { name, vkeys, logs, locked } = witness.ready;
  assert.is(name, 'witness.example/e2e');
  assert.is(vkeys.length, 2);
  assert.equal(logs, [log.ready.origin]);
  assert.is(locked, null);
  assert.is(readFileSync(place.path('witness', 'witness.vkey'), 'utf8'), `${vkeys.join('\n')}\n`);
});

test('it cosigns what the log publishes, from head to head', async () => {
  for (const version of ['1', '2', '3']) {
    await record(version);
    const { size, body } = await published(known);
    assert.ok(size > known);
    const { status, text } = await addCheckpoint(body);
    assert.is(status, 200, text);
    known = size;
    await expectServed(known);
  }
  assert.equal(await addCheckpoint((await published(0)).body), { status: 409, text: `${known}\n` });
});

test('a log that is added while it runs is cosigned within seconds', async () => {
  if (!haveVectors) return;
  const {
    log_origin: origin,
    log_vkey: vkey,
    steps,
  } = vectorJson('witness-transcripts/litewitness.json') as {
    log_origin: string;
    log_vkey: string;
    steps: { request: string }[];
  };
  assert.is((await addCheckpoint(steps[0].request)).status, 404);
  const added = await place.result(['witness', 'add-log', vkey, '--logs', 'logs.txt'], WITNESS);
  assert.is(added.origin, origin);
  assert.match((await place.run(['witness', 'add-log', vkey, '--logs', 'logs.txt'], WITNESS)).stdout, /already/);
  let answer = { status: 404, text: '' };
  for (let i = 0; i < 100 && answer.status === 404; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    answer = await addCheckpoint(steps[0].request);
  }
  assert.is(answer.status, 200, 'the head of a log that was made with Go');
  assert.is((await fetch(monitoring(origin))).status, 200);
});

test('a second one on the same data is refused', async () => {
  const { code, stdout, stderr } = await place.run(['witness', 'serve', ...FLAGS], WITNESS);
  assert.not.equal(code, 0);
  assert.is(stdout, '');
  assert.match(stderr, /another process holds/);
});

test('after SIGKILL and after SIGTERM it knows what it cosigned, under the same keys', async () => {
  const { vkeys } = witness.ready;
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await record(signal);
    const { size, body } = await published(known);
    assert.is((await addCheckpoint(body)).status, 200);
    known = size;
    const { code } = await witness.stop(signal);
    assert.is(code, signal === 'SIGTERM' ? 0 : null);
    witness = await place.witness(FLAGS, WITNESS);
    assert.equal(witness.ready.vkeys, vkeys);
    await expectServed(known);
  }
});

test('an older copy of its store is noticed, and unlocked with the head that it cosigned', async () => {
  await witness.stop();
  copyFileSync(place.path('witness', 'witness.db'), place.path('older.db'));
  witness = await place.witness(FLAGS, WITNESS);
  await record('newer');
  const { size, body } = await published(known);
  assert.is((await addCheckpoint(body)).status, 200);
  place.write('newest.checkpoint', Buffer.from(await bytesOf(monitoring(log.ready.origin))).toString());
  await witness.stop();
  copyFileSync(place.path('older.db'), place.path('witness', 'witness.db'));

  witness = await place.witness(FLAGS, WITNESS);
  assert.match(witness.ready.locked ?? '', /older copy/);
  assert.is((await addCheckpoint(body)).status, 503);
  const running = await place.run(['witness', 'unlock'], WITNESS);
  assert.not.equal(running.code, 0);
  await witness.stop();
  // It has never cosigned the other log.
  const refused = await place.run(['witness', 'unlock', 'newest.checkpoint', '--logs', 'logs.txt'], WITNESS);
  assert.not.equal(refused.code, 0);
  const unlock = ['witness', 'unlock', 'newest.checkpoint', '--logs', 'logs.txt', '--risk-second-history'];
  const unlocked = await place.result(unlock, WITNESS);
  assert.equal(unlocked, { unlocked: true, adopted: [{ origin: log.ready.origin, size: String(size) }], refilled: [] });
  witness = await place.witness(FLAGS, WITNESS);
  assert.is(witness.ready.locked, null);
  assert.equal(await addCheckpoint(body), { status: 409, text: `${size}\n` });
  await expectServed(size);
});

test.run();
