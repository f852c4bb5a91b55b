import type { AlarmProof } from '@treering/evidence';
import { nodeEd25519 } from '@treering/note/node';
import { createStatementSigner } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LOG_SIGNERS, ORIGIN } from '../../../test/drill/simulation.js';
import { AlarmBook, type AlarmBookParts, type Finding } from '../src/alarm-book.js';
import type { Pending } from '../src/pending.js';
import type { Alarm } from '../src/store.js';
import { emptyStore } from './fixture.js';

const signer = createStatementSigner(new Uint8Array(32).fill(7), nodeEd25519);
const head = { note: new Uint8Array(1), size: 10, root: new Uint8Array(32) };

function needs(index: number): Pending {
  return { needs: { kind: 'drift', index, entry: new Uint8Array(1), head, code: '', rule: '', reason: '', related: [] } };
}

function book(more: Partial<AlarmBookParts> = {}) {
  const store = emptyStore();
  const raised: Alarm[] = [];
  const alarms = new AlarmBook({
    store,
    observer: 'm.world',
    signer,
    webhooks: [],
    clock: () => 1_800_000_000_000,
    onChange: (alarm, event) => event === 'raised' && raised.push(alarm),
    ...more,
  });
  return { store, alarms, raised };
}

function* late(count: number): Generator<Finding & { readonly index: number }> {
  for (let index = 0; index < count; index++) yield { kind: 'undeployed', about: `deploy/x@${index}`, message: 'late', index };
}

test('a proof that fails, whatever the error is, keeps none behind it from being made', async () => {
  const unproved: string[] = [];
  const { store, alarms } = book({ onUnproved: ({ id }, error) => unproved.push(`${id} ${(error as Error).message}`) });
  for (let i = 1; i <= 41; i++) alarms.raise(ORIGIN, { kind: 'drift', about: `${i}`, message: '' }, needs(i));
  const asked: number[] = [];
  const build = async ({ index }: { index: number }): Promise<AlarmProof | undefined> => {
    asked.push(index);
    if (index <= 40) throw new RangeError('this is a mistake in the monitor');
    return {
      v: 1,
      kind: 'drift',
      log: { origin: ORIGIN, vkeys: [LOG_SIGNERS[0].key.name] },
      head: head.note,
      index,
      entry: new Uint8Array(1),
      inclusion: [],
      reason: 'It is proved for the test.',
    } as unknown as AlarmProof;
  };
  for (let polls = 0; polls < 3; polls++) await alarms.prove(ORIGIN, build);
  assert.equal(
    asked.slice(0, 41),
    Array.from({ length: 41 }, (_, i) => i + 1),
  );
  assert.ok(store.proof(41) !== undefined);
  assert.is(store.proof(1), undefined);
  assert.is(unproved[0], '1 this is a mistake in the monitor');
  assert.is(unproved.length, 59, 'each failure is told');
});

test('what is stored damaged is a failure of its own alarm only', async () => {
  const unproved: number[] = [];
  const { store, alarms } = book({ onUnproved: ({ id }) => unproved.push(id) });
  store.raise({ origin: ORIGIN, kind: 'drift', about: '1', message: '', raised: 1 }, new Uint8Array([0xff]), []);
  alarms.raise(ORIGIN, { kind: 'drift', about: '2', message: '' }, needs(2));
  const asked: number[] = [];
  await alarms.prove(ORIGIN, async ({ index }) => {
    asked.push(index);
    return undefined;
  });
  assert.equal([unproved, asked], [[1], [2]]);
  assert.equal(
    store.unproved(ORIGIN, 2).map(({ alarm }) => alarm.id),
    [1, 2],
    'both were tried once',
  );
});

test('many findings are raised once each, up to the room for their kind, and the store is asked once', async () => {
  const { store, alarms, raised } = book();
  let questions = 0;
  for (const name of ['openAlarm', 'openAbouts', 'room'] as const) {
    const ask = store[name].bind(store) as (...of: unknown[]) => never;
    store[name] = (...of: unknown[]) => {
      questions++;
      return ask(...of);
    };
  }
  await alarms.raiseAll(ORIGIN, 'undeployed', late(250), ({ index }) => needs(index));
  assert.is(raised.length, 250);
  assert.is(alarms.suppressed, 0);
  await alarms.raiseAll(ORIGIN, 'undeployed', late(250), ({ index }) => needs(index));
  assert.is(raised.length, 250, 'what is open is not raised again');
  await alarms.raiseAll(ORIGIN, 'undeployed', late(5000), ({ index }) => needs(index));
  assert.is(store.openAlarms().length, 1000);
  assert.is(new Set(raised.map(({ about }) => about)).size, 1000);
  assert.is(alarms.suppressed, 4000);
  assert.is(questions, 6, 'two a call');
  alarms.clear(ORIGIN, 'undeployed', 'deploy/x@3');
  await alarms.raiseAll(ORIGIN, 'undeployed', [...late(5000)].slice(4), ({ index }) => needs(index));
  assert.is(raised.at(-1)?.about, 'deploy/x@1000', 'room that is made is used');
});

test('other work has its turn while many findings are raised', async () => {
  const { alarms } = book();
  let turns = 0;
  let on = true;
  const turn = (): void => {
    turns++;
    if (on) setImmediate(turn);
  };
  setImmediate(turn);
  await alarms.raiseAll(ORIGIN, 'undeployed', late(20_000), ({ index }) => needs(index));
  on = false;
  assert.ok(turns >= 20, `${turns} turns`);
});

test.run();
