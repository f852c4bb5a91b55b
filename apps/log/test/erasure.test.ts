import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { nodeMeans } from '@treering/foreign/node';
import { verifyConsistency } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { decodeBase64, encodeUtf8, openCheckpoint } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { type Attachment, type AttachmentRef, type ChangeRecord, createAttachment } from '@treering/record';
import { encodeBase64Url, encodeCbor, signStatement } from '@treering/statement';
import type { Storage } from '@treering/storage';
import { openDatabase, openSqliteStorage } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ACCESS_CONTENT_TYPE } from '../src/content-types.js';
import { tombstoneOf } from '../src/erasure.js';
import { createSnapshotFile, dataFolder, fsck, Log, openAnchor, openLogKeys, serveLog } from '../src/index.js';
import {
  type Answer,
  identityRecord,
  makeStatement,
  ORIGIN,
  rejection,
  type StatementParts,
  servedLog,
  signerFrom,
  temporaryFolder,
  verifyAnswer,
} from './fixture.js';
import { rawRequest } from './raw-http.js';
import { copyOf, insert, removeAtExit } from './tampering.js';

const one = await servedLog({ publish_interval: 20 });
removeAtExit(one.data);
test.after(() => one.close());
const admin = signerFrom();
await one.served.log.submit(
  (await one.statement({ record: identityRecord('enrol', 'second', admin, ['administrator']) })).entry,
);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const pathOf = (digest: string): string => `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`;

function attachment(content: Uint8Array, access: AttachmentRef['access'] = 'public'): Attachment {
  return createAttachment(content, { name: 'file', media_type: 'text/plain', access }, new Uint8Array(randomBytes(16)));
}

/** Content that is found nowhere else. */
const unique = (size = 3000): Uint8Array => new Uint8Array(randomBytes(size));

async function post(parts: StatementParts): Promise<Answer & { entry: Uint8Array }> {
  const { entry } = await makeStatement({ signer: admin, id: 'second', ...parts });
  const response = await one.post(entry);
  assert.is(response.status, 201, await response.clone().text());
  return { ...((await response.json()) as Answer), entry };
}

const put = (digest: string, blob: Uint8Array, query: string, headers: Record<string, string> = {}) =>
  fetch(`${one.url}/v1/attachments/${digest}${query}`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/octet-stream', ...headers },
    body: blob as Uint8Array<ArrayBuffer>,
  });

async function authorization(sub: string): Promise<Record<string, string>> {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { iss: `${ORIGIN}/identity/second`, sub, iat, contentType: ACCESS_CONTENT_TYPE };
  return { Authorization: `Treering ${encodeBase64Url((await signStatement(claims, new Uint8Array(0), admin)).entry)}` };
}

/** Logs a record with an attachment, and uploads that. */
async function attached(content: Uint8Array, parts: StatementParts = {}, access: AttachmentRef['access'] = 'public') {
  const { ref, blob } = attachment(content, access);
  const logged = await post({ subject: 'model/erased', attachments: [ref], ...parts });
  const digest = hex(ref.digest);
  assert.is((await put(digest, blob, `?entry=${logged.index}`)).status, 201);
  return { ...logged, ref, blob, digest };
}

function correction(supersedes: string, erased: readonly Uint8Array[], subject = 'model/erased'): ChangeRecord {
  return {
    v: 1,
    type: 'correction',
    subject,
    reason: 'It was attached by mistake.',
    supersedes: new Uint8Array(Buffer.from(supersedes, 'hex')),
    erased: [...erased],
  };
}

/** The files below a folder that hold some bytes. */
function filesWith(folder: string, bytes: Uint8Array): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return files
    .map((file) => join(file.parentPath, file.name))
    .filter((path) => readFileSync(path).includes(Buffer.from(bytes)));
}

/** Whether bytes hold a text, as it is or in base64. */
function spells(bytes: Uint8Array, text: string): boolean {
  const inBase64 = [0, 1, 2].map((shift) =>
    Buffer.from('\0'.repeat(shift) + text)
      .toString('base64')
      .slice(shift === 0 ? 0 : 4)
      .replace(/.{0,3}=*$/, '')
      .slice(0, -1),
  );
  return [text, ...inBase64].some((form) => Buffer.from(bytes).includes(form));
}

async function examine(data: string) {
  const folder = dataFolder(data);
  const storage = openSqliteStorage(folder.store, { mode: 'read' });
  try {
    return (await fsck({ storage, anchor: openAnchor(folder), trust: one.served.log.trust })).findings;
  } finally {
    await storage.close();
  }
}

