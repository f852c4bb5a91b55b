import {
  decodeUtf8,
  encodeUtf8,
  formatAddCheckpoint,
  formatCheckpoint,
  formatNote,
  formatSignatureLine,
  KEY_TYPE,
  openNote,
  parseNote,
  parseSignatureLine,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openWitness, signerOf, WITNESS_SIGNERS } from './fixture.js';
import { leavesOf, monitoringPath, TestLog, withLines } from './test-log.js';

const log = new TestLog();
const KEYS = WITNESS_SIGNERS.map(({ key }) => key);
const text = (bytes: Uint8Array): string => decodeUtf8(bytes);

/** A witness that has cosigned a size of the log; 0 for none. */
async function witnessAt(size: number, signers = WITNESS_SIGNERS) {
  const opened = openWitness(undefined, undefined, signers);
  opened.store.addLogs([{ origin: log.origin, keys: [log.signer.key] }]);
  if (size > 0) assert.is((await opened.add(log.add(0, size))).status, 200);
  /** Sends a request, expects the status, and that what is remembered is what was before unless it is 200. */
  const expect = async (status: number, body: string | Uint8Array, why: string): Promise<string> => {
    const before = opened.store.head(log.origin);
    const response = await opened.add(body);
    const answer = await response.text();
    assert.is(response.status, status, `${why}: ${answer}`);
    if (status !== 200) {
      assert.equal(opened.store.head(log.origin), before, why);
      assert.not.match(answer, /— \S+ [A-Za-z0-9+/]{40}/, `${why}: no signature in an error`);
      if (status !== 409) assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/, why);
    }
    return answer;
  };
  return { ...opened, expect };
}

/** The verified cosignatures in an answer. */
function cosignatures(noteText: string, answer: string) {
  assert.ok(answer.endsWith('\n'));
  const signatures = answer.slice(0, -1).split('\n').map(parseSignatureLine);
  const { verified, unverified } = openNote({ text: noteText, signatures }, KEYS, nodeEd25519);
  assert.is(unverified.length, 0);
  return verified;
}

test('404: the origin is not known, whoever signs', async () => {
  const { expect } = await witnessAt(5);
  const other = new TestLog('log.test/other');
  await expect(404, other.add(0, 5), 'a log that nobody added');
  await expect(404, other.add(0, 5, { signers: [log.signer] }), 'the key of a known log, another origin');
  await expect(404, text(log.add(0, 6)).replace('\n\nlog.test/one\n', '\n\n\ufefflog.test/one\n'), 'a byte order mark');
  await expect(404, text(log.add(0, 6)).replace('\n\nlog.test/one\n', '\n\nlog.test/One\n'), 'another case');
});

test('403: no signature of a known key, or one that does not hold', async () => {
  const { expect } = await witnessAt(5);
  const foreign = signerOf(log.origin, KEY_TYPE.ed25519, 0x12);
  await expect(403, log.add(5, 6, { signers: [foreign] }), 'only another key under the name');
  await expect(403, log.add(5, 6, { signers: [signerOf('x.test', KEY_TYPE.ed25519, 0x11)] }), 'its key under another name');
  const good = text(log.add(5, 6));
  const [line] = /— [^\n]+/.exec(good) as RegExpExecArray;
  const parsed = parseSignatureLine(line);
  const wrong = { ...parsed, signature: parsed.signature.map((byte, i) => (i === 10 ? byte ^ 1 : byte)) };
  await expect(403, good.replace(line, formatSignatureLine(wrong)), 'a flipped bit');
  await expect(403, `${good}${formatSignatureLine(wrong)}\n`, 'a good line and a bad one of the same key');
  await expect(403, good.replace(`${line}\n`, ''), 'no signature at all');
  const short = { ...parsed, signature: parsed.signature.subarray(0, 63) };
  await expect(403, good.replace(line, formatSignatureLine(short)), 'a signature of 63 bytes');
  // A line that cannot be read is a signature that does not hold.
  for (const bad of [
    '— log.test/one',
    '— log.test/one AAAA',
    '- log.test/one AAAAAAAA',
    `${line} `,
    `${line.slice(0, -1)}`,
    'x',
  ])
    await expect(403, `${good}${bad}\n`, `the line ${JSON.stringify(bad)}`);
  await expect(200, good, 'the good one');
});

