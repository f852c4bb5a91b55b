import { copyFileSync, mkdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { concatBytes, encodeUtf8, openNote, parseNote, parseSignatureLine } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { openDatabase } from '@treering/storage-sqlite';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFileAnchor, originHash, WitnessStore } from '../src/index.js';
import { MIRROR_SCHEMA } from '../src/mirror-schema.js';
import { WITNESS_SCHEMA } from '../src/schema.js';
import { temporaryFolder } from './fixture.js';
import { infoOf, MemoryLog, MIRROR_SIGNERS, openMirror } from './mirror-fixture.js';

const GZIP = { 'Content-Encoding': 'gzip' };

/** A mirror that knows the head of a log, and nothing of its entries. */
async function pendingMirror(log: MemoryLog) {
  const mirror = openMirror(log);
  assert.is((await mirror.add(await log.growth(0))).status, 200);
  return mirror;
}

/** A body that comes in pieces, and breaks off with an error if it is told to. */
function stream(pieces: readonly Uint8Array[], broken = false): ReadableStream<Uint8Array> {
  const left = [...pieces];
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setImmediate(resolve));
      const piece = left.shift();
      if (piece !== undefined) controller.enqueue(piece);
      else if (broken) controller.error(new Error('the client is gone'));
      else controller.close();
    },
  });
}

test('a body that ends anywhere keeps the packages that came whole, and no more', async () => {
  const log = new MemoryLog('log.test/mirrored', 600, (i) => 'e'.repeat(i % 5));
  const packages = await log.packages(0, 600);
  const header = log.header(0, 600);
  const body = concatBytes(header, ...packages);
  const edges = [header.length];
  for (const part of packages) edges.push(edges[edges.length - 1] + part.length);
  // Around the edges of all parts of the header and of each package, and some in between.
  const parts = [0, 2, 2 + log.origin.length, 10 + log.origin.length, 18 + log.origin.length, ...edges];
  const near = (distance: number) => (at: number) => parts.some((edge) => Math.abs(edge - at) <= distance);
  const all = Array.from({ length: body.length + 1 }, (_, i) => i);
  for (const zipped of [false, true])
    for (const cut of zipped ? all.filter(near(0)) : all.filter((at) => at % 397 === 0 || near(1)(at))) {
      const mirror = await pendingMirror(log);
      const whole = edges.filter((edge) => edge <= cut).length - 1;
      const part = body.slice(0, cut);
      const response = zipped ? await mirror.upload(gzipSync(part), GZIP) : await mirror.upload(part);
      assert.is(response.status, whole === 3 ? 200 : whole > 0 ? 202 : 400, `cut at ${cut}`);
      assert.is(mirror.mirror.copies.entries(log.origin), Math.max(0, Math.min(600, whole * 256)));
      if (whole === 1 || whole === 2) {
        const { next, size, ticket } = await infoOf(response);
        assert.is(size, 600n);
        assert.is((await mirror.upload(await log.upload(Number(next), 600, ticket))).status, 200);
      }
      mirror.close();
      rmSync(mirror.data, { recursive: true });
    }
});

test('a compressed body that is cut off or damaged keeps what was whole', async () => {
  const log = new MemoryLog('log.test/mirrored', 600, (i) => `${Math.sin(i)}${Math.cos(i)}`);
  const packed = gzipSync(await log.upload(0));
  const cut = await pendingMirror(log);
  assert.is((await cut.upload(packed.subarray(0, packed.length - 100), GZIP)).status, 202);
  assert.is(cut.mirror.copies.entries(log.origin), 512);
  cut.close();
  const damaged = await pendingMirror(log);
  const bytes = Buffer.from(packed);
  bytes.fill(0xff, packed.length - 600, packed.length - 400);
  const { status } = await damaged.upload(bytes, GZIP);
  assert.ok(status === 202 || status === 400 || status === 422, String(status));
  assert.is(damaged.store.mirrored(log.origin), undefined);
  damaged.close();
});

