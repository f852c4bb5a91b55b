import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createSigner, KEY_TYPE } from '@treering/note';
import { nodeEd25519, writeKeyFile } from '@treering/note/node';
import { SequencerError } from '@treering/sequencer';
import { createMemoryStorage, type Storage, StorageError } from '@treering/storage';
import { openDatabase, openSqliteStorage, openThreadedSqliteStorage } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dataFolder, fsck, openAnchor, parseConfig, STARTING_POLICY, serveLog } from '../src/index.js';
import { WaitingEvidence } from '../src/waiting-evidence.js';
import { enrollingLog } from './enrolling.js';
import { identityRecord, servedLog, signerFrom, temporaryFolder } from './fixture.js';
import { IdentityProvider, provider } from './identity-provider.js';
import { removeAtExit } from './tampering.js';

// Evidence holds personal data: it stays beside an entry that names it, or not at all.

const issuer = await IdentityProvider.start();
test.after(() => issuer.close());
let counter = 0;
function token(): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const about = { sub: 'jane.roe@example.com', repository: 'acme/models', jti: `token-${++counter}` };
  return issuer.sign({ iss: issuer.issuer, aud: 'treering', iat: now, exp: now + 300, ...about });
}
const blobs = async (storage: Storage): Promise<number> => (await storage.attachments('', 1000)).length;

test('an enrolment leaves its evidence, and nothing else', async () => {
  const storage = createMemoryStorage();
  const log = await enrollingLog([provider(issuer.issuer)], Date.now, storage);
  await log.enrols(await token());
  assert.is(await blobs(storage), 1);
});

const REFUSALS: readonly [string, () => Error][] = [
  ['is overloaded', () => new SequencerError('sequencer/overloaded', 'too much waits')],
  ['is shutting down', () => new SequencerError('sequencer/stopped', 'the log is shutting down')],
  ['has a clock that is behind', () => new SequencerError('sequencer/clock-behind', 'the clock is behind')],
  ['has lost a batch', () => new SequencerError('sequencer/unknown-outcome', 'the batch could not be stored')],
];
for (const [what, failure] of REFUSALS)
  test(`a log that ${what} keeps no evidence of an enrolment that it did not log`, async () => {
    const storage = createMemoryStorage();
    const log = await enrollingLog([provider(issuer.issuer)], Date.now, storage);
    const { sequencer } = log.log;
    const { submit } = sequencer;
    sequencer.submit = () => Promise.reject(failure());
    const text = await token();
    assert.is((await log.ask(text)).status, 503);
    assert.is(await blobs(storage), 0);
    sequencer.submit = submit;
    await log.enrols(text);
  });

test('a commit that fails keeps no evidence, and the same token enrols later', async () => {
  const storage = createMemoryStorage();
  const log = await enrollingLog([provider(issuer.issuer)], Date.now, storage);
  const { commit } = storage;
  storage.commit = () => Promise.reject(new StorageError('storage/busy', 'the database is locked'));
  const text = await token();
  assert.is((await log.ask(text)).status, 503);
  assert.is(await blobs(storage), 0);
  storage.commit = commit;
  await log.enrols(text);
  assert.is(await blobs(storage), 1);
});

test('of a commit that was stored and seemed to fail, the evidence stays', async () => {
  const storage = createMemoryStorage();
  const log = await enrollingLog([provider(issuer.issuer)], Date.now, storage);
  const { commit } = storage;
  storage.commit = async (...args) => {
    await commit.apply(storage, args);
    throw new StorageError('storage/busy', 'the answer was lost');
  };
  const before = log.size();
  assert.is((await log.ask(await token())).status, 503);
  storage.commit = commit;
  assert.equal([(await storage.head())?.size, await blobs(storage)], [before + 1, 1]);
});

test('an enrolment waits for nobody who reads the store', async () => {
  const folder = temporaryFolder();
  removeAtExit(folder.path);
  const path = `${folder.path}/log.db`;
  await openSqliteStorage(path, { mode: 'create' }).close();
  const storage = await openThreadedSqliteStorage(path);
  const log = await enrollingLog([provider(issuer.issuer)], Date.now, storage);
  const reader = openDatabase(path, { mode: 'read' }).db;
  reader.exec('BEGIN; SELECT count(*) FROM entries');
  const failures: unknown[] = [];
  const { removeAttachment } = storage;
  storage.removeAttachment = (...args) =>
    removeAttachment.apply(storage, args).catch((error: StorageError) => {
      failures.push(error.code);
      throw error;
    });
  await log.enrols(await token());
  assert.is(await blobs(storage), 1, 'its note is gone');
  assert.equal(failures, []);
  reader.close();
  await log.log.close();
});

