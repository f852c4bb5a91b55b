import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AlarmKind } from '@treering/evidence';
import { openDatabase } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MONITOR_SCHEMA } from '../src/schema.js';
import { MonitorStore } from '../src/store.js';
import { emptyStore } from './fixture.js';

const URL = 'http://hook.world/';
/** From the least grave to the gravest; those that rank alike come last in the order in which they were raised. */
const KINDS: readonly AlarmKind[] = [
  'drift',
  'mismatch',
  'stale',
  'unwitnessed',
  'bad-entry',
  'unauthorised',
  'rollback',
  'fork',
];
const IN_TURN = [...KINDS.slice(2).reverse(), 'drift', 'mismatch'];

function raise(store: MonitorStore, kind: AlarmKind, about: string, urls: readonly string[] = [URL]): number {
  return store.raise({ origin: 'o', kind, about, message: '', raised: 1 }, new Uint8Array(0), urls)?.id as number;
}

function claimedKinds(store: MonitorStore, most = 100): (string | undefined)[] {
  return store.deliveries.claim(URL, 0, most).map(({ alarm }) => store.alarm(alarm)?.kind);
}

test('what is gravest has its turn first, and each once until it is due again', () => {
  const store = emptyStore();
  for (const kind of KINDS) raise(store, kind, '');
  assert.equal(claimedKinds(store, 3), IN_TURN.slice(0, 3));
  assert.equal(claimedKinds(store), IN_TURN.slice(3));
  assert.equal(claimedKinds(store), []);
  assert.equal(store.deliveries.urls(9), []);
  assert.equal(store.deliveries.urls(10), [URL]);
  const again = store.deliveries.claim(URL, 10, 1);
  assert.equal([again[0].attempts, store.alarm(again[0].alarm)?.kind], [2, 'fork'], 'a second attempt keeps its rank');
  store.close();
});

test('attempts are made at growing intervals, and after the last one it is given up', () => {
  const store = emptyStore();
  raise(store, 'fork', '');
  const waits: number[] = [];
  for (let now = 0, last = 0; store.deliveries.size > 0; ) {
    const [delivery] = store.deliveries.claim(URL, now, 1);
    if (delivery === undefined) {
      now++;
      continue;
    }
    waits.push(now - last);
    last = now;
    store.deliveries.failed(delivery);
  }
  assert.is(waits.length, 40);
  assert.equal(waits.slice(0, 12), [0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
  store.close();
});

test('a pair of which an attempt was begun is not left out, nor one of another webhook', () => {
  const store = emptyStore();
  const other = 'http://other.world/';
  const flap = (): number => {
    const id = raise(store, 'drift', 'x', [URL, other]);
    store.clear(id, 2, [URL, other]);
    return id;
  };
  const told = (url: string): string[] => store.deliveries.claim(url, 100, 100).map(({ alarm, event }) => `${event} ${alarm}`);
  const ids = [flap(), flap()];
  // The first two are under way at one webhook.
  assert.is(store.deliveries.claim(URL, 0, 4).length, 4);
  ids.push(flap(), flap(), flap(), flap());
  const pairs = (of: readonly number[]): string[] => of.flatMap((id) => [`raised ${id}`, `cleared ${id}`]);
  assert.equal(told(URL), pairs([ids[0], ids[1], ids[2], ids[5]]));
  assert.equal(told(other), pairs([ids[0], ids[5]]));
  store.close();
});

test('a store of the version before keeps what webhooks were not told yet, in the order of now', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'treering-')), 'monitor.db');
  const older = openDatabase(path, { mode: 'create' }, { ...MONITOR_SCHEMA, steps: MONITOR_SCHEMA.steps.slice(0, 1) });
  for (const [i, kind] of KINDS.entries()) {
    older.db.prepare("INSERT INTO alarms (origin, kind, about, message, raised) VALUES ('o', ?, '', '', 1)").run(kind);
    older.db.prepare("INSERT INTO deliveries (alarm, event, url, due) VALUES (?, 'raised', ?, 0)").run(i + 1, URL);
  }
  older.db.close();
  older.lock?.close();
  const read = MonitorStore.open(path, { mode: 'read' });
  assert.is(read.alarms().length, KINDS.length, 'it is read before it was changed');
  read.close();
  const store = MonitorStore.open(path, { mode: 'open' });
  assert.equal(claimedKinds(store), IN_TURN);
  store.close();
});

test.run();
