import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { nodeMeans } from '@treering/foreign/node';
import { type GovernanceState, saveState, saveStateInParts } from '@treering/governance';
import { type CborInput, decodeCbor, encodeCbor } from '@treering/statement';
import type { Storage } from '@treering/storage';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createSnapshotFile, dataFolder, fsck, Log, openAnchor, openLogKeys, type Snapshot, serveLog } from '../src/index.js';
import { identityRecord, makeStatement, rejection, type StatementParts, servedLog, signerFrom } from './fixture.js';
import { copyOf, insert, removeAtExit, stateOf, storedEntries } from './tampering.js';

/** What a start read and came to. */
interface Started {
  /** Indices of the entries that were read. */
  readonly replayed: number[];
  /** A digest of the state: two states that decide alike have the same. */
  readonly state: string;
}

const digestOf = (state: GovernanceState): string => createHash('sha256').update(saveState(state)).digest('hex');

/** Starts the log in a folder, and closes its store without a word. */
async function start(data: string, withSnapshot = true): Promise<Started> {
  const folder = dataFolder(data);
  const store = openSqliteStorage(folder.store, { mode: 'open' });
  const replayed: number[] = [];
  const storage: Storage = Object.create(store, {
    entries: {
      value: (from: number, to: number) => {
        for (let index = from; index < to; index++) replayed.push(index);
        return store.entries(from, to);
      },
    },
  });
  const keys = await openLogKeys(folder);
  const snapshots = withSnapshot ? { snapshots: createSnapshotFile(folder.snapshot) } : {};
  try {
    const log = await Log.open({ storage, anchor: openAnchor(folder), keys, means: nodeMeans, ...snapshots });
    return { replayed, state: digestOf(log.admission.state) };
  } finally {
    await store.close();
    keys.close();
  }
}

const upTo = (end: number, from = 0): number[] => Array.from({ length: end - from }, (_, i) => from + i);

/** Replaces the snapshot of a copy. */
function withSnapshot(bytes: Uint8Array): string {
  const data = copyOf(log.data);
  writeFileSync(dataFolder(data).snapshot, bytes);
  return data;
}