async function consistency(from: number, to: number): Promise<Uint8Array[]> {
  const response = await fetch(`${one.url}/v1/proof/consistency?from=${from}&to=${to}`);
  return ((await response.json()) as { hashes: string[] }).hashes.map(decodeBase64);
}

test('erased content is gone: 410, and its bytes are in no file, while the log runs and after', async () => {
  const { digest, blob, ref, leaf, index } = await attached(unique());
  const needle = blob.subarray(500, 540);
  assert.ok(filesWith(one.data, needle).length > 0, 'what is stored is found');
  const { index: erasedBy } = await post({ record: correction(leaf, [ref.digest]) });
  const response = await fetch(`${one.url}${pathOf(digest)}`);
  assert.is(response.status, 410);
  const problem = await response.json();
  assert.is(problem.code, 'attachment/erased');
  assert.is(problem.index, erasedBy);
  for (const part of [needle, blob.subarray(0, 16), blob.subarray(-40)]) assert.equal(filesWith(one.data, part), []);
  assert.is((await fetch(`${one.url}/v1/entries/${index}`)).status, 200, 'the entry stays');
  assert.equal(await examine(one.data), []);
});

test('no way around leads to what was erased: an address is not kept because it begins like that of a tile', async () => {
  const { index, leaf, digest, ref } = await attached(unique());
  const path = pathOf(digest);
  const port = Number(new URL(one.url).port);
  const ways = [`/tile/..${path}`, `/tile/%2e%2e${path}`, `/tile/0/../..${path}`, path];
  const ask = async (target: string): Promise<number> =>
    (await rawRequest(port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).status;
  for (const way of ways) for (let i = 0; i < 2; i++) await ask(way);
  assert.is(await ask(path), 200, `entry ${index} has its attachment`);
  await post({ record: correction(leaf, [ref.digest]) });
  for (const way of ways) assert.is.not(await ask(way), 200, way);
  assert.is(await ask(path), 410);
});

test('what was erased is not taken again, in any of the three ways', async () => {
  const { digest, blob, ref, leaf, index } = await attached(unique());
  await post({ record: correction(leaf, [ref.digest]) });
  const again = await put(digest, blob, `?entry=${index}`);
  assert.equal([again.status, (await again.json()).code], [410, 'attachment/erased']);
  const early = await put(digest, blob, '', await authorization(`upload/${digest}`));
  assert.equal([early.status, (await early.json()).code], [410, 'attachment/erased']);
  const { entry } = await makeStatement({ signer: admin, id: 'second', attachments: [ref] });
  const together = await fetch(`${one.url}/v1/entries`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/cbor' },
    body: encodeCbor({ statement: entry, attachments: [blob] }) as Uint8Array<ArrayBuffer>,
  });
  assert.equal([together.status, (await together.json()).code], [410, 'attachment/erased']);
  assert.equal(filesWith(one.data, blob.subarray(500, 540)), []);
  assert.is((await fetch(`${one.url}${pathOf(digest)}`)).status, 410);
});

test('the mark of an erasure is nothing that anybody can put, read or erase', async () => {
  const { digest, blob, ref, leaf, index } = await attached(unique());
  // What a mark was once addressed by: whoever stored it first kept the erasure from being remembered.
  const preimage = new Uint8Array([...Buffer.from('treering/erased/v1'), ...ref.digest]);
  const planted = new Uint8Array(createHash('sha256').update(preimage).digest());
  const named = { ...ref, name: 'planted', digest: planted, size: preimage.length - 16 };
  const thief = await post({ subject: 'model/planted', attachments: [named] });
  await put(hex(planted), preimage, `?entry=${thief.index}`);
  await post({ record: correction(leaf, [ref.digest]) });
  await post({ record: correction(thief.leaf, [planted], 'model/planted') });
  assert.is((await fetch(`${one.url}${pathOf(digest)}`)).status, 410);
  assert.is((await put(digest, blob, `?entry=${index}`)).status, 410);
  assert.is((await fetch(`${one.url}/v1/attachments/${tombstoneOf(digest)}`)).status, 404);
  assert.equal(await examine(one.data), []);
});

