import type { ChangeRecord } from '@treering/record';
import { createMemoryStorage, type Storage, StorageError } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { identityRecord, type MemoryLog, makeStatement, memoryLog, signerFrom } from './fixture.js';

// While a batch is under way its records are in the rules already, and perhaps in the store. Nobody is told of it: it may be lost.

/** A log whose commits wait for the test, and are stored or not. */
async function held() {
  const memory = createMemoryStorage();
  const control = { waits: false, fails: false, stores: true };
  let release: () => void = () => undefined;
  const storage: Storage = {
    ...memory,
    async commit(...args: Parameters<Storage['commit']>) {
      if (control.stores) await memory.commit(...args);
      if (control.waits) await new Promise<void>((resolve) => (release = resolve));
      if (control.fails) throw new StorageError('storage/full', 'no space');
      if (!control.stores) await memory.commit(...args);
    },
  };
  const one = await memoryLog({ storage });
  /** Lets the commit that waits end, with an error or without. */
  const end = (fails: boolean): void => {
    Object.assign(control, { waits: false, fails });
    release();
  };
  return { one, memory, control, end };
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

test('a copy of a statement whose batch is lost is not told that it is logged', async () => {
  const { one, control, end } = await held();
  const { entry } = await makeStatement();
  Object.assign(control, { waits: true, stores: false });
  const first = one.post(entry);
  await soon();
  const second = one.post(entry);
  await soon();
  end(true);
  assert.is((await (await first).json()).code, 'sequencer/unknown-outcome');
  const { code, index } = await (await second).json();
  assert.equal([code, index], ['sequencer/unknown-outcome', undefined]);
  control.fails = false;
  const again = await one.post(entry);
  assert.equal([again.status, (await again.json()).index], [201, 1]);
});

test('what is refused because of a batch that is lost is decided again', async () => {
  const { one, control, end } = await held();
  const bob = signerFrom();
  await one.log.submit((await makeStatement({ record: identityRecord('enrol', 'bob', bob, ['engineer']) })).entry);
  Object.assign(control, { waits: true, stores: false });
  const revoking = one.post((await makeStatement({ record: identityRecord('revoke', 'bob', bob, []) })).entry);
  await soon();
  const byBob = one.post((await makeStatement({ signer: bob, id: 'bob' })).entry);
  await soon();
  end(true);
  assert.is((await revoking).status, 503);
  control.fails = false;
  const answer = await byBob;
  assert.ok(answer.status === 201 || (await answer.json()).code === 'sequencer/unknown-outcome', 'Bob was never revoked');
  assert.is((await one.post((await makeStatement({ signer: bob, id: 'bob' })).entry)).status, 201);
});

test('subjects show nothing that no head covers yet', async () => {
  const { one, control, end } = await held();
  for (const subject of ['model/a', 'model/a', 'model/b']) await one.log.submit((await makeStatement({ subject })).entry);
  const shown = async () => [
    await one.json('/v1/subjects?prefix=model'),
    (await one.json('/v1/subjects/model/a')).records.length,
    (await one.app.request('/v1/subjects/model/new')).status,
    (await one.json('/v1/subjects/model/a?at=2999-01-01')).state.index,
  ];
  const before = await shown();
  control.waits = true;
  const under = ['model/a', 'model/new'].map(async (subject) => one.post((await makeStatement({ subject })).entry));
  await soon();
  assert.equal(await shown(), before);
  end(false);
  assert.equal(
    (await Promise.all(under)).map(({ status }) => status),
    [201, 201],
  );
  const after = await one.json('/v1/subjects?prefix=model');
  assert.equal(
    after.subjects.map(({ subject, count }: { subject: string; count: number }) => `${subject} ${count}`),
    ['model/a 3', 'model/b 1', 'model/new 1'],
  );
});

test('the rules that the log shows are those that were committed', async () => {
  const { one, control, end } = await held();
  const record: ChangeRecord = {
    v: 1,
    type: 'policy',
    subject: 'policy',
    reason: 'It never comes into force.',
    policy: { rules: [{ name: 'only', who: { roles: ['administrator'] }, may: ['*'], on: ['**'] }] },
  };
  Object.assign(control, { waits: true, stores: false });
  const changing = one.post((await makeStatement({ record })).entry);
  await soon();
  const asked = Promise.all([one.json('/v1/log'), one.json('/v1/enrolment')]);
  await soon();
  end(true);
  const [log, enrolment] = await asked;
  assert.equal([log.policy.index, log.committed.size, enrolment.policy], [0, 1, 0]);
  assert.is((await changing).status, 503);
});

test('a log whose store was full for a moment is ready again without anybody who submits', async () => {
  const { one, control } = await held();
  control.fails = true;
  assert.is((await one.post((await makeStatement()).entry)).status, 503);
  const ready = async (log: MemoryLog): Promise<number> => (await log.app.request('/readyz')).status;
  control.fails = false;
  for (let i = 0; i < 100 && (await ready(one)) !== 200; i++) await soon();
  assert.is(await ready(one), 200);
});

test.run();
