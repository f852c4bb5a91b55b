import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { formatVerifierKey, type NoteSignature, parseNote, parseSignatureLine } from '@treering/note';
import { pino } from 'pino';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema, serveWitness, unlockWitness } from '../src/index.js';
import { NAME, temporaryFolder } from './fixture.js';
import { leavesOf, TestLog, withLines } from './test-log.js';

const log = new TestLog();
const FILES = ['witness.db', 'witness.db-wal', 'witness.db-shm'];
const silent = pino({ level: 'silent' });
const serve = (settings: object) => serveWitness(configSchema.parse({ listen: '127.0.0.1:0', ...settings }), silent);

/** A data folder whose witness follows the log, and where the log publishes if it does. */
function newData(url = ''): string {
  const data = temporaryFolder();
  writeFileSync(join(data, 'logs.txt'), `log ${formatVerifierKey(log.signer.key)} ${url}\n`);
  return data;
}

/** Runs a witness for as long as the work takes. */
async function during<T>(settings: object, work: (served: Awaited<ReturnType<typeof serve>>) => Promise<T>): Promise<T> {
  const served = await serve({ name: NAME, ...settings });
  try {
    return await work(served);
  } finally {
    await served.close();
  }
}

async function post(url: string, body: Uint8Array): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: body as Uint8Array<ArrayBuffer> });
  return { status: response.status, text: await response.text() };
}

/** Cosigns, and returns the lines. */
async function cosign(url: string, old: number, size: number, from = log): Promise<string> {
  const { status, text } = await post(url, from.add(old, size));
  assert.is(status, 200, text);
  return text;
}

function copy(from: string, to: string, files = FILES): void {
  mkdirSync(to, { recursive: true });
  for (const file of FILES) rmSync(join(to, file), { force: true });
  for (const file of files) if (existsSync(join(from, file))) copyFileSync(join(from, file), join(to, file));
}

/** It signs nothing, says so everywhere and what to do, and still says so after a restart. */
async function expectLocked(data: string, reason: RegExp, settings: object = {}): Promise<void> {
  for (let start = 0; start < 2; start++)
    await during({ data, ...settings }, async ({ url, witness }) => {
      assert.match(witness.store.locked ?? '', reason);
      for (const body of [log.add(0, 12), log.add(5, 12), log.add(9, 12)]) {
        const { status, text } = await post(url, body);
        assert.is(status, 503);
        assert.not.match(text, /— \S+ [A-Za-z0-9+/]{40}/);
      }
      assert.is((await fetch(`${url}/sign-subtree`, { method: 'POST', body: 'x' })).status, 503);
      const ready = await fetch(`${url}/readyz`);
      assert.is(ready.status, 503);
      const text = await ready.text();
      assert.match(text, reason);
      assert.match(text, /treering witness unlock/);
      assert.is((await fetch(`${url}/healthz`)).status, 200);
      assert.match(await (await fetch(`${url}/metrics`)).text(), /^treering_witness_locked 1$/m);
    });
}

/** Advances a witness to 9 entries, with copies of its files at 5: closed, while it ran, and while it ran without the WAL. */
async function rolled(url = '') {
  const data = newData(url);
  const backup = temporaryFolder();
  const lines: Record<number, string> = {};
  await during({ data }, async (served) => {
    lines[5] = await cosign(served.url, 0, 5);
    copy(data, join(backup, 'open'));
    copy(data, join(backup, 'no-wal'), ['witness.db']);
  });
  copy(data, join(backup, 'closed'));
  copyFileSync(join(data, 'anchor', 'generation'), join(backup, 'generation'));
  await during({ data }, async (served) => {
    lines[9] = await cosign(served.url, 5, 9);
    copy(data, join(backup, 'newest'));
  });
  assert.ok(readdirSync(join(backup, 'open')).includes('witness.db-wal'));
  return { data, backup, lines };
}