test('what cannot be settled is tried again, and what is under way is left alone', async () => {
  const storage = createMemoryStorage();
  let known = false;
  const logged = { indexOf: () => (known ? Promise.resolve(undefined) : Promise.reject(new Error('not known yet'))) };
  const attachments = { put: (digest: string, blob: Uint8Array) => storage.putAttachment(digest, blob) };
  const evidence = new WaitingEvidence(storage, attachments as never, logged, 20);
  const ref = { name: 'a', media_type: 'text/plain', access: 'restricted', size: 1, digest: randomBytes(32) } as const;
  const parts = { ref: { ...ref, digest: new Uint8Array(ref.digest) }, blob: new Uint8Array(17), leaf: new Uint8Array(32) };
  const failed = evidence.during(parts, async () => {
    known = true;
    await evidence.sweep();
    assert.is(await blobs(storage), 2, 'under way');
    known = false;
    throw new Error('nobody knows');
  });
  await failed.then(assert.unreachable, (error: Error) => assert.is(error.message, 'nobody knows'));
  assert.is(await blobs(storage), 2, 'as long as nobody knows');
  known = true;
  for (let i = 0; i < 100 && (await blobs(storage)) > 0; i++) await wait(20);
  assert.is(await blobs(storage), 0);
});

test('the note that evidence waits is given to nobody', async () => {
  const storage = createMemoryStorage();
  const log = await enrollingLog([provider(issuer.issuer)], Date.now, storage);
  const seen: string[] = [];
  const { putAttachment } = storage;
  storage.putAttachment = async (digest, blob) => {
    const created = await putAttachment.call(storage, digest, blob);
    if (digest.startsWith('0'.repeat(32))) {
      const answer = await log.app.request(`/addenda/00/00/${digest}`);
      seen.push(`${answer.status} ${((await answer.json()) as { code: string }).code}`);
    }
    return created;
  };
  await log.enrols(await token());
  assert.equal(seen, ['404 attachment/missing']);
});

for (const moment of ['before', 'after'] as const)
  test(`a log that is killed ${moment} the entry is stored settles the evidence at its next start`, async () => {
    const { served, data, statement } = await servedLog({ publish_interval: 20 });
    removeAtExit(data);
    const rules = [
      ...STARTING_POLICY.rules,
      { name: 'registrars', who: { roles: ['registrar'] }, may: ['identity' as const], on: ['identity/*'] },
    ];
    const policy = { ...STARTING_POLICY, rules, oidc: [provider(issuer.issuer)] };
    const record = { v: 1, type: 'policy', subject: 'policy', reason: 'Pipelines log in.', policy } as const;
    await served.log.submit((await statement({ record })).entry);
    const seed = new Uint8Array(randomBytes(32));
    const registrar = `${data}/registrar.key`;
    await writeKeyFile(registrar, createSigner('registrar', KEY_TYPE.ed25519, seed, nodeEd25519).key, seed);
    const enrolment = identityRecord('enrol', 'registrar', signerFrom(seed), ['registrar']);
    const { index } = await served.log.submit((await statement({ record: enrolment })).entry);
    await served.close();
    const examined = async () => {
      const storage = openSqliteStorage(dataFolder(data).store, { mode: 'read' });
      const findings = await fsck({ storage, anchor: openAnchor(dataFolder(data)), trust: served.log.trust });
      const count = await blobs(storage);
      await storage.close();
      return [findings.findings, count];
    };
    const child = fileURLToPath(new URL('killed-enrolment.ts', import.meta.url));
    const args = ['--conditions=@treering/source', '--import', 'tsx', child, data, registrar, await token(), moment];
    const signal = await new Promise((resolve) => {
      execFile(process.execPath, args, (error, _, stderr) => resolve(error?.signal ?? stderr));
    });
    assert.is(signal, 'SIGKILL');
    assert.equal(await examined(), [[], 2], 'evidence and note');
    const again = await serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent' }));
    const size = again.log.sequencer.head?.size;
    await again.close();
    assert.is(size, moment === 'before' ? index + 1 : index + 2);
    assert.equal(await examined(), [[], moment === 'before' ? 0 : 1]);
  });

test.run();