test('a client that goes away in the middle of a package loses only this package', async () => {
  const log = new MemoryLog('log.test/mirrored', 600);
  const mirror = await pendingMirror(log);
  const [first, second] = await log.packages(0, 600);
  const response = await mirror.upload(stream([log.header(0, 600), first, second.subarray(0, 99)], true));
  assert.is(response.status, 202);
  assert.is((await infoOf(response)).next, 256n);
  assert.is((await mirror.upload(await log.upload(256))).status, 200);
  mirror.close();
});

test('a client that pauses learns how far it came', async () => {
  const log = new MemoryLog('log.test/mirrored', 600);
  const mirror = openMirror(log, temporaryFolder(), 200);
  await mirror.add(await log.growth(0));
  const pausing = (start: Uint8Array) =>
    new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(start),
      pull: () => new Promise(() => undefined),
    });
  // A listening server keeps the process alive; here nothing else does.
  const alive = setInterval(() => undefined, 1000);
  const [first] = await log.packages(0, 600);
  const response = await mirror.upload(pausing(concatBytes(log.header(0, 600), first, Uint8Array.of(0))));
  assert.is(response.status, 202);
  assert.is((await infoOf(response)).next, 256n);
  assert.is((await mirror.upload(pausing(log.header(256, 600)))).status, 400);
  assert.is((await mirror.upload(pausing(gzipSync(log.header(256, 600))), GZIP)).status, 400);
  clearInterval(alive);
  mirror.uploads.take(1 << 26);
  mirror.close();
});

test('entries that do not fit the head are not stored', async () => {
  const log = new MemoryLog('log.test/mirrored', 600);
  const other = new MemoryLog('log.test/mirrored', 600, (i) => (i === 300 ? 'another' : `entry ${i}`));
  const mirror = await pendingMirror(log);
  assert.is((await mirror.upload(await other.upload(0))).status, 422, 'proofs of another tree');
  assert.is(mirror.mirror.copies.entries(log.origin), 0);
  const honest = await log.packages(0, 600);
  const forged = [honest[0], Uint8Array.from(honest[1])];
  forged[1][5] ^= 1;
  assert.is((await mirror.upload(concatBytes(log.header(0, 600), ...forged))).status, 422);
  assert.is(mirror.mirror.copies.entries(log.origin), 256, 'the first package holds, and the second does not');
  const swapped = await mirror.upload(concatBytes(log.header(0, 600), honest[1], honest[0]));
  assert.is(swapped.status, 422);
  // A proof of 64 hashes, and one too short or too long.
  const entries = honest[1].slice(0, -1 - honest[1][honest[1].length - 1]);
  assert.ok(entries.length > 0);
  for (const at of [0, 1, 2]) {
    const broken = Uint8Array.from(honest[2]);
    broken[broken.length - 1 - at] ^= 0x80;
    assert.is((await mirror.upload(concatBytes(log.header(256, 600), honest[1], broken))).status, 422);
  }
  assert.is(mirror.store.mirrored(log.origin), undefined);
  assert.is((await mirror.upload(await log.upload(512))).status, 200);
  mirror.close();
});

test('a proof of more hashes than any tree needs ends the body', async () => {
  const log = new MemoryLog('log.test/mirrored', 3);
  const mirror = await pendingMirror(log);
  const entries = (await log.packages(0, 3))[0].slice(0, -1);
  const body = concatBytes(log.header(0, 3), entries, Uint8Array.of(64), new Uint8Array(64 * 32));
  assert.is((await mirror.upload(body)).status, 400);
  assert.is(mirror.mirror.copies.entries(log.origin), 0);
  mirror.close();
});

test('a fork of a log reaches neither the pending checkpoint nor the copy', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const fork = new MemoryLog('log.test/mirrored', 700, (i) => (i < 200 ? `entry ${i}` : `fork ${i}`));
  const mirror = await pendingMirror(log);
  assert.is((await mirror.upload(await log.upload(0))).status, 200);
  assert.is((await mirror.add(await fork.growth(300))).status, 422);
  assert.is((await mirror.upload(await fork.upload(256))).status, 409, 'its head is not pending');
  // A head signed by the log that the witness never saw, in a ticket of its own making.
  for (const note of [fork.checkpoint(), log.grow(700).checkpoint()]) {
    const ticket = concatBytes(new Uint8Array(32), note);
    assert.is((await mirror.upload(await fork.upload(300, 700, ticket))).status, 409);
  }
  assert.is(mirror.mirror.copies.entries(log.origin), 300);
  mirror.close();
});