for (const kind of ['closed', 'open', 'no-wal'])
  test(`an older copy of the store (${kind}) locks the witness until its operator unlocks it`, async () => {
    const { data, backup, lines } = await rolled();
    copy(join(backup, kind), data);
    await expectLocked(data, /it is an older copy/);
    const before = await unlockWitness({ data }, [withLines(log.head(9), lines[9])]);
    assert.match(before.reason ?? '', /older copy/);
    assert.equal(before.adopted, [{ origin: log.origin, size: 9n }]);
    await during({ data }, async ({ url }) => {
      assert.equal(await post(url, log.add(5, 12)), { status: 409, text: '9\n' });
      await cosign(url, 9, 12);
    });
  });

test('an older file beside the newest WAL is known to be older, or is not', async () => {
  const { data, backup } = await rolled();
  copy(join(backup, 'newest'), data);
  copyFileSync(join(backup, 'closed', 'witness.db'), join(data, 'witness.db'));
  await during({ data }, async ({ witness }) => {
    assert.ok(witness.store.locked !== undefined || witness.store.head(log.origin)?.size === 9n);
  });
});

test('a file and a WAL of different copies lock, although the WAL has the newest count', async () => {
  const logs = Array.from({ length: 40 }, (_, i) => new TestLog(`log.test/${i}`));
  const data = temporaryFolder();
  const backup = temporaryFolder();
  writeFileSync(join(data, 'logs.txt'), logs.map(({ signer }) => `log ${formatVerifierKey(signer.key)}\n`).join(''));
  const advance = async (url: string, old: number, size: number, some = logs): Promise<void> => {
    await Promise.all(some.map((one) => cosign(url, old, size, one)));
  };
  await during({ data }, ({ url }) => advance(url, 0, 5));
  copy(data, join(backup, 'older'));
  await during({ data }, ({ url }) => advance(url, 5, 9));
  await during({ data }, async ({ url }) => {
    await advance(url, 9, 12, logs.slice(0, 1));
    copy(data, join(backup, 'newest'));
  });
  copy(join(backup, 'newest'), data);
  await during({ data }, async ({ witness }) => assert.is(witness.store.locked, undefined, 'both of one copy'));
  copy(join(backup, 'newest'), data);
  copyFileSync(join(backup, 'older', 'witness.db'), join(data, 'witness.db'));
  await serve({ data }).then(
    async (served) => {
      const { locked } = served.witness.store;
      await served.close();
      assert.match(locked ?? '', /its files are of different copies/);
    },
    (error) => assert.is(error.code, 'storage/corrupt'),
  );
});

test('the operator may take the risk of the older state without any checkpoint, and it is locked no more', async () => {
  const { data, backup } = await rolled();
  copy(join(backup, 'closed'), data);
  await unlockWitness({ data }).then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, 'witness/unvouched'),
  );
  await expectLocked(data, /older copy/);
  assert.match((await unlockWitness({ data }, [], { riskSecondHistory: true })).reason ?? '', /older copy/);
  assert.equal(await unlockWitness({ data }), { reason: undefined, adopted: [], refilled: [] });
  for (let start = 0; start < 2; start++)
    await during({ data }, async ({ url }) => {
      assert.is((await fetch(`${url}/readyz`)).status, 200);
      await cosign(url, 5 + start, 6 + start);
    });
});