test('400: what is not exactly a request', async () => {
  const { expect } = await witnessAt(5);
  const good = text(log.add(5, 7));
  const hash = (n: number): string => Buffer.alloc(n, 7).toString('base64');
  const withHashes = (lines: string[]): string => `old 5\n${lines.map((line) => `${line}\n`).join('')}\n${text(log.head(7))}`;
  const size = (spelling: string): string => good.replace('\n7\n', `\n${spelling}\n`);
  const bad: Record<string, string | Uint8Array> = {
    'nothing at all': '',
    'one line': 'old 5\n',
    'no empty line': good.replace('\n\n', '\n'),
    'no old size': good.slice(good.indexOf('\n') + 1),
    'old size with a leading zero': good.replace('old 5', 'old 05'),
    'old size 00': good.replace('old 5', 'old 00'),
    'old size with a sign': good.replace('old 5', 'old +5'),
    'negative old size': good.replace('old 5', 'old -5'),
    'two spaces': good.replace('old 5', 'old  5'),
    'a space behind': good.replace('old 5', 'old 5 '),
    'hexadecimal old size': good.replace('old 5', 'old 0x5'),
    fraction: good.replace('old 5', 'old 5.0'),
    'empty old size': good.replace('old 5', 'old '),
    'upper case': good.replace('old 5', 'OLD 5'),
    'other digits': good.replace('old 5', 'old ٥'),
    'old size of 2^64': good.replace('old 5', 'old 18446744073709551616'),
    'old size of 30 digits': good.replace('old 5', `old ${'9'.repeat(30)}`),
    'size of 2^64': size('18446744073709551616'),
    'size with a leading zero': size('07'),
    'old size beyond the size': good.replace('old 5', 'old 8'),
    'old size of 2^64 - 1': good.replace('old 5', 'old 18446744073709551615'),
    'CRLF everywhere': good.replaceAll('\n', '\r\n'),
    'CRLF in the first line': good.replace('old 5\n', 'old 5\r\n'),
    'CRLF in the signature line': good.replace(/\n$/, '\r\n'),
    'a hash of 31 bytes': withHashes([hash(31)]),
    'a hash of 33 bytes': withHashes([hash(33)]),
    'a hash in base64url': withHashes([hash(32).replace(/B/, '-')]),
    'a hash without padding': withHashes([hash(32).slice(0, -1)]),
    'a hash whose unused bits are set': withHashes([`${'A'.repeat(42)}B=`]),
    '64 hashes': withHashes(Array(64).fill(hash(32))),
    'a root of 31 bytes': good.replace(/\n7\n[^\n]+/, `\n7\n${hash(31)}`),
    'no last line break': good.slice(0, -1),
    'a NUL': good.replace('old 5', 'old 5\0'),
    'not UTF-8': Uint8Array.from([...encodeUtf8(good), 0xff, 0x0a]),
    'only two lines of checkpoint': 'old 5\n\nlog.test/one\n7\n\n— a AAAAAAAA\n',
    'an empty line in the checkpoint': good.replace('\n7\n', '\n\n7\n'),
    'an empty line between signatures': `${good}\n${good.slice(good.indexOf('—'))}`,
    'a tab in an extension line': good.replace('\n\n—', '\na\tb\n\n—'),
    'a text of 20 KB': good.replace('\n\n—', `\n${'x'.repeat(20_000)}\n\n—`),
  };
  for (const [why, body] of Object.entries(bad)) await expect(400, body, why);
  await expect(200, good, 'the good one');
});

test('409: the size that the witness knows, as text/x.tlog.size', async () => {
  const { expect, add } = await witnessAt(0);
  assert.is(await expect(409, log.add(3, 5), 'never cosigned'), '0\n');
  await expect(200, log.add(0, 5), 'the first');
  for (const [old, size] of [
    [0, 5],
    [0, 7],
    [4, 7],
    [6, 7],
    [0, 3],
    [3, 3],
  ])
    assert.is(await expect(409, log.add(old, size), `from ${old} to ${size}`), '5\n');
  const response = await add(log.add(0, 7));
  assert.is(response.headers.get('content-type'), 'text/x.tlog.size');
  assert.is(response.headers.get('cache-control'), 'no-store');
});

test('422: a head that is not shown to be consistent', async () => {
  const { expect } = await witnessAt(5);
  const fork = new TestLog(log.origin, leavesOf(300, 'fork', 3));
  await expect(422, fork.add(5, 9), 'the proof of another history');
  const with_ = (proof: Uint8Array[], size = 9): Uint8Array =>
    formatAddCheckpoint({ oldSize: 5n, proof, checkpoint: log.head(size) });
  const proof = log.proof(5, 9);
  await expect(422, with_([]), 'no proof');
  await expect(422, with_(proof.slice(1)), 'a hash too few');
  await expect(422, with_([...proof, proof[0]]), 'a hash too many');
  await expect(422, with_(Array(63).fill(proof[0])), '63 hashes');
  await expect(422, with_([...proof].reverse()), 'another order');
  await expect(422, with_([proof[0]], 5), 'a proof for the same size');
  await expect(422, log.add(5, 5, { root: fork.tree.root(5) }), 'another root for the same size');
  const huge = formatCheckpoint({ origin: log.origin, size: 2n ** 64n - 1n, root: log.tree.root(5), extensions: [] });
  const checkpoint = formatNote({ text: huge, signatures: [log.signer.sign(huge)] });
  await expect(422, formatAddCheckpoint({ oldSize: 5n, proof: Array(63).fill(proof[0]), checkpoint }), '2^64 - 1 leaves');
});