test('a ticket leads on when its head is long forgotten, and one that was touched does not', async () => {
  const log = new MemoryLog('log.test/mirrored', 600);
  const mirror = await pendingMirror(log);
  const first = (await log.packages(0, 600))[0];
  const { ticket } = await infoOf(await mirror.upload(concatBytes(log.header(0, 600), first)));
  for (let size = 601; size <= 620; size++) {
    log.grow(size);
    assert.is((await mirror.add(await log.growth(size - 1))).status, 200);
  }
  assert.is((await mirror.upload(await log.upload(256, 605))).status, 200, 'one of the last sixteen');
  const behind = await mirror.upload(await log.upload(256, 600, ticket));
  assert.is(behind.status, 409, 'the mirror went past it');

  const other = new MemoryLog('log.test/other', 600);
  const second = openMirror(other);
  await second.add(await other.growth(0));
  const part = (await other.packages(0, 600))[0];
  const sealed = (await infoOf(await second.upload(concatBytes(other.header(0, 600), part)))).ticket;
  for (let size = 601; size <= 620; size++) {
    other.grow(size);
    await second.add(await other.growth(size - 1));
  }
  assert.is((await second.upload(await other.upload(256, 600))).status, 409, 'forgotten');
  for (const at of [0, 31, 32, 60, sealed.length - 1]) {
    const touched = Uint8Array.from(sealed);
    touched[at] ^= 1;
    assert.is((await second.upload(await other.upload(256, 600, touched))).status, 409, `byte ${at}`);
  }
  assert.is((await second.upload(await other.upload(256, 600, sealed.subarray(0, 40)))).status, 409);
  assert.is((await second.upload(await other.upload(256, 601, sealed))).status, 409, 'it is for another size');
  assert.is((await second.upload(await other.upload(256, 600, ticket))).status, 409, 'it is of another mirror');
  assert.is((await second.upload(await other.upload(256, 600, sealed))).status, 200);
  mirror.close();
  second.close();
});

test('a ticket is for one log', async () => {
  const log = new MemoryLog('log.test/mirrored', 600);
  const other = new MemoryLog('log.test/other', 600);
  const mirror = await pendingMirror(log);
  mirror.store.addLogs([{ origin: other.origin, keys: [other.signer.key] }]);
  await mirror.add(await other.growth(0, 500));
  const { ticket } = await infoOf(await mirror.upload(log.header(600, 600)));
  assert.ok(ticket.length > 0);
  assert.is((await mirror.upload(await other.upload(0, 600, ticket))).status, 409);
  mirror.close();
});

test('uploads at the same time end with one copy, and one that pauses stops nobody', async () => {
  const log = new MemoryLog('log.test/mirrored', 1500);
  const mirror = await pendingMirror(log);
  const packages = await log.packages(0, 1500);
  let resume: () => void = () => undefined;
  const pause = new Promise<void>((resolve) => {
    resume = resolve;
  });
  const slow = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(concatBytes(log.header(0, 1500), packages[0], packages[1].subarray(0, 50)));
      await pause;
      controller.enqueue(concatBytes(packages[1].subarray(50), ...packages.slice(2)));
      controller.close();
    },
  });
  const paused = mirror.upload(slow);
  const pieces = (body: Uint8Array, size: number) =>
    Array.from({ length: Math.ceil(body.length / size) }, (_, i) => body.slice(i * size, (i + 1) * size));
  const body = await log.upload(0);
  const answers = await Promise.all([
    mirror.upload(stream(pieces(body, 701))),
    mirror.upload(stream(pieces(body, 997))),
    mirror.upload(stream(pieces(body, 4096))),
  ]);
  assert.equal(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  log.grow(1600);
  await mirror.add(await log.growth(1500));
  assert.is((await mirror.upload(await log.upload(1500))).status, 200);
  resume();
  const late = await paused;
  assert.is(late.status, 409, 'the mirror checkpoint does not go back');
  assert.is((await infoOf(late)).size, 1600n);
  assert.is(mirror.store.mirrored(log.origin)?.size, 1600n);
  mirror.close();
});

