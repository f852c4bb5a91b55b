import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bundlePath, CompactRange, formatEntryBundle, tilePath, tilesForGrowth } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { createSigner, formatCheckpoint, formatNote, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorPath } from '../../../test/vectors.js';
import { Desk, deskWithLog } from './fixture.js';

const ORIGIN = 'third.test/log';
const key = (origin: string, fill: number, type: number = KEY_TYPE.ed25519) =>
  createSigner(origin, type, new Uint8Array(32).fill(fill), nodeEd25519);
const [own, other] = [key(ORIGIN, 1), key(ORIGIN, 2)];
const witness = key('witness.test', 3, KEY_TYPE.ed25519Cosignature);
const vkey = formatVerifierKey(own.key);

/** The files of a log by their paths, as C2SP tlog-tiles has them; what its entries say is nobody's business. */
function filesOf(size: number, signers = [own]): Map<string, Uint8Array> {
  const entries = Array.from({ length: size }, (_, i) => new TextEncoder().encode(`anything ${i}`));
  const range = new CompactRange(nodeHasher);
  const levels: Uint8Array[][] = [];
  for (const entry of entries)
    range.append(nodeHasher.hashLeaf(entry), (level, start, hashes) => {
      if (level % 8 !== 0) return;
      levels[level / 8] ??= [];
      for (let i = 0; i * 32 < hashes.length; i++) levels[level / 8][start + i] = hashes.slice(i * 32, i * 32 + 32);
    });
  const files = new Map<string, Uint8Array>();
  for (const tile of tilesForGrowth(0, size)) {
    const first = tile.index * 256;
    files.set(tilePath(tile), Buffer.concat(levels[tile.level].slice(first, first + tile.width)));
    if (tile.level === 0) files.set(bundlePath(tile), formatEntryBundle(entries.slice(first, first + tile.width)));
  }
  const text = formatCheckpoint({ origin: ORIGIN, size: BigInt(size), root: range.root(), extensions: [] });
  files.set('checkpoint', formatNote({ text, signatures: signers.map((signer) => signer.sign(text)) }));
  return files;
}

const closing: (() => void)[] = [];
test.after(() => {
  for (const close of closing) close();
});

/** Serves files. @param zipped sends everything gzip-encoded */
async function serve(files: ReadonlyMap<string, Uint8Array>, zipped = false): Promise<string> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1);
    const bytes = files.get(path);
    if (path === 'moved/checkpoint') response.writeHead(302, { Location: '/checkpoint' }).end();
    else if (bytes === undefined) response.writeHead(404).end();
    else if (zipped) response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(bytes));
    else response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Writes files into a folder of a desk. */
function store(desk: Desk, folder: string, files: ReadonlyMap<string, Uint8Array>): string {
  for (const [path, bytes] of files) desk.write(`${folder}/${path}`, bytes);
  return dirname(desk.path(folder, 'checkpoint'));
}

const desk = new Desk();
const flip = (files: Map<string, Uint8Array>, path: string, at = 2): Map<string, Uint8Array> => {
  const bytes = Uint8Array.from(files.get(path) as Uint8Array);
  bytes[at] ^= 1;
  return files.set(path, bytes);
};

test('a log of anything is hashed over HTTP, plain and gzip-encoded, and from a folder', async () => {
  const files = filesOf(700);
  for (const place of [await serve(files), await serve(files, true), store(desk, 'copy', files)]) {
    const found = await desk.result(['audit', '--hash-only', place, '--log-key', vkey, '--tiles']);
    const { seconds, entries_per_second: rate, root, ...rest } = found;
    assert.equal(rest, { origin: ORIGIN, size: 700, entries: 700, bytes: 8290, tiles: 4 });
    assert.match(root, /^[0-9a-f]{64}$/);
    assert.ok(seconds >= 0 && rate > 0);
  }
  const said = await desk.call(['audit', '--hash-only', './copy', '--log-key', vkey]);
  assert.match(said.stdout, /^700 entries hash to the signed head of third\.test\/log, root [0-9a-f]{64}\n/);
});

test('changed entries end with 1, a wrong tile only with --tiles', async () => {
  const entries = await serve(flip(filesOf(700), 'tile/entries/001'));
  const tiles = await serve(flip(filesOf(700), 'tile/0/001'));
  const call = (url: string, ...more: string[]) =>
    desk.call(['audit', '--hash-only', url, '--log-key', vkey, '--json', ...more]);
  assert.is((await call(entries)).code, 1);
  assert.match((await call(entries, '--tiles')).json().error.message, 'entry 256, of entries 256 to 511');
  assert.is((await call(tiles)).code, 0);
  const wrong = await call(tiles, '--tiles');
  assert.is(wrong.code, 1);
  assert.equal(wrong.json().error.code, 'client/not-verified');
  assert.match(wrong.json().error.message, 'first tile/0/001');
});