test('422: what is said of the empty tree', async () => {
  const { expect, store } = await witnessAt(0);
  await expect(422, log.add(0, 0, { root: new Uint8Array(32) }), 'a root of zeros for size 0');
  const proof = log.proof(3, 5);
  await expect(422, formatAddCheckpoint({ oldSize: 0n, proof, checkpoint: log.head(5) }), 'a proof from size 0');
  await expect(422, formatAddCheckpoint({ oldSize: 0n, proof, checkpoint: log.head(0) }), 'a proof for size 0');
  await expect(200, log.add(0, 0), 'the empty tree');
  assert.is(store.head(log.origin)?.size, 0n);
  await expect(422, log.add(0, 0, { root: new Uint8Array(32) }), 'another root for the empty tree');
  await expect(200, log.add(0, 0), 'the empty tree again');
  await expect(422, formatAddCheckpoint({ oldSize: 0n, proof, checkpoint: log.head(5) }), 'a proof from a known size 0');
  await expect(200, log.add(0, 5), 'the first entries');
});

test('200: each key cosigns the whole tree at the time that it is', async () => {
  const { expect, store } = await witnessAt(0);
  let old = 0;
  for (const size of [1, 2, 3, 8, 9, 64, 255, 300]) {
    const answer = await expect(200, log.add(old, size), `to ${size}`);
    const { text: signed } = parseNote(log.head(size));
    const verified = cosignatures(signed, answer);
    assert.equal(
      verified.map(({ key }) => key.type),
      [KEY_TYPE.ed25519Cosignature, KEY_TYPE.mldsa44Cosignature],
    );
    for (const { timestamp } of verified) assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 5);
    assert.is(store.head(log.origin)?.size, BigInt(size));
    old = size;
  }
});

test('200: the same head again gets a newer time, and times never go back or to 0', async () => {
  let now = 5_000;
  const { store, add } = openWitness(undefined, () => now);
  store.addLogs([{ origin: log.origin, keys: [log.signer.key] }]);
  const times: number[] = [];
  for (const [clock, body] of [
    [-10, log.add(0, 5)],
    [0, log.add(5, 5)],
    [7_999, log.add(5, 5)],
    [2_000, log.add(5, 5)],
    [9_000, log.add(5, 6)],
    [0, log.add(6, 7)],
  ] as const) {
    now = clock;
    const response = await add(body);
    assert.is(response.status, 200);
    const { verified } = openNote(parseNote(store.head(log.origin)?.note as Uint8Array), KEYS, nodeEd25519);
    assert.is(new Set(verified.map(({ timestamp }) => timestamp)).size, 1);
    times.push(Number(verified[0].timestamp));
  }
  assert.equal(times, [1, 1, 7, 7, 9, 9]);
});