test('no upload holds more than the budget, and everything is given back', async () => {
  const log = new MemoryLog('log.test/mirrored', 400, () => 'x'.repeat(60_000));
  const mirror = await pendingMirror(log);
  mirror.uploads.take((1 << 26) - 20_000_000);
  const pieces = (body: Uint8Array) => Array.from({ length: 400 }, (_, i) => body.subarray(i * 65_536, (i + 1) * 65_536));
  const taken = await mirror.upload(stream(pieces(await log.upload(0))));
  assert.is(taken.status, 200, 'a package fits, and they come one by one');
  mirror.uploads.take(15_000_000);
  const second = await pendingMirror(log);
  second.uploads.take((1 << 26) - 5_000_000);
  const refused = await second.upload(stream(pieces(await log.upload(0))));
  assert.is(refused.status, 503);
  assert.ok(refused.headers.has('retry-after'));
  second.uploads.take(5_000_000);
  mirror.uploads.take(5_000_000);
  mirror.close();
  second.close();
});

test('a bomb of gzip is unpacked only as far as its first package', async () => {
  const log = new MemoryLog('log.test/mirrored', 400);
  const mirror = await pendingMirror(log);
  const bomb = gzipSync(Buffer.concat([log.header(0, 400), Buffer.alloc(300 << 20)]), { level: 9 });
  const before = process.memoryUsage().rss;
  assert.is((await mirror.upload(bomb, GZIP)).status, 422);
  assert.ok(process.memoryUsage().rss - before < 64 << 20, 'it was not unpacked');
  mirror.close();
});

test('a restart keeps everything', async () => {
  const log = new MemoryLog('log.test/mirrored', 600);
  const before = await pendingMirror(log);
  const first = (await log.packages(0, 600))[0];
  assert.is((await before.upload(concatBytes(log.header(0, 600), first))).status, 202);
  before.close();
  const after = openMirror(log, before.data);
  assert.equal(await after.mirror.copies.examine(), []);
  assert.is((await after.upload(await log.upload(256))).status, 200);
  after.close();
  const last = openMirror(log, before.data);
  assert.equal(await last.mirror.copies.examine(), []);
  const lines = await (await last.upload(log.header(600, 600))).text();
  const signatures = lines.slice(0, -1).split('\n').map(parseSignatureLine);
  const { text } = parseNote(log.checkpoint());
  openNote(
    { text, signatures },
    MIRROR_SIGNERS.map(({ key }) => key),
    nodeEd25519,
  );
  last.close();
});

test('a copy that lost what was cosigned is locked until the operator has it filled again, and then never goes back', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const mirror = await pendingMirror(log);
  const file = join(mirror.data, 'mirror', `${originHash(log.origin)}.db`);
  assert.is((await mirror.upload(await log.upload(0))).status, 200);
  mirror.close();
  copyFileSync(file, `${file}.old`);
  const later = openMirror(log, mirror.data);
  log.grow(700);
  await later.add(await log.growth(300));
  assert.is((await later.upload(await log.upload(300))).status, 200);
  later.close();
  for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
  copyFileSync(`${file}.old`, file);

  const back = openMirror(log, mirror.data);
  assert.equal(await back.mirror.copies.examine(), [log.origin]);
  const prefix = `/mirror/${originHash(log.origin)}`;
  for (const path of [`${prefix}/checkpoint`, `${prefix}/tile/0/000`]) assert.is((await back.app.request(path)).status, 503);
  assert.is((await back.upload(await log.upload(300))).status, 503);
  back.close();
  const still = openMirror(log, mirror.data);
  assert.equal(await still.mirror.copies.examine(), [], 'it is known');
  assert.is((await still.upload(await log.upload(300))).status, 503);
  assert.is((await still.add(await log.growth(700))).status, 200, 'the witness goes on');

  assert.equal(still.store.refillMirrors(), [log.origin]);
  assert.is((await still.app.request(`${prefix}/checkpoint`)).status, 404, 'not complete');
  assert.is((await still.upload(log.header(300, 300))).status, 409, 'smaller than what was cosigned');
  still.close();
  const filling = openMirror(log, mirror.data);
  assert.equal(await filling.mirror.copies.examine(), [], 'it may be filled');
  assert.is((await filling.upload(await log.upload(300))).status, 200);
  assert.is((await filling.app.request(`${prefix}/checkpoint`)).status, 200);
  filling.close();
});

