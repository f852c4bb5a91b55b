import { existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeHasher } from '@treering/merkle/node';
import {
  createSigner,
  decodeBase64,
  encodeUtf8,
  formatVerifierKey,
  KEY_TYPE,
  openCheckpoint,
  type VerifierKey,
} from '@treering/note';
import { nodeEd25519, readKeyFile, writeKeyFile } from '@treering/note/node';
import type { ChangeRecord } from '@treering/record';
import { type CoseKey, parseReceipt, verifyReceipt } from '@treering/statement';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  activateKeys,
  type DataFolder,
  dataFolder,
  fsck,
  openAnchor,
  openLogKeys,
  retireKeys,
  type ServedLog,
  serveLog,
} from '../src/index.js';
import { readRetired } from '../src/keys.js';
import { type Answer, makeStatement, ORIGIN, rejection, servedLog, signerFrom } from './fixture.js';
import { copyOf, removeAtExit } from './tampering.js';

const NOBODY = new Uint8Array(32).fill(0x66);

/** Public key of a key file. */
async function publicKey(path: string): Promise<VerifierKey> {
  const { name, type, seed } = await readKeyFile(path);
  return createSigner(name, type, seed, nodeEd25519).key;
}

/** Puts two fresh keys where prepared ones lie. */
async function prepare(folder: DataFolder, seed: number): Promise<VerifierKey[]> {
  const keys = [
    { path: folder.nextLogKey, type: KEY_TYPE.ed25519, seed: new Uint8Array(32).fill(seed) },
    { path: folder.nextPublicationKey, type: KEY_TYPE.mldsa44Cosignature, seed: new Uint8Array(32).fill(seed + 1) },
  ];
  for (const { path, type, seed } of keys) await writeKeyFile(path, createSigner(ORIGIN, type, seed, nodeEd25519).key, seed);
  return Promise.all(keys.map(({ path }) => publicKey(path)));
}

const amendment = (keys: readonly VerifierKey[]): ChangeRecord => ({
  v: 1,
  type: 'amendment',
  subject: 'charter',
  reason: 'The keys of the log are replaced by new ones.',
  log_keys: keys.map(formatVerifierKey),
});

// A log whose charter is amended to new keys, which are prepared and not yet in force.
const log = await servedLog();
removeAtExit(log.data);
const OLD = [log.served.log.signer.key, log.served.log.publicationSigner.key];
const NEW = await prepare(dataFolder(log.data), 0x44);
const unamended = copyOf(log.data);
await log.served.log.submit((await log.statement()).entry);
await log.served.log.submit((await log.statement({ record: amendment(NEW) })).entry);
await log.served.close();
const admin = signerFrom((await readKeyFile(dataFolder(log.data).adminKey)).seed);
const SIZE = 3;

const start = (data: string): Promise<ServedLog> => serveLog({ ...log.settings, data });
const keyFiles = (data: string): string[] => readdirSync(join(data, 'keys')).sort();
const contents = (data: string) => keyFiles(data).map((name) => [name, readFileSync(join(data, 'keys', name), 'utf8')]);

async function submit(served: ServedLog): Promise<Answer & { entry: Uint8Array }> {
  const { entry } = await makeStatement({ signer: admin });
  const body = entry as Uint8Array<ArrayBuffer>;
  const headers = { 'Content-Type': 'application/cose' };
  const response = await fetch(`${served.url}/v1/entries?wait=witnessed`, { method: 'POST', headers, body });
  assert.is(response.status, 201, await response.clone().text());
  return { ...((await response.json()) as Answer), entry };
}

