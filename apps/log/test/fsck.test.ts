import { randomBytes } from 'node:crypto';
import { type AttachmentRef, createAttachment } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fsck } from '../src/index.js';
import { identityRecord, makeStatement, memoryLog, signerFrom } from './fixture.js';

// Who may read an attachment is what the entries that name it say, and anybody may name it.

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const attachment = (access: AttachmentRef['access']) =>
  createAttachment(new TextEncoder().encode('report'), { name: 'a', media_type: 'text/plain', access }, randomBytes(16));

/** What an examination finds when an attachment is stored as the first of these levels, and named with all of them. */
async function findings(stored: 'public' | 'restricted', named: readonly AttachmentRef['access'][]): Promise<string[]> {
  const { log } = await memoryLog();
  const eve = signerFrom();
  await log.submit((await makeStatement({ record: identityRecord('enrol', 'eve', eve, ['engineer']) })).entry);
  const { ref, blob } = attachment(stored);
  for (const access of named)
    await log.submit((await makeStatement({ signer: eve, id: 'eve', attachments: [{ ...ref, access }] })).entry);
  await log.attachments.put(hex(ref.digest), blob, ref);
  const anchor = { read: async () => null, write: async () => undefined };
  const report = await fsck({ storage: log.storage, anchor, trust: log.trust });
  return report.findings.map(({ what }) => what);
}

for (const named of [['public'], ['public', 'withheld'], ['withheld', 'public'], ['public', 'restricted', 'withheld']] as const)
  test(`an attachment that is named ${named.join(' and ')} may be stored as public`, async () => {
    assert.equal(await findings('public', named), []);
  });

test('nobody who names it makes a restricted attachment public, nor a withheld one stored', async () => {
  assert.match(
    (await findings('restricted', ['public', 'withheld'])).join(),
    'says that it is public, and it is stored otherwise',
  );
  assert.match((await findings('public', ['withheld'])).join(), 'never sent, and it is stored');
});

test.run();