test('a head by another key ends with 1; a log that is not there, or sends elsewhere, with 3', async () => {
  const url = await serve(filesOf(10, [other]));
  const call = (place: string) => desk.call(['audit', '--hash-only', place, '--log-key', vkey]);
  const forged = await call(url);
  assert.is(forged.code, 1);
  assert.match(forged.stderr, 'what the log answers does not hold: the note carries no signature');
  assert.is((await call('http://127.0.0.1:1')).code, 3);
  assert.is((await call(`${await serve(filesOf(10))}/moved`)).code, 3);
});

test('a trust policy names the log and the quorum of witnesses', async () => {
  desk.write('trust', `log ${vkey}\nwitness w ${formatVerifierKey(witness.key)}\nquorum w\n`);
  const call = (place: string, ...more: string[]) => desk.call(['audit', '--hash-only', place, '--trust', 'trust', ...more]);
  const alone = store(desk, 'alone', filesOf(10));
  const missing = await call(alone);
  assert.is(missing.code, 1);
  assert.match(missing.stderr, 'not cosigned by: w');
  assert.is((await call(store(desk, 'cosigned', filesOf(10, [own, witness])))).code, 0);
  const stranger = formatVerifierKey(key('elsewhere.test/log', 1).key);
  assert.is((await call(alone, '--log-key', stranger)).code, 2);
});

test('a hashing goes on where it ended, in a file of its own kind', async () => {
  const call = (place: string, ...more: string[]) =>
    desk.call(['audit', '--hash-only', place, '--log-key', vkey, '--json', ...more]);
  const small = store(desk, 'small', filesOf(600));
  const grown = store(desk, 'grown', filesOf(900));
  assert.is((await call(small, '--resume', 'hashed')).json().entries, 600);
  assert.is((await call(grown, '--resume', 'hashed')).json().entries, 300);
  assert.is((await call(grown, '--resume', 'hashed')).json().entries, 0);
  const behind = await call(small, '--resume', 'hashed');
  assert.is(behind.code, 1);
  assert.match(behind.stderr, '900 were hashed before');
  desk.write('junk', 'no progress');
  assert.is((await call(small, '--resume', 'junk')).code, 2);
  const replay = await desk.call(['audit', small, '--log-key', vkey, '--resume', 'hashed']);
  assert.is(replay.code, 2);
});

test('options that do not go together are mistakes of the call', async () => {
  const place = desk.path('copy');
  const calls = [
    ['audit', '--tiles', '--log-key', vkey],
    ['audit', '--trust', 'trust', '--log-key', vkey],
    ['audit', '--hash-only', place, '--log-key', vkey, '--evidence'],
    ['audit', '--hash-only', place, '--log-key', vkey, '--tiles', '--resume', 'x'],
    ['audit', '--hash-only', desk.path('nothing'), '--log-key', vkey],
    ['audit', '--hash-only', place],
  ];
  for (const args of calls) assert.is((await desk.call(args)).code, 2, args.join(' '));
});

test('a log of Treering is hashed like any other, and its two files of progress are told apart', async () => {
  const served = await deskWithLog();
  try {
    const { size, entries, tiles } = await served.result(['audit', '--hash-only', '--tiles']);
    assert.equal([size, entries, tiles], [1, 1, 1]);
    assert.is((await served.call(['audit', '--resume', 'replayed'])).code, 0);
    const mixed = await served.call(['audit', '--hash-only', '--resume', 'replayed']);
    assert.is(mixed.code, 2);
    assert.match(mixed.stderr, 'does not say how far a log was hashed');
  } finally {
    await served.served.close();
  }
});

if (haveVectors) {
  const testdata = 'example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx';

  test('tessera-testlog: all its entries and tiles', async () => {
    const call = ['audit', '--hash-only', vectorPath('tessera-testlog'), '--tiles', '--log-key'];
    const { size, entries, tiles } = await desk.result([...call, testdata]);
    assert.equal([size, entries, tiles], [15, 15, 1]);
    assert.is((await desk.call([...call, vkey])).code, 1);
  });
}

test.run();