test('an older copy of the store is found by what the mirror alone has cosigned', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const mirror = await pendingMirror(log);
  mirror.close();
  const file = join(mirror.data, 'witness.db');
  copyFileSync(file, `${file}.old`);
  const later = openMirror(log, mirror.data);
  assert.is((await later.upload(await log.upload(0))).status, 200);
  later.close();
  for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
  copyFileSync(`${file}.old`, file);
  const back = openMirror(log, mirror.data);
  assert.match(back.store.locked ?? '', /older copy/);
  assert.is((await back.upload(log.header(300, 300))).status, 503);
  back.close();
});

test('a copy with other entries than were cosigned is found', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const mirror = await pendingMirror(log);
  assert.is((await mirror.upload(await log.upload(0))).status, 200);
  mirror.close();
  const path = join(mirror.data, 'mirror', `${originHash(log.origin)}.db`);
  const { db, lock } = openDatabase(path, { mode: 'open' }, MIRROR_SCHEMA);
  for (const sql of [
    "UPDATE entries SET bytes = x'00'",
    'DELETE FROM entries',
    'UPDATE tiles SET root = hashes',
    'DELETE FROM tiles',
  ])
    assert.throws(() => db.exec(sql), /never/, sql);
  assert.throws(() => db.exec("INSERT INTO entries (idx, leaf, bytes) VALUES (400, zeroblob(32), x'')"), /appended/);
  db.exec('DROP TRIGGER entries_are_immutable; UPDATE entries SET leaf = zeroblob(32) WHERE idx = 299');
  db.close();
  lock?.close();
  const after = openMirror(log, mirror.data);
  assert.equal(await after.mirror.copies.examine(), [log.origin]);
  assert.match(after.store.mirrored(log.origin)?.lost ?? '', /does not hash/);
  after.close();
});

test('a copy that cannot be written to stores nothing of a package, and takes nothing more until a restart', async () => {
  const log = new MemoryLog('log.test/mirrored', 600);
  const mirror = await pendingMirror(log);
  const first = (await log.packages(0, 600))[0];
  assert.is((await mirror.upload(concatBytes(log.header(0, 600), first))).status, 202);
  mirror.close();
  const path = join(mirror.data, 'mirror', `${originHash(log.origin)}.db`);
  const change = (sql: string): void => {
    const { db, lock } = openDatabase(path, { mode: 'open' }, MIRROR_SCHEMA);
    db.exec(sql);
    db.close();
    lock?.close();
  };
  change("CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.idx = 400 BEGIN SELECT RAISE(ABORT, 'no'); END");
  const failing = openMirror(log, mirror.data);
  assert.is((await failing.upload(await log.upload(256))).status, 503);
  assert.is(failing.mirror.copies.entries(log.origin), 256);
  assert.is((await failing.app.request('/readyz')).status, 503);
  assert.is((await failing.add(await log.growth(600))).status, 200, 'the witness goes on');
  failing.close();
  change('DROP TRIGGER full');
  const after = openMirror(log, mirror.data);
  assert.is((await after.upload(await log.upload(256))).status, 200);
  after.close();
});