test('unlock takes heads in any order, and refuses what is not its own or shows a second history', async () => {
  const { data, backup, lines } = await rolled();
  const code = (heads: Uint8Array[]): Promise<unknown> =>
    unlockWitness({ data }, heads).then(
      () => undefined,
      (error) => error.code,
    );
  copy(join(backup, 'closed'), data);
  assert.is(await code([log.head(9)]), 'witness/not-cosigned');
  assert.is(await code([withLines(log.head(12), lines[9])]), 'witness/not-signed');
  assert.is(await code([withLines(new TestLog('log.test/other').head(9), lines[9])]), 'witness/unknown-log');
  await expectLocked(data, /older copy/);
  const { adopted } = await unlockWitness({ data }, [
    withLines(log.head(9), lines[9]),
    withLines(log.head(5), lines[5]),
    withLines(log.head(9), lines[9]),
  ]);
  assert.equal(adopted, [{ origin: log.origin, size: 9n }]);
  // A witness that has forgotten everything, and begun another history.
  copy(join(backup, 'no-wal'), data);
  await unlockWitness({ data }, [], { riskSecondHistory: true });
  const fork = new TestLog(log.origin, leavesOf(300, 'fork', 3));
  await during({ data }, ({ url }) => cosign(url, 0, 9, fork));
  assert.is(await code([withLines(log.head(9), lines[9])]), 'witness/inconsistent');
});

test('a lost anchor locks; one that holds no number is not taken for a number', async () => {
  const { data, lines } = await rolled();
  writeFileSync(join(data, 'anchor', 'generation'), 'x\n');
  await serve({ data }).then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, 'storage/corrupt'),
  );
  rmSync(join(data, 'anchor'), { recursive: true });
  await expectLocked(data, /the anchor of the store is gone/);
  assert.equal((await unlockWitness({ data }, [withLines(log.head(9), lines[9])])).adopted, [], 'it is the newest');
  await during({ data }, ({ url }) => cosign(url, 9, 12));
});

test('a newer store than its anchor is what a crash between the two leaves, and goes on', async () => {
  const { data, backup } = await rolled();
  copyFileSync(join(backup, 'generation'), join(data, 'anchor', 'generation'));
  await during({ data }, async ({ url, witness }) => {
    assert.is(witness.store.locked, undefined);
    await cosign(url, 9, 12);
  });
});

/** Puts everything back, the anchor too. */
async function allRolled(url?: string) {
  const made = await rolled(url);
  copy(join(made.backup, 'closed'), made.data);
  copyFileSync(join(made.backup, 'generation'), join(made.data, 'anchor', 'generation'));
  return made;
}

test('its own cosignature on a submitted head that it does not know locks, also when the anchor is as old', async () => {
  const { data, lines } = await allRolled();
  await during({ data }, async ({ url, witness }) => {
    const bare = log.add(5, 9);
    assert.is((await post(url, withLines(bare, lines[9]))).status, 503);
    assert.match(witness.store.locked ?? '', /cosigned log\.test\/one at size 9 before.*knows only size 5/);
    assert.is((await post(url, bare)).status, 503);
  });
  await expectLocked(data, /at size 9 before/);
  await unlockWitness({ data }, [withLines(log.head(9), lines[9])]);
  await during({ data }, async ({ url }) => {
    assert.is((await post(url, withLines(log.add(9, 9), lines[9]))).status, 200, 'known now');
    await cosign(url, 9, 12);
  });
});

