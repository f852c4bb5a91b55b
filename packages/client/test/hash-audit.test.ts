import { formatEntryBundle, MerkleInputError, parseEntryBundle, tilesForGrowth } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { auditHashes, ClientError, type HashAuditOptions, TlogReader } from '../src/index.js';
import { MemoryTlog } from './memory-tlog.js';

const LARGEST = 1024 * 1024;
const reader = (log: MemoryTlog): TlogReader =>
  new TlogReader('http://log.test', { fetch: log.fetch, hasher: nodeHasher, largest: LARGEST });
const audit = (log: MemoryTlog, options: HashAuditOptions = {}, head = log.head()) =>
  auditHashes(reader(log), head, { hasher: nodeHasher, ...options });

async function failure(work: Promise<unknown>): Promise<ClientError> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, ClientError);
    return error as ClientError;
  }
  throw new Error('it did not fail');
}

/** Changes one file of a log. */
function altered(log: MemoryTlog, at: string, change: (bytes: Uint8Array) => Uint8Array | Response): MemoryTlog {
  log.alter = (path, bytes) => (path === at ? change(bytes) : bytes);
  return log;
}

/** Changes the entries of a full bundle. */
const changed = (change: (entries: Uint8Array[]) => Uint8Array[]) => (bytes: Uint8Array) =>
  formatEntryBundle(change(parseEntryBundle(bytes, 256).map((entry) => entry.slice())));

const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const out = bytes.slice();
  out[at] ^= 1;
  return out;
};

const honest = (): MemoryTlog => new MemoryTlog().fill(1000);

test('the entries of an honest log lead to its root, at sizes around the width of a tile', async () => {
  for (const size of [0, 1, 255, 256, 257, 512, 1000]) {
    const log = new MemoryTlog().fill(size);
    const { entries, bytes, tiles, position } = await audit(log);
    assert.equal([entries, tiles], [size, 0]);
    assert.is(
      bytes,
      log.entries.reduce((sum, entry) => sum + entry.length, 0),
    );
    assert.equal(position, log.range.serialise());
    assert.is(log.asked.filter((path) => !path.startsWith('tile/entries/')).length, 0, 'no tile of hashes is needed');
  }
});

test('every tile of an honest log is compared, each once', async () => {
  for (const size of [0, 1, 255, 256, 257, 1000, 65_536, 66_000]) {
    const log = new MemoryTlog().fill(size);
    const wanted = tilesForGrowth(0, size).length;
    assert.is((await audit(log, { tiles: true })).tiles, wanted, `${size}`);
    const asked = log.asked.filter((path) => !path.startsWith('tile/entries/'));
    assert.equal([asked.length, new Set(asked).size], [wanted, wanted], `${size}`);
  }
});

test('one changed byte is noticed, and with the tiles its entry is named', async () => {
  const log = () => altered(honest(), 'tile/entries/001', (bytes) => flipped(bytes, 2));
  const plain = await failure(audit(log()));
  assert.is(plain.code, 'client/not-verified');
  assert.match(
    plain.message,
    /^the 1000 entries that the log gives out hash to [0-9a-f]{64}, and its signed head says [0-9a-f]{64}$/,
  );
  const named = await failure(audit(log(), { tiles: true }));
  assert.is(named.code, 'client/not-verified');
  assert.match(
    named.message,
    'the first entry that is not the one of its tree is entry 256, of entries 256 to 511 (tile/entries/001)',
  );
});

test('swapped entries are noticed, and with the tiles the first is named', async () => {
  const swap = changed((entries) => {
    [entries[7], entries[9]] = [entries[9], entries[7]];
    return entries;
  });
  const log = () => altered(honest(), 'tile/entries/002', swap);
  assert.match((await failure(audit(log()))).message, 'its signed head says');
  assert.match((await failure(audit(log(), { tiles: true }))).message, 'entry 519, of entries 512 to 767');
});

test('a bundle that lacks an entry, has one too many, or bytes behind the last, is named', async () => {
  const mistakes: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ['255 entries instead of 256', changed((entries) => entries.slice(1))],
    ['more than 256', (bytes) => new Uint8Array([...bytes, 0, 1, 7])],
    ['within a length', (bytes) => new Uint8Array([...bytes, 0])],
    ['cut short', (bytes) => bytes.subarray(0, -1)],
  ];
  for (const [why, change] of mistakes) {
    const error = await failure(audit(altered(honest(), 'tile/entries/001', change)));
    assert.is(error.code, 'client/not-verified', why);
    assert.match(error.message, 'entries 256 to 511 (tile/entries/001) cannot be read', why);
    assert.match(error.message, why);
  }
});

test('a bundle that is not there is named; a log that has trouble is not said to be wrong', async () => {
  const log = (status: number) => altered(honest(), 'tile/entries/002', () => new Response('{}', { status }));
  const gone = await failure(audit(log(404)));
  assert.is(gone.code, 'client/not-verified');
  assert.match(gone.message, 'entries 512 to 767');
  assert.is((await failure(audit(log(503)))).status, 503);
});