test('200: a clock that goes back between two requests that are written together', async () => {
  const clock = [100_000, 90_000, 95_000, 80_000];
  const { store, add } = openWitness(undefined, () => clock.shift() ?? 70_000);
  store.addLogs([{ origin: log.origin, keys: [log.signer.key] }]);
  assert.is((await add(log.add(0, 5))).status, 200);
  clock.unshift(200_000);
  const answers = await Promise.all([add(log.add(5, 5)), add(log.add(5, 5)), add(log.add(5, 5))]);
  assert.equal(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.is(store.head(log.origin)?.time, 200);
  assert.is((await add(log.add(5, 6))).status, 200, 'the store goes on');
});

test('200: two requests for the empty tree at once', async () => {
  const { store, add } = openWitness();
  store.addLogs([{ origin: log.origin, keys: [log.signer.key] }]);
  const answers = await Promise.all([add(log.add(0, 0)), add(log.add(0, 0)), add(log.add(0, 4))]);
  assert.equal(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.is(store.head(log.origin)?.size, 4n);
});

test('sixteen ML-DSA lines of others on a checkpoint are taken, and none is kept', async () => {
  const { expect, store } = await witnessAt(0);
  const others = Array.from({ length: 16 }, (_, i) => signerOf(`other.test/${i}`, KEY_TYPE.mldsa44Cosignature, i + 1));
  const checkpoint = log.head(5);
  const { text: noteText } = parseNote(checkpoint);
  const lines = others.map((signer) => `${formatSignatureLine(signer.sign(noteText, 9n))}\n`).join('');
  const body = formatAddCheckpoint({ oldSize: 0n, proof: [], checkpoint: withLines(checkpoint, lines) });
  assert.ok(body.length > 52_000, String(body.length));
  const answer = await expect(200, body, 'sixteen others');
  const { text: kept, signatures } = parseNote(store.head(log.origin)?.note as Uint8Array);
  assert.is(kept, noteText);
  assert.equal(
    signatures.map(({ name }) => name),
    [log.origin, ...cosignatures(noteText, answer).map(({ name }) => name)],
  );
});

test('lines of unknown keys are no reason to refuse, and are neither kept nor returned', async () => {
  const { expect, store, app } = await witnessAt(0);
  const junk = { name: 'junk.test', id: '01020304', signature: new Uint8Array(9) };
  const sameName = { name: log.origin, id: '01020304', signature: new Uint8Array(64) };
  const grease = { name: 'ünï\u200bcode', id: 'ffffffff', signature: new Uint8Array(1) };
  const answer = await expect(200, log.add(0, 5, { lines: [junk, sameName, grease] }), 'junk');
  const served = await (await app.request(monitoringPath(log.origin))).text();
  for (const shown of [answer, served, text(store.head(log.origin)?.note as Uint8Array)])
    assert.not.match(shown, /junk|AQIDB|code/);
});

test('the same line of the log many times is kept once', async () => {
  const { expect, store } = await witnessAt(0);
  const answer = await expect(200, log.add(0, 5, { signers: Array(64).fill(log.signer) }), '64 lines');
  assert.is(cosignatures(parseNote(log.head(5)).text, answer).length, 2);
  assert.is(parseNote(store.head(log.origin)?.note as Uint8Array).signatures.length, 3);
  await expect(403, text(log.add(5, 5, { signers: Array(64).fill(log.signer) })) + text(log.head(5)).slice(-100), '65 lines');
});

test('extension lines are cosigned by Ed25519, which covers them, and not by ML-DSA', async () => {
  const { expect } = await witnessAt(0);
  const body = log.add(0, 5, { extensions: ['more 1', 'more 2'] });
  const answer = await expect(200, body, 'extensions');
  const verified = cosignatures(parseNote(log.head(5, { extensions: ['more 1', 'more 2'] })).text, answer);
  assert.equal(
    verified.map(({ key }) => key.type),
    [KEY_TYPE.ed25519Cosignature],
  );
  const only = await witnessAt(0, [WITNESS_SIGNERS[1]]);
  await only.expect(400, body, 'a witness that has only ML-DSA');
});

test('bodies beyond the limit get 413, declared or not', async () => {
  const { add, app } = await witnessAt(0);
  const large = 'x'.repeat(600_000);
  assert.is((await add(large)).status, 413);
  const stream = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(64 * 1024));
    },
  });
  const init = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
  assert.is((await app.request('/add-checkpoint', init)).status, 413);
  const declared = { method: 'POST', body: 'x', headers: { 'Content-Length': '99999999' } };
  assert.is((await app.request('/add-checkpoint', declared)).status, 413);
  const encoded = { method: 'POST', body: 'x', headers: { 'Content-Encoding': 'gzip' } };
  assert.is((await app.request('/add-checkpoint', encoded)).status, 415);
});

test('only POST submits', async () => {
  const { app } = await witnessAt(0);
  for (const path of ['/add-checkpoint', '/sign-subtree'])
    for (const method of ['GET', 'PUT', 'DELETE']) assert.is((await app.request(path, { method })).status, 404);
});

test('the monitoring address serves the log signature and the cosignatures that were returned', async () => {
  const { app, expect } = await witnessAt(0);
  const get = () => app.request(monitoringPath(log.origin));
  assert.is((await get()).status, 404);
  assert.is((await app.request(monitoringPath('log.test/other'))).status, 404);
  const answer = await expect(200, log.add(0, 5), 'the first');
  const response = await get();
  assert.is(response.status, 200);
  assert.is(response.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.is(response.headers.get('cache-control'), 'public, max-age=2');
  assert.is(await response.text(), text(log.head(5)) + answer);
  assert.is((await app.request(monitoringPath(log.origin).toUpperCase().replace('CHECKPOINT', 'checkpoint'))).status, 404);
});

test.run();