/** A snapshot file with a right checksum around any head and rows. */
function sealed(content: Record<string, CborInput>, rows: readonly Uint8Array[]): Uint8Array {
  const head = encodeCbor(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  const body = Buffer.concat([length, head, ...rows]);
  return new Uint8Array(Buffer.concat([createHash('sha256').update(body).digest(), body]));
}

/** What a snapshot file says of a state, and its rows. */
function partsOf(state: GovernanceState) {
  const { rules, entries, attachments } = saveStateInParts(state);
  return { head: { rules, entries: entries.length, attachments: attachments.length }, rows: [entries, attachments] };
}

// A log that has enrolled, revoked, frozen and recorded; its snapshot before the last three entries is kept.
const log = await servedLog();
removeAtExit(log.data);
const eve = signerFrom();
const submit = async (parts: StatementParts) => log.served.log.submit((await log.statement(parts)).entry);
await submit({ record: identityRecord('enrol', 'eve', eve, ['engineer']) });
await submit({ record: identityRecord('enrol', 'mallory', signerFrom(), ['engineer']) });
await submit({ subject: 'model/one' });
const old = copyOf(log.data);
await createSnapshotFile(dataFolder(old).snapshot).write({
  ...((await log.served.log.storage.head()) as NonNullable<Awaited<ReturnType<Storage['head']>>>),
  state: log.served.log.admission.state,
});
await submit({ record: identityRecord('revoke', 'mallory', signerFrom(), []) });
await submit({ subject: 'model/two' });
await submit({ subject: 'model/one' });
await log.served.close();
const OLD = 4;
const SIZE = 7;
const whole = await start(log.data, false);
const newest = new Uint8Array(readFileSync(dataFolder(log.data).snapshot));
const saved = createSnapshotFile(dataFolder(log.data).snapshot).read() as Snapshot;

test('a log that closes saves its state, readable by nobody else, and the next start reads no entry', async () => {
  assert.equal(whole.replayed, upTo(SIZE));
  assert.is(saved.size, SIZE);
  assert.equal(await start(log.data), { replayed: [], state: whole.state });
});

test('a start from an older snapshot reads what came after it, and comes to the same state', async () => {
  const data = copyOf(log.data);
  copyFileSync(dataFolder(old).snapshot, dataFolder(data).snapshot);
  assert.equal(await start(data), { replayed: upTo(SIZE, OLD), state: whole.state });
});

test('without a snapshot everything is read, and a start writes none over what it has', async () => {
  const data = copyOf(log.data);
  rmSync(dataFolder(data).snapshot);
  assert.equal(await start(data), { replayed: upTo(SIZE), state: whole.state });
  assert.not(existsSync(`${dataFolder(data).snapshot}.new`));
});

test('a snapshot with any byte changed counts as missing', async () => {
  const path = dataFolder(copyOf(log.data)).snapshot;
  for (let at = 0; at < newest.length; at += at < 64 ? 1 : 17) {
    const changed = newest.slice();
    changed[at] ^= 0x20;
    writeFileSync(path, changed);
    assert.is(createSnapshotFile(path).read(), undefined, `byte ${at}`);
  }
  const changed = newest.slice();
  changed[newest.length - 1] ^= 1;
  assert.equal(await start(withSnapshot(changed)), { replayed: upTo(SIZE), state: whole.state });
});

test('a snapshot that is cut off or has more behind it counts as missing', async () => {
  const path = dataFolder(copyOf(log.data)).snapshot;
  const cut = [0, 1, 31, 32, 33, 40, newest.length - 1].map((length) => newest.subarray(0, length));
  for (const bytes of [...cut, Buffer.concat([newest, Buffer.of(0)]), new Uint8Array(newest.length)]) {
    writeFileSync(path, bytes);
    assert.is(createSnapshotFile(path).read(), undefined, `${bytes.length} bytes`);
  }
  assert.equal(await start(withSnapshot(newest.subarray(0, 100))), { replayed: upTo(SIZE), state: whole.state });
});

test("another log's snapshot of the same size is not used", async () => {
  const other = await servedLog();
  for (let i = 1; i < SIZE; i++) await other.served.log.submit((await other.statement()).entry);
  await other.served.close();
  removeAtExit(other.data);
  const foreign = new Uint8Array(readFileSync(dataFolder(other.data).snapshot));
  assert.equal(await start(withSnapshot(foreign)), { replayed: upTo(SIZE), state: whole.state });
});

test('a snapshot of more entries than the store has is not used', async () => {
  const longer = copyOf(log.data);
  const { root } = await insert(longer, [(await log.statement()).entry]);
  const state = stateOf(await storedEntries(longer));
  await createSnapshotFile(dataFolder(longer).snapshot).write({ size: SIZE + 1, root, state });
  assert.equal((await start(longer)).replayed, [], 'where it belongs it is used');
  const bytes = new Uint8Array(readFileSync(dataFolder(longer).snapshot));
  assert.equal(await start(withSnapshot(bytes)), { replayed: upTo(SIZE), state: whole.state });
});

test('a snapshot with the root of another size is not used', async () => {
  const { root } = createSnapshotFile(dataFolder(old).snapshot).read() as Snapshot;
  const { head, rows } = partsOf(saved.state);
  for (const size of [1, OLD - 1, OLD + 1, SIZE])
    assert.equal((await start(withSnapshot(sealed({ size, root, ...head }, rows)))).replayed, upTo(SIZE), `size ${size}`);
});

test('a snapshot of another form is not used, whatever its checksum says', async () => {
  const { root } = saved;
  const { head, rows } = partsOf(saved.state);
  const form = decodeCbor(head.rules) as ReadonlyMap<string, CborInput>;
  const later = encodeCbor(new Map([...form, ['form', (form.get('form') as number) + 1]]) as unknown as CborInput);
  const good = { size: SIZE, root, ...head };
  assert.equal((await start(withSnapshot(sealed(good, rows)))).replayed, [], 'as it is, it is used');
  const { root: _, ...rootless } = good;
  const { size: __, ...sizeless } = good;
  const { rules: ___, ...ruleless } = good;
  const cases: Record<string, Record<string, CborInput>> = {
    'a later form of the state': { ...good, rules: later },
    'no rules': ruleless,
    'empty rules': { ...good, rules: new Uint8Array(0) },
    'rules that are no map': { ...good, rules: encodeCbor([]) },
    'no root': rootless,
    'a root in text': { ...good, root: 'root' },
    'a short root': { ...good, root: root.subarray(1) },
    'no size': sizeless,
    'a size in text': { ...good, size: String(SIZE) },
    'a size below zero': { ...good, size: -1 },
    'a size of nothing': { ...good, size: 0 },
    'fewer rows than there are': { ...good, entries: head.entries - 20 },
    'more rows than there are': { ...good, attachments: head.attachments + 20 },
    'a part of a row': { ...good, entries: head.entries - 1, attachments: head.attachments + 1 },
    'rows in text': { ...good, entries: String(head.entries) },
    'nothing at all': {},
  };
  for (const [what, content] of Object.entries(cases)) {
    const started = await start(withSnapshot(sealed(content, rows))).catch((error: Error) =>
      assert.unreachable(`${what}: ${error}`),
    );
    assert.equal(started, { replayed: upTo(SIZE), state: whole.state }, what);
  }
});

test('a snapshot with a state that the entries do not lead to gives rights only until anybody replays the log', async () => {
  const friend = signerFrom();
  const record = identityRecord('enrol', 'friend', friend, ['engineer']);
  const richer = stateOf([...(await storedEntries(log.data)), (await log.statement({ record })).entry]);
  const data = copyOf(log.data);
  const folder = dataFolder(data);
  await createSnapshotFile(folder.snapshot).write({ size: SIZE, root: saved.root, state: richer });
  const served = await serveLog({ ...log.settings, data });
  const { index } = await served.log.submit((await makeStatement({ signer: friend, id: 'friend' })).entry);
  const { trust } = served.log;
  await served.close();
  const storage = openSqliteStorage(folder.store, { mode: 'read' });
  const { findings } = await fsck({ storage, anchor: openAnchor(folder), trust });
  await storage.close();
  assert.equal(
    findings.map(({ where }) => where),
    [`entry ${index}`],
  );
  rmSync(folder.snapshot);
  const error = await rejection(start(data));
  assert.is(error.code, 'governance/invalid-record');
  assert.match(error.message, new RegExp(`\\bentry ${index}\\b`));
});

test.run();