test('a partial bundle that is gone is read from the full one', async () => {
  const log = honest();
  const head = log.head();
  log.fill(1024);
  log.alter = (path, bytes) => (path.includes('.p/') ? new Response('{}', { status: 404 }) : bytes);
  assert.is((await audit(log, { tiles: false }, head)).entries, 1000);
});

test('a body that does not end is given up', async () => {
  let sent = 0;
  const endless = (): Response =>
    new Response(
      new ReadableStream({
        pull(controller) {
          sent += 65_536;
          controller.enqueue(new Uint8Array(65_536));
        },
      }),
    );
  const error = await failure(audit(altered(honest(), 'tile/entries/001', endless)));
  assert.is(error.code, 'client/not-verified');
  assert.match(error.message, `more than ${LARGEST} bytes`);
  assert.ok(sent <= LARGEST + 4 * 65_536, `${sent} bytes were taken`);
});

test('a wrong tile is noticed only when tiles are compared, and the first is named', async () => {
  const large = new MemoryTlog().fill(66_000);
  const cases: [MemoryTlog, string, (bytes: Uint8Array) => Uint8Array | Response][] = [
    [honest(), 'tile/0/002', (bytes) => flipped(bytes, 8191)],
    [honest(), 'tile/0/003.p/232', (bytes) => flipped(bytes, 0)],
    [honest(), 'tile/1/000.p/3', (bytes) => flipped(bytes, 95)],
    [honest(), 'tile/0/001', (bytes) => bytes.subarray(32)],
    [honest(), 'tile/0/001', (bytes) => new Uint8Array([...bytes, 0])],
    [large, 'tile/1/000', (bytes) => flipped(bytes, 5)],
    [large, 'tile/2/000.p/1', (bytes) => flipped(bytes, 5)],
  ];
  for (const [log, path, change] of cases) {
    altered(log, path, change);
    await audit(log);
    const error = await failure(audit(log, { tiles: true }));
    assert.is(error.code, 'client/not-verified', path);
    assert.match(error.message, 'lead to the signed root, but 1 of the log');
    assert.match(error.message, `first ${path}: it h`);
  }
});

test('a tile that is not there is a wrong one; a log that has trouble is not said to be wrong', async () => {
  const log = (status: number) => altered(honest(), 'tile/0/001', () => new Response('{}', { status }));
  assert.match((await failure(audit(log(404), { tiles: true }))).message, 'first tile/0/001: the log answers with status 404');
  assert.is((await failure(audit(log(503), { tiles: true }))).status, 503);
});

test('when neither entries nor tile lead to the root, no entry is blamed', async () => {
  const log = honest();
  log.alter = (path, bytes) => (path === 'tile/entries/001' || path === 'tile/0/001' ? flipped(bytes, 2) : bytes);
  const { message } = await failure(audit(log, { tiles: true }));
  assert.match(message, 'the first tile that does not fit them is tile/0/001');
  assert.match(message, 'does not lead to the root either');
  assert.not.match(message, 'the first entry');
});

test('a head of another tree is refused, also when tiles and entries agree', async () => {
  const other = new MemoryTlog().fill(1000, 'other').head();
  assert.match((await failure(audit(honest(), {}, other))).message, 'its signed head says');
  assert.match((await failure(audit(honest(), { tiles: true }, other))).message, 'the head is of another tree');
});

test('an audit goes on where an earlier one ended, also within a bundle, and reads nothing before it again', async () => {
  const log = new MemoryTlog().fill(600);
  const { position } = await audit(log);
  for (const size of [600, 700, 768, 1500]) {
    log.fill(size);
    log.asked.length = 0;
    const { entries, position: next } = await audit(log, { position });
    assert.is(entries, size - 600);
    assert.equal(next, log.range.serialise());
    assert.not.ok(
      log.asked.some((path) => /entries\/00[01]/.test(path)),
      log.asked.join(' '),
    );
  }
});

test('going on, another history is told from wrong entries; a smaller tree is refused', async () => {
  const { position } = await audit(new MemoryTlog().fill(600, 'other'));
  assert.is((await failure(audit(honest(), { position }))).code, 'client/inconsistent');
  const own = await audit(new MemoryTlog().fill(600));
  const log = altered(honest(), 'tile/entries/002', (bytes) => flipped(bytes, bytes.length - 1));
  const error = await failure(audit(log, { position: own.position }));
  assert.is(error.code, 'client/not-verified');
  assert.match(error.message, 'the first 600 of them were hashed before');
  assert.match((await failure(audit(new MemoryTlog().fill(500), { position }))).message, '600 were hashed before');
});

test('tiles are compared from the first entry on', async () => {
  const { position } = await audit(new MemoryTlog().fill(10));
  let refused: unknown;
  await audit(honest(), { position, tiles: true }).catch((error) => {
    refused = error;
  });
  assert.instance(refused, MerkleInputError);
});

test('bundles are fetched before they are needed, and not without bound', async () => {
  const log = new MemoryTlog().fill(256 * 60);
  const ahead: number[] = [];
  await audit(log, { progress: (size) => ahead.push(log.asked.length - size / 256) });
  assert.ok(Math.max(...ahead) >= 8 && Math.max(...ahead) <= 16, `${Math.max(...ahead)} ahead`);
});

test.run();
