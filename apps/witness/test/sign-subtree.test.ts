import {
  decodeUtf8,
  encodeUtf8,
  formatSignSubtree,
  mldsa44CosignatureMessage,
  parseSignatureLine,
  verifyMldsa44,
} from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openWitness, WITNESS_SIGNERS } from './fixture.js';
import { TestLog, withLines } from './test-log.js';

const log = new TestLog();
const SIZE = 21;
const [ED25519, MLDSA44] = WITNESS_SIGNERS;

async function cosigned(signers = WITNESS_SIGNERS, size = SIZE) {
  const opened = openWitness(undefined, undefined, signers);
  opened.store.addLogs([{ origin: log.origin, keys: [log.signer.key] }]);
  const lines = await (await opened.add(log.add(0, size))).text();
  const head = withLines(log.head(size), lines);
  const ask = (body: string | Uint8Array) => opened.post('/sign-subtree', body);
  return { ...opened, lines, head, ask };
}

test('200: every subtree of a cosigned tree gets an ML-DSA line without a time that verifies', async () => {
  const { head, ask } = await cosigned();
  for (const [start, end] of [
    [0, 1],
    [0, SIZE],
    [0, 16],
    [16, 20],
    [16, 21],
    [20, 21],
    [8, 13],
    [12, 16],
    [5, 5],
    [0, 0],
  ]) {
    const response = await ask(log.subtree(start, end, SIZE, head));
    const answer = await response.text();
    assert.is(response.status, 200, `[${start}, ${end}): ${answer}`);
    assert.ok(answer.endsWith('\n') && !answer.slice(0, -1).includes('\n'));
    const { name, id, signature } = parseSignatureLine(answer.slice(0, -1));
    assert.is(name, MLDSA44.key.name);
    assert.is(id, MLDSA44.key.id);
    assert.equal(signature.subarray(0, 8), new Uint8Array(8), 'the time is 0');
    const subtree = { origin: log.origin, start: BigInt(start), end: BigInt(end), hash: log.tree.hash(start, end) };
    const message = mldsa44CosignatureMessage(name, 0n, subtree);
    assert.ok(verifyMldsa44(MLDSA44.key.publicKey, message, signature.subarray(8)), `[${start}, ${end})`);
  }
});

test('200: also for an earlier head, and with one of the two cosignatures', async () => {
  const { add, head, ask, lines } = await cosigned();
  assert.is((await add(log.add(SIZE, 40))).status, 200);
  assert.is((await ask(log.subtree(8, 12, SIZE, head))).status, 200);
  for (const line of lines.slice(0, -1).split('\n'))
    assert.is((await ask(log.subtree(8, 12, SIZE, withLines(log.head(SIZE), `${line}\n`)))).status, 200);
  const own = decodeUtf8(head).replace(/— log\.test[^\n]+\n/, '');
  assert.is((await ask(log.subtree(8, 12, SIZE, encodeUtf8(own)))).status, 200, 'without the signature of the log');
});

test('403: a head without a cosignature of this witness that holds', async () => {
  const { ask, head, lines } = await cosigned();
  assert.is((await ask(log.subtree(8, 12, SIZE, log.head(SIZE)))).status, 403, 'the log alone');
  assert.is((await ask(log.subtree(8, 12, 30, withLines(log.head(30), lines)))).status, 403, 'lines of another head');
  const other = await cosigned([
    { ...ED25519, sign: (text) => ({ ...ED25519.sign(text, 1n), signature: new Uint8Array(72) }) },
  ]);
  assert.is((await ask(log.subtree(8, 12, SIZE, other.head))).status, 403, 'a forged line');
  const extended = decodeUtf8(head).replace('\n\n—', '\nmore\n\n—');
  assert.is((await ask(log.subtree(8, 12, SIZE, encodeUtf8(extended)))).status, 403, 'an extension line');
});

test('404: a log that is not known, and a witness without a key for subtrees', async () => {
  const { ask, lines } = await cosigned();
  const other = new TestLog('log.test/other');
  assert.is((await ask(other.subtree(8, 12, SIZE, withLines(other.head(SIZE), lines)))).status, 404);
  const ed25519 = await cosigned([ED25519]);
  assert.is((await ed25519.ask(log.subtree(8, 12, SIZE, ed25519.head))).status, 404);
});

test('422: a proof that does not hold', async () => {
  const { ask, head } = await cosigned();
  const request = { start: 8n, end: 12n, hash: log.tree.hash(8, 12), checkpoint: head };
  const proof = log.tree.subtreeConsistency(8, 12, SIZE);
  const refused = {
    'no proof': { ...request, proof: [] },
    'a hash too few': { ...request, proof: proof.slice(1) },
    'a hash too many': { ...request, proof: [...proof, proof[0]] },
    'another hash': { ...request, proof, hash: log.tree.hash(12, 16) },
    'another place': { ...request, proof, start: 12n, end: 16n },
    'an empty subtree with a hash': { ...request, proof: [], start: 3n, end: 3n },
  };
  for (const [why, body] of Object.entries(refused)) assert.is((await ask(formatSignSubtree(body))).status, 422, why);
});

test('400: what is no request, no subtree or beyond the head', async () => {
  const { ask, head } = await cosigned();
  const good = decodeUtf8(log.subtree(8, 12, SIZE, head));
  const bad: Record<string, string> = {
    nothing: '',
    'no subtree': good.replace('subtree 8 12', 'subtree 8 17'),
    'not aligned': good.replace('subtree 8 12', 'subtree 9 12'),
    'start behind end': good.replace('subtree 8 12', 'subtree 12 8'),
    'beyond the head': good.replace('subtree 8 12', 'subtree 16 32'),
    'leading zero': good.replace('subtree 8 12', 'subtree 08 12'),
    'three numbers': good.replace('subtree 8 12', 'subtree 8 12 1'),
    'one number': good.replace('subtree 8 12', 'subtree 8'),
    'another word': good.replace('subtree 8 12', 'old 8 12'),
    'no hash': 'subtree 8 12\n\n',
    CRLF: good.replaceAll('\n', '\r\n'),
    'a hash of 31 bytes': good.replace(/\n[^\n]+/, `\n${Buffer.alloc(31).toString('base64')}`),
    '64 hashes of proof': good.replace('\n\n', `\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(64)}\n`),
    'no signatures': good.slice(0, good.indexOf('—')),
    'a line that cannot be read': `${good}x\n`,
    'two to the 64': good.replace('subtree 8 12', 'subtree 8 18446744073709551616'),
  };
  for (const [why, body] of Object.entries(bad)) {
    const response = await ask(body);
    assert.is(response.status, 400, `${why}: ${await response.text()}`);
  }
});

test('a line for a subtree that begins the tree is no news of a forgotten head', async () => {
  const { add, ask, head, store } = await cosigned();
  const line = await (await ask(log.subtree(0, 16, SIZE, head))).text();
  assert.is((await ask(log.subtree(8, 12, 16, withLines(log.head(16), line)))).status, 200);
  assert.is((await add(withLines(log.add(SIZE, 16), line))).status, 400);
  assert.is((await add(withLines(log.add(0, 16), line))).status, 409);
  assert.is(store.locked, undefined);
});

test.run();