test('its own cosignature on what a log publishes locks at the start, before anything is signed', async () => {
  let published = new Uint8Array();
  const site = createServer((_request, response) => {
    response.end(published);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => site.once('listening', resolve));
  try {
    const { data, lines } = await allRolled(`http://127.0.0.1:${(site.address() as AddressInfo).port}/log/`);
    published = new Uint8Array(withLines(log.head(5), lines[5]));
    await during({ data }, async ({ witness }) => assert.is(witness.store.locked, undefined));
    published = new Uint8Array(600_000).fill(0x61);
    await during({ data }, async ({ witness }) => assert.is(witness.store.locked, undefined));
    published = new Uint8Array(withLines(log.head(9), lines[9]));
    await expectLocked(data, /at size 9 before/);
  } finally {
    site.close();
  }
});

test("nobody else's line under its name locks it", async () => {
  const data = newData();
  await during({ data }, async ({ url, witness }) => {
    const lines = await cosign(url, 0, 5);
    const own: NoteSignature[] = lines.slice(0, -1).split('\n').map(parseSignatureLine);
    const forged = own.map((line) => ({ ...line, signature: line.signature.map((byte, i) => (i === 20 ? byte ^ 1 : byte)) }));
    // Of another head, of another key with the same name, with another time, too short.
    const others = [
      own,
      forged,
      own.map((line) => ({ ...line, signature: line.signature.map((byte, i) => (i === 7 ? byte ^ 1 : byte)) })),
      own.map((line) => ({ ...line, id: '01020304' })),
      own.map((line) => ({ ...line, signature: line.signature.subarray(0, 8) })),
    ];
    for (const [i, added] of others.entries()) {
      assert.is((await post(url, log.add(5 + i, 6 + i, { lines: added }))).status, 200, `case ${i}`);
      assert.is(witness.store.locked, undefined, `case ${i}`);
    }
    assert.is(parseNote(witness.store.head(log.origin)?.note as Uint8Array).signatures.length, 3);
  });
});

test('a store that is gone while its keys or its anchor are there is not begun anew', async () => {
  const { data, backup } = await rolled();
  const code = (settings: object): Promise<unknown> =>
    serve(settings).then(
      (served) => served.close(),
      (error) => error.code,
    );
  copy(join(backup, 'none'), data);
  assert.is(await code({ data, name: NAME }), 'storage/missing');
  assert.is(await code({ data, name: NAME, create: true }), 'storage/missing');
  writeFileSync(join(data, 'witness.db'), '');
  assert.is(await code({ data, name: NAME }), 'storage/missing', 'an empty file');
  rmSync(join(data, 'keys'), { recursive: true });
  assert.is(await code({ data, name: NAME }), 'storage/missing', 'only the anchor is left');
  assert.not.ok(existsSync(join(data, 'keys')));
});

test('keys that are gone are not made anew, and no others are taken for them', async () => {
  const { data, backup } = await rolled();
  const code = (settings: object): Promise<unknown> =>
    serve(settings).then(
      (served) => served.close(),
      (error) => error.code,
    );
  assert.is(await code({ data, name: 'witness.test/two' }), 'witness/wrong-key');
  for (const gone of ['witness.key', 'witness-mldsa44.key']) {
    copyFileSync(join(data, 'keys', gone), join(backup, gone));
    rmSync(join(data, 'keys', gone));
    assert.is(await code({ data, name: NAME }), 'note/bad-key', gone);
    assert.not.ok(existsSync(join(data, 'keys', gone)), gone);
    copyFileSync(join(backup, gone), join(data, 'keys', gone));
  }
  rmSync(join(data, 'keys'), { recursive: true });
  assert.is(await code({ data, name: NAME }), 'note/bad-key');
  assert.not.ok(existsSync(join(data, 'keys')));
});

test('a key that lives elsewhere begins a store only when it is said that it has never cosigned', async () => {
  const first = newData();
  await during({ data: first }, async () => undefined);
  const data = newData();
  const key = join(first, 'keys', 'witness.key');
  const code = (settings: object): Promise<unknown> =>
    serve({ data, key, ...settings }).then(
      (served) => served.close(),
      (error) => error.code,
    );
  assert.is(await code({ name: NAME }), 'storage/missing');
  assert.is(await code({ create: true }), 'note/bad-key', 'it has no name yet for the ML-DSA key');
  assert.is(await code({ create: true, name: NAME }), undefined);
  assert.not.ok(existsSync(join(data, 'keys', 'witness.key')));
  assert.is(await code({}), undefined);
});

test('a second process is refused the store of a running one', async () => {
  const data = newData();
  await during({ data }, async ({ url }) => {
    await serve({ data }).then(
      () => assert.unreachable(),
      (error) => assert.is(error.code, 'storage/locked'),
    );
    await unlockWitness({ data }).then(
      () => assert.unreachable(),
      (error) => assert.is(error.code, 'storage/locked'),
    );
    await cosign(url, 0, 5);
  });
});

test.run();