test('a correction that erases what its entry does not name is refused, and nothing is erased', async () => {
  const mine = await attached(unique());
  const other = await attached(unique());
  const size = one.served.log.sequencer.head?.size;
  const cases: [string, ChangeRecord][] = [
    ['governance/not-its-attachment', correction(mine.leaf, [mine.ref.digest, other.ref.digest])],
    ['governance/correction-target', correction(mine.leaf, [mine.ref.digest], 'model/other')],
    ['governance/correction-target', correction('0'.repeat(64), [mine.ref.digest])],
  ];
  for (const [code, record] of cases) {
    const response = await one.post((await makeStatement({ signer: admin, id: 'second', record })).entry);
    assert.equal([response.status, (await response.json()).code], [403, code]);
  }
  const nobody = await makeStatement({ signer: signerFrom(), record: correction(mine.leaf, [mine.ref.digest]) });
  assert.is((await one.post(nobody.entry)).status, 401);
  assert.is(one.served.log.sequencer.head?.size, size);
  for (const { digest } of [mine, other]) assert.is((await fetch(`${one.url}${pathOf(digest)}`)).status, 200);
});

test('whoever names the attachment of another does not erase it, and it is uploaded again as before', async () => {
  const mine = await attached(unique());
  const { leaf } = await post({ subject: 'model/stranger', attachments: [mine.ref] });
  const record = correction(leaf, [mine.ref.digest], 'model/stranger');
  const response = await one.post((await makeStatement({ signer: admin, id: 'second', record })).entry);
  const { code, detail, rule } = await response.json();
  assert.equal([response.status, code, rule], [403, 'governance/not-its-attachment', 'correction']);
  assert.match(detail, new RegExp(`named by entry ${mine.index} first`));
  assert.is((await fetch(`${one.url}${pathOf(mine.digest)}`)).status, 200);
  assert.is((await put(mine.digest, mine.blob, `?entry=${mine.index}`)).status, 200);
});

test('a correction that was written past the log erases nothing of another, and fsck says so', async () => {
  const mine = await attached(unique());
  const { leaf } = await post({ subject: 'model/stranger', attachments: [mine.ref] });
  const data = copyOf(one.data);
  const record = correction(leaf, [mine.ref.digest], 'model/stranger');
  await insert(data, [(await makeStatement({ signer: admin, id: 'second', record })).entry]);
  assert.match((await rejection(serveLog({ ...one.settings, data }))).message, /named by entry \d+ first/);
  const findings = await examine(data);
  assert.is(findings.length, 1);
  assert.match(findings[0].what, /rules in force do not admit it \(correction\)/);
});

test('every proof and receipt from before the erasure verifies after it', async () => {
  const { entry, ref, leaf, ...answer } = await attached(unique());
  const more = await Promise.all(Array.from({ length: 5 }, () => post({ subject: 'model/other' })));
  await post({ record: correction(leaf, [ref.digest]) });
  const latest = await post({ subject: 'model/other' });
  const head = (note: string) => openCheckpoint(encodeUtf8(note), one.served.log.trust, nodeEd25519).checkpoint;
  const newest = head(latest.checkpoint);
  for (const old of [{ ...answer, leaf, entry }, ...more]) {
    const size = verifyAnswer(one.served.log, old.entry, old);
    assert.equal(new Uint8Array(await (await fetch(`${one.url}/v1/entries/${old.index}`)).arrayBuffer()), old.entry);
    const proof = await consistency(size, Number(newest.size));
    verifyConsistency(size, Number(newest.size), head(old.checkpoint).root, newest.root, proof, nodeHasher);
  }
});