/** Whether a reader who knows some keys of the log believes a note. */
function believed(note: Uint8Array, ...keys: readonly VerifierKey[]): boolean {
  try {
    openCheckpoint(note, { origin: ORIGIN, logKeys: keys }, nodeEd25519);
    return true;
  } catch (error) {
    assert.match((error as { code?: string }).code ?? '', /^note\//);
    return false;
  }
}

const checkpointOf = async ({ url }: ServedLog): Promise<Uint8Array> =>
  new Uint8Array(await (await fetch(`${url}/checkpoint`)).arrayBuffer());

/** Which of the keys a receipt holds under. */
function signersOf({ entry, receipt }: Answer & { entry: Uint8Array }, keys: readonly VerifierKey[]): number[] {
  const holds = (key: CoseKey): boolean => {
    try {
      return verifyReceipt(parseReceipt(decodeBase64(receipt)), nodeHasher.hashLeaf(entry), key).length === 32;
    } catch {
      return false;
    }
  };
  return keys.flatMap(({ publicKey }, i) => (holds({ curve: 'Ed25519', x: publicKey }) ? [i] : []));
}

/** What the log has signed: unchanged when a start was refused. */
async function signed(data: string): Promise<unknown> {
  const folder = dataFolder(data);
  const storage = openSqliteStorage(folder.store, { mode: 'read' });
  try {
    return { head: await storage.head(), published: await storage.published(), anchor: readFileSync(folder.anchor) };
  } finally {
    await storage.close();
  }
}

async function refusesToStart(data: string, what: string): Promise<void> {
  const before = await signed(data);
  const error = await rejection(start(data));
  assert.is(error.code, 'sequencer/wrong-key', `${what}: ${error.message}`);
  assert.equal(await signed(data), before, what);
}

async function activated(): Promise<string> {
  const data = copyOf(log.data);
  await activateKeys(dataFolder(data));
  return data;
}

test('the old keys alone sign no more once the log names others, and nothing is signed by the attempt', async () => {
  await refusesToStart(copyOf(log.data), 'before the activation');
});

test('keys that the log does not name sign nothing, prepared or not', async () => {
  const early = copyOf(unamended);
  await activateKeys(dataFolder(early));
  await refusesToStart(early, 'activated before the amendment');
  const data = await activated();
  const { logKey, publicationKey } = dataFolder(data);
  for (const [path, type] of [
    [logKey, KEY_TYPE.ed25519],
    [publicationKey, KEY_TYPE.mldsa44Cosignature],
  ] as const) {
    const right = readFileSync(path);
    rmSync(path);
    await writeKeyFile(path, createSigner(ORIGIN, type, NOBODY, nodeEd25519).key, NOBODY);
    await refusesToStart(data, path);
    writeFileSync(path, right);
  }
  await (await start(data)).close();
});

test('after the activation both generations sign every head, and receipts are signed by the old one', async () => {
  const data = await activated();
  assert.equal(keyFiles(data), ['admin.key', 'log-mldsa44.key', 'log.key', 'previous-log-mldsa44.key', 'previous-log.key']);
  for (const name of keyFiles(data)) assert.is(statSync(join(data, 'keys', name)).mode & 0o777, 0o600, name);
  const served = await start(data);
  const answer = await submit(served);
  assert.is(answer.index, SIZE);
  const published = await checkpointOf(served);
  for (const note of [encodeUtf8(answer.checkpoint), published]) {
    for (const keys of [[OLD[0]], [NEW[0]], [OLD[0], NEW[0]], [...OLD, ...NEW]]) assert.ok(believed(note, ...keys));
  }
  for (const key of [OLD[1], NEW[1]]) assert.ok(believed(published, key), 'the publication keys sign what is published');
  assert.equal(signersOf(answer, [OLD[0], NEW[0]]), [0]);
  assert.is(served.vkey, formatVerifierKey(NEW[0]));
  await served.close();
});

test('what was published before is believed by readers of the keys in force as soon as the log starts with them', async () => {
  const data = await activated();
  const published = async (): Promise<Uint8Array> => {
    const served = await start(data);
    // The log publishes when it starts; what it is doing already is waited for.
    await served.log.publisher.publish();
    const note = await checkpointOf(served);
    assert.is(served.log.sequencer.head?.size, SIZE, 'nothing was logged');
    await served.close();
    return note;
  };
  const both = await published();
  for (const key of [...OLD, ...NEW]) assert.ok(believed(both, key), formatVerifierKey(key));
  await retireKeys(dataFolder(data));
  const own = await published();
  assert.equal(
    [...OLD, ...NEW].map((key) => believed(own, key)),
    [false, false, true, true],
  );
});

test('after the retirement only the new keys sign, and what the old ones signed stays verifiable', async () => {
  const data = await activated();
  let served = await start(data);
  const before = await submit(served);
  await served.close();
  assert.equal(await retireKeys(dataFolder(data)), OLD.map(formatVerifierKey));
  assert.equal(keyFiles(data), ['admin.key', 'log-mldsa44.key', 'log.key', 'retired']);
  assert.is(statSync(dataFolder(data).retiredKeys).mode & 0o777, 0o600);
  served = await start(data);
  const after = await submit(served);
  for (const note of [encodeUtf8(after.checkpoint), await checkpointOf(served)]) {
    assert.not(believed(note, ...OLD));
    assert.ok(believed(note, NEW[0]));
    assert.ok(believed(note, OLD[0], NEW[0]));
  }
  assert.ok(believed(encodeUtf8(before.checkpoint), OLD[0]));
  const keys = [OLD[0], NEW[0]];
  assert.equal([signersOf(before, keys), signersOf(after, keys)], [[0], [1]]);
  assert.equal(new Set(served.log.receiptKeys.map(({ x }) => Buffer.from(x).toString('hex'))).size, 2);
  const { trust } = served.log;
  await served.close();
  const storage = openSqliteStorage(dataFolder(data).store, { mode: 'read' });
  const { findings } = await fsck({ storage, anchor: openAnchor(dataFolder(data)), trust });
  await storage.close();
  assert.equal(findings, []);
});

test('an activation that was interrupted at any step leaves a log that does not start, and goes on when it is run again', async () => {
  const whole = contents(await activated());
  const steps: ((folder: DataFolder) => void)[] = [
    (folder) => linkSync(folder.logKey, folder.previousLogKey),
    (folder) => renameSync(folder.nextLogKey, folder.logKey),
    (folder) => linkSync(folder.publicationKey, folder.previousPublicationKey),
  ];
  for (let done = 0; done <= steps.length; done++) {
    const data = copyOf(log.data);
    const folder = dataFolder(data);
    for (const step of steps.slice(0, done)) step(folder);
    await refusesToStart(data, `after ${done} steps`);
    await activateKeys(folder);
    assert.equal(contents(data), whole, `after ${done} steps`);
    await (await start(data)).close();
  }
});

test('a retirement that was interrupted at any step leaves a log that starts, and goes on when it is run again', async () => {
  const begun = await activated();
  await (await start(begun)).close();
  const finished = copyOf(begun);
  await retireKeys(dataFolder(finished));
  const retired = readFileSync(dataFolder(finished).retiredKeys);
  const steps: ((folder: DataFolder) => void)[] = [
    (folder) => writeFileSync(`${folder.retiredKeys}.new`, 'cut o'),
    (folder) => writeFileSync(folder.retiredKeys, retired),
    (folder) => rmSync(folder.previousLogKey),
  ];
  for (let done = 1; done <= steps.length; done++) {
    const data = copyOf(begun);
    const folder = dataFolder(data);
    for (const step of steps.slice(0, done)) step(folder);
    const served = await start(data);
    assert.ok(believed(encodeUtf8((await submit(served)).checkpoint), NEW[0]), `after ${done} steps`);
    await served.close();
    await retireKeys(folder);
    assert.equal((await readRetired(folder)).map(formatVerifierKey), OLD.map(formatVerifierKey));
    assert.not(existsSync(folder.previousLogKey) || existsSync(folder.previousPublicationKey));
    await (await start(data)).close();
  }
});

test('without prepared keys, or before the ones before were retired, nothing is activated; without previous ones nothing is retired', async () => {
  const data = await activated();
  const folder = dataFolder(data);
  const unchanged = async (act: () => Promise<unknown>): Promise<void> => {
    const before = contents(data);
    assert.is((await rejection(act())).code, 'config/invalid');
    assert.equal(contents(data), before);
  };
  await unchanged(() => activateKeys(folder));
  await prepare(folder, 0x55);
  await unchanged(() => activateKeys(folder));
  await retireKeys(folder);
  await unchanged(() => retireKeys(folder));
});

test('keys are replaced a second time, and all generations stay known', async () => {
  const data = await activated();
  const folder = dataFolder(data);
  await (await start(data)).close();
  await retireKeys(folder);
  const newest = await prepare(folder, 0x55);
  let served = await start(data);
  await served.log.submit((await makeStatement({ signer: admin, record: amendment(newest) })).entry);
  await served.close();
  await refusesToStart(data, 'before the second activation');
  await activateKeys(folder);
  served = await start(data);
  const note = encodeUtf8((await submit(served)).checkpoint);
  assert.equal(
    [OLD, NEW, newest].map((keys) => believed(note, ...keys)),
    [false, true, true],
  );
  assert.is(served.log.receiptKeys.length, 3);
  await served.close();
  await retireKeys(folder);
  assert.equal((await readRetired(folder)).map(formatVerifierKey), [...OLD, ...NEW].map(formatVerifierKey));
  await (await start(data)).close();
});

test('the two keys of a log have one name and the types of their places', async () => {
  const data = await activated();
  const { logKey, publicationKey } = dataFolder(data);
  const locations = { log_key: logKey, publication_key: publicationKey };
  (await openLogKeys(dataFolder(data), locations)).close();
  const swapped = { log_key: publicationKey, publication_key: logKey };
  assert.is((await rejection(openLogKeys(dataFolder(data), swapped))).code, 'config/invalid');
  rmSync(publicationKey);
  const other = createSigner('log.test/two', KEY_TYPE.mldsa44Cosignature, NOBODY);
  await writeKeyFile(publicationKey, other.key, NOBODY);
  assert.is((await rejection(openLogKeys(dataFolder(data)))).code, 'sequencer/wrong-key');
});

test.run();
