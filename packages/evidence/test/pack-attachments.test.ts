import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Claim, EvidenceError, holds, type PackItem, type Question } from '../src/index.js';
import { itemsOf, packOf } from './pack-items.js';
import { admin, hospital, PackLog, verified } from './pack-log.js';

const ward = await hospital();
const asked = (attachments: Question['attachments']): Question => ({ subjects: ['deploy/prod/triage'], attachments });
const items = await itemsOf(await ward.log.pack(asked('restricted')));

async function claimOf(changed: readonly PackItem[]): Promise<Claim & { good: boolean }> {
  const { claims, required } = await verified(packOf(changed));
  const claim = claims.find(({ name }) => name === 'attachments') as Claim;
  return { ...claim, good: holds(claims, required) };
}

test('what is not disclosed is accounted for, and why', async () => {
  for (const [attachments, why] of [
    ['none', /was not asked for/],
    ['public', /may be read by enrolled people only/],
  ] as const) {
    const { claims, required } = await verified(await ward.log.pack(asked(attachments)));
    const { verdict, details = [] } = claims.find(({ name }) => name === 'attachments') as Claim;
    assert.is(verdict, 'not proved');
    assert.is(details.length, attachments === 'none' ? 4 : 2);
    for (const line of details) assert.match(line, why);
    assert.ok(holds(claims, required));
    assert.not(holds(claims, [...required, 'attachments']));
  }
});

test('other content under a digest is found, whichever it is', async () => {
  for (const [i, item] of items.entries()) {
    if (item.kind !== 'attachment') continue;
    for (const blob of [item.blob.slice(1), Uint8Array.from([...item.blob, 0]), item.blob.map((byte) => byte ^ 1)]) {
      const { verdict, text, good } = await claimOf(items.map((one, k) => (k === i ? { ...item, blob } : one)));
      assert.is(verdict, 'failed');
      assert.match(text, /not the one that was recorded/);
      assert.not(good);
    }
  }
});

test('an attachment that the file passes over is missed', async () => {
  const first = items.findIndex(({ kind }) => kind === 'attachment');
  const { verdict, text } = await claimOf(items.filter((_, i) => i !== first));
  assert.is(verdict, 'failed');
  assert.match(text, /neither holds nor mentions 1 attachment of entry \d+/);
});

test('an attachment that no entry names has no place', async () => {
  const first = items.find(({ kind }) => kind === 'attachment') as Extract<PackItem, { kind: 'attachment' }>;
  const zero: PackItem = { ...first, digest: new Uint8Array(32) };
  const at = items.findIndex(({ kind }) => kind === 'attachment');
  await rejects(
    verified(packOf([...items.slice(0, at), zero, ...items.slice(at)])),
    /no entry in the file names the attachment/,
  );
});

test('that something was erased or withheld is believed only of the log', async () => {
  for (const [why, sentence] of [
    ['erased', /nothing in the file says that .* was erased/],
    ['withheld', /nothing in the file says that .* was never sent/],
  ] as const) {
    const without = items.map(
      (item): PackItem => (item.kind === 'attachment' ? { kind: 'absent', digest: item.digest, why } : item),
    );
    const { verdict, details = [] } = await claimOf(without);
    assert.is(verdict, 'not proved');
    assert.ok(details.some((line) => sentence.test(line)));
  }
});

test('an erasure in the log says who has erased what, and every pack after it verifies', async () => {
  const log = await PackLog.begin();
  const digest = new Uint8Array(32).fill(3);
  const ref = { name: 'patients.csv', media_type: 'text/csv', size: 9, digest, access: 'public' };
  const facts = { severity: 'low', aware_at: 1, affected: [] };
  const leaf = await log.add(admin, { type: 'incident', subject: 'incident/x', ...facts, attachments: [ref] });
  await log.add(admin, { type: 'correction', subject: 'incident/x', supersedes: leaf, erased: [digest] });
  log.head();
  const pack = await log.pack({ subjects: ['incident/x'], attachments: 'public' });
  const erased = (await itemsOf(pack)).map((item): PackItem => (item.kind === 'absent' ? { ...item, why: 'erased' } : item));
  const { claims, required } = await verified(packOf(erased));
  assert.ok(holds(claims, required));
  const { details = [] } = claims.find(({ name }) => name === 'attachments') as Claim;
  assert.equal(details, ['entry 3: patients.csv (9 bytes, public) was erased from the log, as entry 4 says']);
});

test('a withheld attachment is proved by its digest alone', async () => {
  const log = await PackLog.begin();
  const ref = { name: 'prompt.txt', media_type: 'text/plain', size: 9, digest: new Uint8Array(32).fill(4), access: 'withheld' };
  const facts = { severity: 'low', aware_at: 1, affected: [] };
  await log.add(admin, { type: 'incident', subject: 'incident/x', ...facts, attachments: [ref] });
  log.head();
  const { claims } = await verified(await log.pack({ subjects: ['incident/x'], attachments: 'restricted' }));
  const { details = [] } = claims.find(({ name }) => name === 'attachments') as Claim;
  assert.equal(details, ['entry 3: prompt.txt (9 bytes, withheld) was never sent to the log, only its digest']);
});

test.run();

async function rejects(work: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof EvidenceError, String(error));
  assert.match((error as Error).message, message);
}