test('the name of an approver disappears from every answer and every file, and all proofs hold', async () => {
  const name = 'Dr. Theodora Quillfeather-Ashgrove';
  const content = encodeUtf8(JSON.stringify({ name, mail: 'theodora@quillfeather.test' }));
  const approver = signerFrom();
  const { ref, blob } = attachment(content, 'restricted');
  const record = { ...identityRecord('enrol', 'p-7', approver, ['approver']), attachments: [ref] } as ChangeRecord;
  const { entry } = await one.statement({ record });
  const enrolment = { ...((await (await one.post(entry)).json()) as Answer), entry };
  const digest = hex(ref.digest);
  await put(digest, blob, `?entry=${enrolment.index}`);
  const model = await post({ subject: 'model/approved' });
  const approval: ChangeRecord = {
    v: 1,
    type: 'approval',
    subject: 'model/approved',
    reason: 'It was evaluated and is good.',
    target: new Uint8Array(Buffer.from(model.leaf, 'hex')),
    decision: 'approve',
    role: 'approver',
  };
  const approved = await post({ record: approval, signer: approver, id: 'p-7' });
  const answers = async (): Promise<string[]> => {
    const { leaf, index } = enrolment;
    const size = one.served.log.sequencer.head?.size as number;
    const entries = Array.from({ length: size }, (_, i) => [`/v1/entries/${i}`, `/v1/entries/${i}?view=json`]).flat();
    const paths = [
      ...['/checkpoint', `/tile/entries/000.p/${size}`, '/v1/log', '/v1/subjects', '/v1/subjects/identity/p-7', '/metrics'],
      ...[`/v1/proof/${index}.tlog-proof`, `/v1/receipt/${index}`, `/entries/${leaf}/transparent-statement`],
      ...[`/ct/v1/get-entries?start=0&end=${size - 1}`, '/v1/subjects/model/approved', pathOf(digest)],
    ];
    const headers = await authorization(`access/${digest}`);
    const found: string[] = [];
    for (const path of [...paths, ...entries]) {
      const response = await fetch(`${one.url}${path}`, { headers });
      if (spells(new Uint8Array(await response.arrayBuffer()), name)) found.push(path);
    }
    return found;
  };
  assert.equal(await answers(), [pathOf(digest)], 'it is read where it is kept, and nowhere else');
  assert.ok(filesWith(one.data, encodeUtf8(name)).length > 0);
  await post({ record: correction(enrolment.leaf, [ref.digest], 'identity/p-7') });
  assert.equal(await answers(), []);
  assert.equal(filesWith(one.data, encodeUtf8(name)), []);
  for (const answer of [enrolment, model, approved]) verifyAnswer(one.served.log, answer.entry, answer);
  assert.equal(await examine(one.data), []);
});

test('content that could not be overwritten while a backup ran is overwritten by a correction after it', async () => {
  const { digest, blob, ref, leaf } = await attached(unique(1 << 20));
  const elsewhere = temporaryFolder();
  removeAtExit(elsewhere.path);
  const reader = openSqliteStorage(dataFolder(one.data).store, { mode: 'read' });
  let removed: Promise<unknown> | undefined;
  await reader.backup(join(elsewhere.path, 'backup.db'), () => {
    removed ??= one.served.log.storage.removeAttachment(digest).catch(() => undefined);
  });
  await reader.close();
  assert.ok(removed, 'it was removed while the backup ran');
  await removed;
  await post({ record: correction(leaf, [ref.digest]) });
  assert.is((await fetch(`${one.url}${pathOf(digest)}`)).status, 410);
  assert.equal(filesWith(one.data, blob.subarray(500, 540)), []);
});

test('of several attachments that are erased at once, none is readable any longer while a backup runs', async () => {
  const contents = [attachment(unique()), attachment(unique())];
  const refs = contents.map(({ ref }, i) => ({ ...ref, name: `file ${i}` }));
  const { index, leaf } = await post({ subject: 'model/erased', attachments: refs });
  for (const [i, { blob }] of contents.entries())
    assert.is((await put(hex(refs[i].digest), blob, `?entry=${index}`)).status, 201);
  const reader = openDatabase(dataFolder(one.data).store, { mode: 'read' }).db;
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM entries').get();
  const record = correction(
    leaf,
    refs.map(({ digest }) => digest),
  );
  const { entry } = await makeStatement({ signer: admin, id: 'second', record });
  const response = await one.post(entry);
  assert.equal([response.status, (await response.json()).code], [503, 'correction/not-erased']);
  for (const { digest } of refs) {
    assert.is((await fetch(`${one.url}${pathOf(hex(digest))}`)).status, 410);
    assert.is(await one.served.log.storage.attachment(hex(digest)), null);
  }
  assert.equal(await examine(one.data), [], 'what is left to do is no finding');
  reader.close();
  assert.is((await one.post(entry)).status, 200, 'the same correction again');
  for (const { blob } of contents) assert.equal(filesWith(one.data, blob.subarray(500, 540)), []);
});

test('fsck says what was erased and is still stored', async () => {
  const { digest, blob, ref, leaf } = await attached(unique());
  await post({ record: correction(leaf, [ref.digest]) });
  const data = copyOf(one.data);
  const storage = openSqliteStorage(dataFolder(data).store, { mode: 'open' });
  await storage.putAttachment(digest, Uint8Array.of(0x70, ...blob));
  await storage.close();
  assert.equal(await examine(data), [
    { where: `attachment ${digest}`, what: 'a correction erased it, and it is still stored' },
  ]);
});

