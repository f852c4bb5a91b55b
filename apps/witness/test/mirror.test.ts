import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { bundlePath, CompactRange, equalBytes, parseEntryBundle, proveSubtreeConsistency, tilePath } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import {
  concatBytes,
  decodeUtf8,
  encodeUtf8,
  formatCheckpoint,
  formatNote,
  formatSignSubtree,
  openCheckpoint,
  openNote,
  parseNote,
  parseSignatureLine,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { originHash } from '../src/index.js';
import { WITNESS_SIGNERS } from './fixture.js';
import { infoOf, MemoryLog, MIRROR_NAME, MIRROR_SIGNERS, openMirror } from './mirror-fixture.js';

const MIRROR_KEYS = MIRROR_SIGNERS.map(({ key }) => key);

/** Every line is a cosignature of the mirror, and of nobody else, over a head of the log, with a time. */
function verifyLines(log: MemoryLog, size: number, lines: string): void {
  const signatures = lines.slice(0, -1).split('\n').map(parseSignatureLine);
  const opened = openNote({ text: parseNote(log.checkpoint(size)).text, signatures }, MIRROR_KEYS, nodeEd25519);
  assert.is(opened.verified.length, 2);
  assert.is(opened.unverified.length, 0);
  for (const { timestamp } of opened.verified) assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 5);
}

/** Sends all that is missing to a mirror, as a client would. */
async function fill(mirror: ReturnType<typeof openMirror>, log: MemoryLog, size = log.size, most = 32): Promise<string> {
  let [start, ticket]: [number, Uint8Array] = [0, new Uint8Array(0)];
  for (;;) {
    const packages = (await log.packages(start, size)).slice(0, most);
    const response = await mirror.upload(concatBytes(log.header(start, size, ticket), ...packages));
    if (response.status === 200) return response.text();
    assert.is(response.status, 202);
    const info = await infoOf(response);
    assert.is(info.size, BigInt(size));
    assert.ok(info.next > BigInt(start));
    [start, ticket] = [Number(info.next), info.ticket];
  }
}

/** Reads a copy as anybody would, and hashes it again. */
async function rehash(mirror: ReturnType<typeof openMirror>, log: MemoryLog, size: number): Promise<void> {
  const prefix = `/mirror/${originHash(log.origin)}`;
  const read = async (path: string) => new Uint8Array(await (await mirror.app.request(`${prefix}/${path}`)).arrayBuffer());
  const trust = { origin: log.origin, logKeys: [log.signer.key], witnessKeys: MIRROR_KEYS };
  const { checkpoint, note, cosignatures, logSignatures } = openCheckpoint(await read('checkpoint'), trust, nodeEd25519);
  assert.is(checkpoint.size, BigInt(size));
  assert.is(cosignatures.length, 2);
  assert.is(logSignatures.length, 1);
  assert.is(note.unverified.length, 0, 'the witness is another cosigner');
  const range = new CompactRange(nodeHasher);
  for (let index = 0; index * 256 < size; index++) {
    const width = Math.min(256, size - index * 256);
    const entries = parseEntryBundle(await read(bundlePath({ index, width })), width);
    const leaves = new Uint8Array(width * 32);
    nodeHasher.hashLeaves(entries, leaves);
    assert.ok(equalBytes(leaves, await read(tilePath({ level: 0, index, width }))), `tile ${index}`);
    range.appendMany(leaves);
  }
  assert.equal(range.root(), checkpoint.root);
}

for (const size of [0, 1, 255, 256, 257, 600])
  test(`a copy of ${size} entries hashes to the checkpoint that it is served with`, async () => {
    const log = new MemoryLog('log.test/mirrored', size);
    const mirror = openMirror(log);
    assert.is((await mirror.add(await log.growth(0))).status, 200);
    verifyLines(log, size, await fill(mirror, log));
    await rehash(mirror, log, size);
    mirror.close();
  });

test('a copy that grows across the tiles of three levels hashes to its checkpoints', async () => {
  const log = new MemoryLog('log.test/large', 65_530, (i) => String(i));
  const mirror = openMirror(log);
  await mirror.add(await log.growth(0));
  verifyLines(log, 65_530, await fill(mirror, log));
  log.grow(65_800);
  await mirror.add(await log.growth(65_530));
  const answer = await mirror.upload(await log.upload(65_530));
  verifyLines(log, 65_800, await answer.text());
  await rehash(mirror, log, 65_800);
  const top = await mirror.app.request(`/mirror/${originHash(log.origin)}/tile/2/000.p/1`);
  assert.is((await top.arrayBuffer()).byteLength, 32);
  mirror.close();
});

