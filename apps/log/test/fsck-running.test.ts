import { createHash, randomBytes } from 'node:crypto';
import { type Attachment, type ChangeRecord, createAttachment } from '@treering/record';
import { createMemoryStorage, type Storage } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Finding, fsck } from '../src/index.js';
import { type MemoryLog, makeStatement, memoryLog } from './fixture.js';

// An examination may take hours, and the log goes on meanwhile: what it stores then is no damage.

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const attachment = (): Attachment =>
  createAttachment(randomBytes(100), { name: 'a', media_type: 'text/plain', access: 'public' }, randomBytes(16));

interface Attached extends Attachment {
  readonly leaf: Uint8Array;
}

/** Logs a record with an attachment, and uploads that. */
async function attached({ log }: MemoryLog, subject: string): Promise<Attached> {
  const { ref, blob } = attachment();
  const { leaf } = await log.submit((await makeStatement({ subject, attachments: [ref] })).entry);
  await log.attachments.put(hex(ref.digest), blob, ref);
  return { leaf, ref, blob };
}

async function erase({ log }: MemoryLog, subject: string, { leaf, ref }: Attached) {
  const reason = 'It was attached by mistake.';
  const record: ChangeRecord = {
    v: 1,
    type: 'correction',
    subject,
    reason,
    supersedes: leaf,
    prev: leaf,
    erased: [ref.digest],
  };
  await log.submit((await makeStatement({ record })).entry);
}

/** What an examination finds during which something happens: after the head was read, or after so many pages of names. */
async function findings(one: MemoryLog, storage: Storage, when: 'walked' | number, happens: () => Promise<unknown>) {
  let pages = 0;
  let pending: Promise<unknown> | undefined;
  const watched: Storage = {
    ...storage,
    topics: async (...args) => {
      if (when === 'walked') pending ??= happens();
      await pending;
      return storage.topics(...args);
    },
    attachments: async (...args) => {
      const page = await storage.attachments(...args);
      if (++pages === when) await happens();
      return page;
    },
  };
  const anchor = { read: async () => null, write: async () => undefined };
  const report = await fsck({ storage: watched, anchor, trust: one.log.trust });
  return report.findings as Finding[];
}

test('what is attached and erased while an examination runs is no finding', async () => {
  const storage = createMemoryStorage();
  const one = await memoryLog({ storage });
  const [old, kept] = [await attached(one, 'model/a'), await attached(one, 'model/b')];
  for (const when of ['walked', 1] as const)
    assert.equal(
      await findings(one, storage, when, async () => {
        const fresh = await attached(one, `model/new-${when}`);
        await attached(one, `model/other-${when}`);
        await erase(one, `model/new-${when}`, fresh);
        if (when === 'walked') await erase(one, 'model/a', old);
        else await erase(one, 'model/b', kept);
      }),
      [],
    );
});

test('what no entry names is found all the same while the log goes on', async () => {
  const storage = createMemoryStorage();
  const one = await memoryLog({ storage });
  const { ref, blob } = attachment();
  await storage.putAttachment(hex(ref.digest), Uint8Array.of(0x70, ...blob));
  assert.equal(await findings(one, storage, 'walked', () => attached(one, 'model/a')), [
    { where: `attachment ${hex(ref.digest)}`, what: 'no entry names it' },
  ]);
});

/** As many notes as are read at once, so that more names follow. */
async function fillPage(storage: Storage): Promise<void> {
  for (let i = 0; i < 100; i++) await putNote(storage, createHash('sha256').update(String(i)).digest());
}

async function putNote(storage: Storage, digest: Uint8Array): Promise<string> {
  const note = `${'0'.repeat(32)}${hex(digest).slice(0, 32)}`;
  await storage.putAttachment(note, Uint8Array.from([0x77, ...digest, ...new Uint8Array(32)]));
  return note;
}

for (const logged of [false, true])
  test(`evidence of an enrolment that begins${logged ? ' and ends' : ''} while an examination runs is no finding`, async () => {
    const storage = createMemoryStorage();
    const one = await memoryLog({ storage });
    await fillPage(storage);
    const happens = async (): Promise<void> => {
      const { ref, blob } = attachment();
      const note = await putNote(storage, ref.digest);
      await one.log.attachments.put(hex(ref.digest), blob, ref);
      if (!logged) return;
      await one.log.submit((await makeStatement({ attachments: [ref] })).entry);
      await storage.removeAttachment(note);
    };
    assert.equal(await findings(one, storage, 1, happens), []);
  });

test('the mark of an erasure is missed when it is gone, also when the content has come back', async () => {
  const storage = createMemoryStorage();
  const one = await memoryLog({ storage });
  const old = await attached(one, 'model/a');
  await erase(one, 'model/a', old);
  const [mark] = await storage.attachments('x', 10);
  await storage.removeAttachment(mark);
  const nothing = async (): Promise<void> => undefined;
  const where = `attachment ${hex(old.ref.digest)}`;
  const gone = { where, what: 'entry 2 erased it, and the mark that keeps it away is not there' };
  assert.equal(await findings(one, storage, 'walked', nothing), [gone]);
  await one.log.attachments.put(hex(old.ref.digest), old.blob, old.ref);
  const back = { where, what: 'a correction erased it, and it is still stored' };
  assert.equal(await findings(one, storage, 'walked', nothing), [back, gone]);
});

test.run();