test('no cosignature leaves when the head cannot be anchored', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const mirror = await pendingMirror(log);
  const way = join(mirror.data, 'generation');
  renameSync(way, `${way}.kept`);
  mkdirSync(way);
  const response = await mirror.upload(await log.upload(0));
  assert.is(response.status, 503);
  assert.not.match(await response.text(), /\u2014/);
  assert.is((await mirror.upload(log.header(300, 300))).status, 503);
  for (const prefix of ['', '/mirror'])
    assert.is((await mirror.app.request(`${prefix}/${originHash(log.origin)}/checkpoint`)).status, 503, prefix);
  mirror.close();
  rmdirSync(way);
  renameSync(`${way}.kept`, way);
  const after = openMirror(log, mirror.data);
  assert.is((await after.upload(log.header(300, 300))).status, 200);
  after.close();
});

test('whatever a client sends, it is told why, and nothing false is stored', async () => {
  const log = new MemoryLog('log.test/mirrored', 520, (i) => 'e'.repeat(i % 3));
  const mirror = await pendingMirror(log);
  const body = await log.upload(0);
  const flip = fc.tuple(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(flip, { maxLength: 3 }), fc.nat(body.length), fc.boolean(), async (flips, length, zipped) => {
      const bytes = body.slice(0, length);
      for (const [at, bits] of flips) if (at < bytes.length) bytes[at] ^= bits;
      const { status } = zipped ? await mirror.upload(gzipSync(bytes), GZIP) : await mirror.upload(bytes);
      assert.ok([200, 202, 400, 404, 409, 422].includes(status), String(status));
    }),
    { numRuns: 150 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      for (const headers of [{}, GZIP]) assert.ok([400, 404].includes((await mirror.upload(bytes, headers)).status));
    }),
    { numRuns: 50 },
  );
  assert.is((await mirror.upload(body)).status, 200);
  mirror.uploads.take(1 << 26);
  mirror.close();
});

test('a witness of an earlier version has its newest heads pending', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const path = join(temporaryFolder(), 'witness.db');
  const { db, lock } = openDatabase(path, { mode: 'create' }, { ...WITNESS_SCHEMA, steps: WITNESS_SCHEMA.steps.slice(0, 1) });
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(300n);
  db.prepare('INSERT INTO heads VALUES (?, ?, ?, 1, ?)').run(log.origin, size, log.root(), log.checkpoint());
  db.close();
  lock?.close();
  const store = WitnessStore.open(path, { mode: 'open' }, createFileAnchor(`${path}.generation`));
  assert.equal(store.pending(log.origin, 300n), { size: 300n, root: log.root(), note: log.checkpoint() });
  assert.is(store.mirrored(log.origin), undefined);
  store.close();
});

test('the store of the witness refuses to forget a mirror checkpoint', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const mirror = await pendingMirror(log);
  assert.is((await mirror.upload(await log.upload(0))).status, 200);
  const kept = mirror.store.mirrored(log.origin);
  mirror.close();
  const { db, lock } = openDatabase(join(mirror.data, 'witness.db'), { mode: 'open' }, WITNESS_SCHEMA);
  assert.throws(() => db.exec('DELETE FROM mirrors'), /never/);
  assert.throws(() => db.exec('UPDATE mirrors SET size = zeroblob(8)'), /never/);
  assert.throws(() => db.exec('UPDATE mirrors SET root = zeroblob(32)'), /never/);
  db.close();
  lock?.close();
  assert.is(kept?.size, 300n);
});

test('the own cosignature of the mirror on a head that the store has forgotten locks everything', async () => {
  const log = new MemoryLog('log.test/mirrored', 300);
  const mirror = await pendingMirror(log);
  log.grow(400);
  const text = parseNote(log.checkpoint()).text;
  const lines = await (async () => {
    const elsewhere = await pendingMirror(log);
    const answer = await (await elsewhere.upload(await log.upload(0))).text();
    elsewhere.close();
    return answer;
  })();
  const note = concatBytes(log.checkpoint(), encodeUtf8(lines));
  assert.ok(parseNote(note).text === text);
  assert.throws(() => mirror.witness.examine(note), /older copy/);
  assert.is((await mirror.upload(await log.upload(0, 300))).status, 503);
  mirror.close();
});

test.run();