test('entries may repeat, be empty and be as large as they can', async () => {
  const log = new MemoryLog('log.test/mirrored', 300, (i) =>
    i % 3 === 0 ? 'same' : i % 3 === 1 ? '' : 'x'.repeat(i === 2 ? 65_535 : 1),
  );
  const mirror = openMirror(log);
  await mirror.add(await log.growth(0));
  verifyLines(log, 300, await fill(mirror, log));
  await rehash(mirror, log, 300);
  mirror.close();
});

test('the answer to every request that does not fit says why, as the specification demands', async () => {
  const log = new MemoryLog('log.test/mirrored', 3000);
  const mirror = openMirror(log);
  const { upload } = mirror;
  const stranger = new MemoryLog('log.test/stranger', 3);
  assert.is((await upload(await stranger.upload(0))).status, 404);
  assert.is((await upload(concatBytes(Uint8Array.of(0, 1, 0xff), new Uint8Array(18)))).status, 404, 'no UTF-8');
  assert.is((await upload(await log.upload(0, 300))).status, 422, 'no checkpoint yet');
  await mirror.add(await log.growth(0, 100));
  await mirror.add(await log.growth(100, 600));

  const conflict = async (body: Uint8Array, size: bigint, next: bigint): Promise<Uint8Array> => {
    const response = await upload(body);
    assert.is(response.status, 409);
    assert.is(response.headers.get('content-type'), 'text/x.tlog.mirror-info');
    assert.match(response.headers.get('accept-encoding') ?? '', /\bgzip\b/);
    const info = await infoOf(response);
    assert.is(info.size, size);
    assert.is(info.next, next);
    return info.ticket;
  };
  await conflict(await log.upload(0, 599), 600n, 0n);
  await conflict(log.header(0, 2 ** 53), 600n, 0n);
  await conflict(log.header(1, 600), 600n, 0n);
  await conflict(log.header(50, 100), 100n, 0n);
  assert.is((await upload(log.header(101, 100))).status, 400, 'backwards');
  assert.is((await upload(log.header(0, 600))).status, 400, 'not one package');

  const first = await upload(await log.upload(0, 100));
  assert.is(first.status, 200);
  assert.match(first.headers.get('content-type') ?? '', /^text\/plain/);
  verifyLines(log, 100, await first.text());
  assert.is((await upload(await log.upload(100, 600))).status, 200);
  await conflict(await log.upload(100, 100), 600n, 600n);

  await mirror.add(await log.growth(600, 3000));
  const packages = await log.packages(600, 3000);
  const partial = await upload(concatBytes(log.header(600, 3000), ...packages.slice(0, -1)));
  assert.is(partial.status, 202);
  assert.is(partial.headers.get('content-type'), 'text/x.tlog.mirror-info');
  assert.is((await infoOf(partial)).next, 2816n);
  await conflict(await log.upload(767, 3000), 3000n, 2816n);
  assert.is((await upload(await log.upload(768, 3000))).status, 200, 'as many entries as may be sent again');
  verifyLines(log, 3000, await (await upload(log.header(3000, 3000))).text());
  mirror.close();
});

test('only octets are taken, as they are or compressed', async () => {
  const log = new MemoryLog('log.test/mirrored', 400);
  const mirror = openMirror(log);
  await mirror.add(await log.growth(0));
  const body = await log.upload(0);
  const octets = { 'Content-Type': 'application/octet-stream' };
  assert.is((await mirror.post('/add-entries', body, { 'Content-Type': 'text/plain' })).status, 415);
  const brotli = await mirror.upload(body, { 'Content-Encoding': 'br' });
  assert.is(brotli.status, 415);
  assert.match(brotli.headers.get('accept-encoding') ?? '', /\bgzip\b/);
  assert.is((await mirror.upload(body, { 'Content-Encoding': 'gzip' })).status, 400, 'it is not');
  assert.is(mirror.mirror.copies.entries(log.origin), 0);
  const answer = await mirror.post('/add-entries', gzipSync(body), { ...octets, 'Content-Encoding': 'gzip' });
  verifyLines(log, 400, await answer.text());
  await rehash(mirror, log, 400);
  mirror.close();
});