test('fsck says when the mark of an erasure is another than the correction left', async () => {
  const { digest, ref, leaf } = await attached(unique());
  await post({ record: correction(leaf, [ref.digest]) });
  const mark = tombstoneOf(digest);
  for (const altered of [Uint8Array.of(0x64, 0x39), Uint8Array.of(0x65, 0x39, 0x39, 0x39), new Uint8Array(0)]) {
    const data = copyOf(one.data);
    const storage = openSqliteStorage(dataFolder(data).store, { mode: 'open' });
    await storage.removeAttachment(mark);
    await storage.putAttachment(mark, altered);
    await storage.close();
    const [{ where, what }, ...more] = await examine(data);
    assert.is(where, `attachment ${mark}`);
    assert.match(what, /^it is not the mark of what entry \d+ erased$/);
    assert.equal(more, []);
  }
});

test('fsck says which mark of an erasure is gone, and a start without the snapshot puts it back', async () => {
  const { digest, ref, leaf, blob, index } = await attached(unique());
  const { index: by } = await post({ record: correction(leaf, [ref.digest]) });
  const data = copyOf(one.data);
  const storage = openSqliteStorage(dataFolder(data).store, { mode: 'open' });
  await storage.removeAttachment(tombstoneOf(digest));
  await storage.close();
  const gone = `entry ${by} erased it, and the mark that keeps it away is not there`;
  assert.equal(await examine(data), [{ where: `attachment ${digest}`, what: gone }]);
  rmSync(dataFolder(data).snapshot, { force: true });
  const served = await serveLog({ ...one.settings, data });
  const again = await fetch(`${served.url}/v1/attachments/${digest}?entry=${index}`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: blob as Uint8Array<ArrayBuffer>,
  });
  assert.is(again.status, 410);
  await served.close();
  assert.equal(await examine(data), []);
});

test('an erasure that a crash kept from being carried out is carried out at the next start', async () => {
  const { digest, blob, ref, leaf } = await attached(unique());
  const data = copyOf(one.data);
  const record = correction(leaf, [ref.digest]);
  await insert(data, [(await makeStatement({ signer: admin, id: 'second', record })).entry]);
  assert.ok(filesWith(data, blob.subarray(500, 540)).length > 0);
  const served = await serveLog({ ...one.settings, data });
  assert.is((await fetch(`${served.url}${pathOf(digest)}`)).status, 410);
  await served.close();
  assert.equal(filesWith(data, blob.subarray(500, 540)), []);
});

test('of a correction that stands twice in a batch, the first too early, the second is carried out', async () => {
  const { blob, ref, leaf } = await attached(unique());
  const digest = hex(ref.digest);
  const between = await makeStatement({ signer: admin, id: 'second', subject: 'model/erased' });
  const record = { ...correction(leaf, [ref.digest]), prev: nodeHasher.hashLeaf(between.entry) };
  const { entry } = await makeStatement({ signer: admin, id: 'second', record });
  const outcomes = await one.served.log.submitBatch([entry, between.entry, entry]);
  assert.equal(
    outcomes.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled'],
  );
  assert.is((await fetch(`${one.url}${pathOf(digest)}`)).status, 410);
  assert.equal(filesWith(one.data, blob.subarray(500, 540)), []);
});

test('an erasure that the store failed to carry out is carried out at the next start', async () => {
  const { blob, ref, leaf } = await attached(unique());
  const data = copyOf(one.data);
  const folder = dataFolder(data);
  const store = openSqliteStorage(folder.store, { mode: 'open' });
  let broken = false;
  const remove = (name: string) => (broken ? Promise.reject(new Error('the disk fails')) : store.removeAttachment(name));
  const failing: Storage = Object.create(store, { removeAttachment: { value: remove } });
  const keys = await openLogKeys(folder);
  const snapshots = createSnapshotFile(folder.snapshot);
  const log = await Log.open({ storage: failing, anchor: openAnchor(folder), keys, means: nodeMeans, snapshots });
  const record = correction(leaf, [ref.digest]);
  const { entry } = await makeStatement({ signer: admin, id: 'second', record });
  broken = true;
  const refusal = await rejection(log.submit(entry));
  assert.match(refusal.message, /is logged, and what it erases could not be removed yet/);
  assert.is((refusal.cause as Error).message, 'the disk fails', 'for the operator, who reads it in the records of the log');
  await log.close();
  keys.close();
  const served = await serveLog({ ...one.settings, data });
  await served.close();
  assert.equal(filesWith(data, blob.subarray(500, 540)), []);
});

test.run();