test('the tiles of a copy are answered as those of a log', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const mirror = openMirror(log);
  const prefix = `/mirror/${originHash(log.origin)}`;
  const get = async (path: string, headers = {}) => mirror.app.request(`${prefix}/${path}`, { headers });
  assert.is((await get('checkpoint')).status, 404);
  assert.is((await get('tile/0/000')).status, 404);
  await mirror.add(await log.growth(0));
  assert.is((await get('checkpoint')).status, 404, 'pending is not mirrored');
  await fill(mirror, log);
  const checkpoint = await get('checkpoint');
  assert.is(checkpoint.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.is(checkpoint.headers.get('cache-control'), 'no-cache');
  const tag = checkpoint.headers.get('etag') as string;
  assert.is((await get('checkpoint', { 'If-None-Match': tag })).status, 304);
  const tile = await get('tile/0/000');
  assert.is(tile.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  assert.is(tile.headers.get('content-type'), 'application/octet-stream');
  assert.is((await get('tile/entries/001.p/44')).status, 200);
  const packed = await get('tile/entries/000', { 'Accept-Encoding': 'gzip' });
  assert.is(packed.headers.get('content-encoding'), 'gzip');
  const plain = new Uint8Array(await (await get('tile/entries/000')).arrayBuffer());
  assert.equal(new Uint8Array(gunzipSync(await packed.arrayBuffer())), plain);
  for (const path of [
    'tile/0/001',
    'tile/0/001.p/45',
    'tile/1/000',
    'tile/entries/002.p/1',
    'tile/64/000',
    'tile/0/0',
    'tile/',
  ]) {
    assert.is((await get(path)).status, 404, path);
  }
  assert.is((await mirror.app.request(`/mirror/${'0'.repeat(64)}/checkpoint`)).status, 404);
  const witnessed = await mirror.app.request(`/${originHash(log.origin)}/checkpoint`);
  assert.not.match(await witnessed.text(), new RegExp(`— ${MIRROR_NAME} `), 'the witness serves what it cosigned itself');
  mirror.close();
});

test('what the witness cosigned is never exchanged for what the mirror says, nor the other way', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const mirror = openMirror(log);
  const witnessLines = await (await mirror.add(await log.growth(0))).text();
  const mirrorLines = await fill(mirror, log);
  const text = formatCheckpoint({ origin: log.origin, size: 300n, root: log.root(), extensions: [] });
  const proof = await proveSubtreeConsistency(log, 256, 300, 300, nodeHasher);
  const part = new CompactRange(nodeHasher);
  for (const entry of log.entries.slice(256)) part.append(nodeHasher.hashLeaf(entry));
  const ask = async (lines: string): Promise<Response> => {
    const checkpoint = encodeUtf8(`${text}\n${lines}`);
    return mirror.post('/sign-subtree', formatSignSubtree({ start: 256n, end: 300n, hash: part.root(), proof, checkpoint }));
  };
  const names = async (response: Response): Promise<string[]> => {
    assert.is(response.status, 200);
    const lines = (await response.text()).slice(0, -1).split('\n').map(parseSignatureLine);
    return lines.map(({ name, id }) => `${name} ${id}`);
  };
  const nameOf = ({ name, id }: { name: string; id: string }): string => `${name} ${id}`;
  assert.equal(await names(await ask(witnessLines)), [nameOf(WITNESS_SIGNERS[1].key)]);
  assert.equal(await names(await ask(mirrorLines)), [nameOf(MIRROR_SIGNERS[1].key)]);
  assert.equal(await names(await ask(`${witnessLines}${mirrorLines}`)), [nameOf(MIRROR_SIGNERS[1].key)]);
  // The mirror's name over a signature of the witness does not hold.
  const forged = decodeUtf8(
    formatNote({
      text,
      signatures: [
        {
          ...parseSignatureLine(mirrorLines.split('\n')[0]),
          signature: parseSignatureLine(witnessLines.split('\n')[0]).signature,
        },
      ],
    }),
  );
  assert.is((await ask(forged.slice(text.length + 1))).status, 403);
  mirror.close();
});

test('the mirror tells of itself', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const mirror = openMirror(log);
  await mirror.add(await log.growth(0, 10));
  await fill(mirror, log, 10);
  await mirror.add(await log.growth(10));
  const about = (await (await mirror.app.request('/v1/witness')).json()) as { mirror: Record<string, unknown> };
  assert.is(about.mirror.name, MIRROR_NAME);
  assert.is((about.mirror.vkeys as unknown[]).length, 2);
  const [{ time, ...state }] = about.mirror.logs as Record<string, unknown>[];
  assert.type(time, 'number');
  const hash = createHash('sha256').update(log.origin).digest('hex');
  assert.equal(state, { origin: log.origin, hash, size: '10', entries: '10', locked: null, refilling: false });
  const metrics = await (await mirror.app.request('/metrics')).text();
  assert.match(metrics, /treering_mirror_size\{origin="log.test\/mirrored"\} 10\n/);
  assert.match(metrics, /treering_mirror_lag\{origin="log.test\/mirrored"\} 290\n/);
  mirror.close();
});

test.run();
