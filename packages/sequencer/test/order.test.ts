import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyConsistency, verifyInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { createMemoryStorage, type Storage } from '@treering/storage';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkLog } from '../../../test/check-log.js';
import type { Committed } from '../src/index.js';
import { memoryAnchor, open, recordingAdmission, rejection, submission, trust } from './fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'treering-sequencer-'));
let next = 0;
const drivers: Record<string, () => Storage> = {
  memory: createMemoryStorage,
  sqlite: () => openSqliteStorage(join(folder, `${next++}.db`), { mode: 'create' }),
};

for (const [name, create] of Object.entries(drivers)) {
  const test = suite(`sequencer over ${name}`);

  test('every entry gets the next index and a proof that holds, across the borders of tiles', async () => {
    const storage = create();
    const sequencer = await open(storage, { pool: { entries: 100_000, bytes: 1e8 } });
    const heads: Committed[] = [];
    let size = 0;
    for (const grow of [1, 1, 2, 250, 1, 1, 1, 300, 4096, 61_000, 600]) {
      const texts = Array.from({ length: grow }, (_, i) => `entry ${size + i}`);
      const committed = await Promise.all(texts.map((text) => sequencer.submit(submission(text))));
      committed.forEach(({ index, duplicate, head, inclusion }, i) => {
        assert.is(index, size + i);
        assert.not(duplicate);
        if (i % 97 === 0) verifyInclusion(index, head.size, submission(texts[i]).leafHash, inclusion, head.root, nodeHasher);
      });
      heads.push(committed[committed.length - 1]);
      size += grow;
    }
    for (const index of [0, 255, 256, 4999, 65_535, 65_536, size - 1]) {
      const proof = await sequencer.proveInclusion(index, size);
      verifyInclusion(
        index,
        size,
        submission(`entry ${index}`).leafHash,
        proof,
        sequencer.head?.root as Uint8Array,
        nodeHasher,
      );
    }
    for (const { head } of heads) {
      const proof = await sequencer.proveConsistency(head.size, size);
      verifyConsistency(head.size, size, head.root, sequencer.head?.root as Uint8Array, proof, nodeHasher);
    }
    const acknowledged = Array.from({ length: size }, (_, index) => ({ index, leaf: submission(`entry ${index}`).leafHash }));
    await checkLog(storage, { trust, acknowledged, heads: heads.map(({ head }) => head.note) });
    await storage.close();
  });

  test('the same bytes have one index: in a batch, across batches, and after a restart', async () => {
    const storage = create();
    const anchor = memoryAnchor();
    const sequencer = await open(storage, { anchor });
    const together = await Promise.all(['a', 'b', 'a', 'a'].map((text) => sequencer.submit(submission(text))));
    assert.equal(
      together.map(({ index, duplicate }) => [index, duplicate]),
      [
        [0, false],
        [1, false],
        [0, true],
        [0, true],
      ],
    );
    const later = await sequencer.submit(submission('b'));
    assert.equal([later.index, later.duplicate], [1, true]);
    verifyInclusion(1, later.head.size, submission('b').leafHash, later.inclusion, later.head.root, nodeHasher);
    await sequencer.close();
    const again = await open(storage, { anchor });
    assert.is((await again.submit(submission('a'))).index, 0);
    assert.is((await again.submit(submission('c'))).index, 2);
    await storage.close();
  });

  test('what is not admitted takes no index, and its submitter is told why', async () => {
    const storage = create();
    const sequencer = await open(storage);
    const outcomes = await Promise.allSettled(['a', 'refuse this', 'b'].map((text) => sequencer.submit(submission(text))));
    assert.equal(
      outcomes.map((o) => (o.status === 'fulfilled' ? o.value.index : (o.reason as Error).message)),
      [0, 'refused: refuse this', 1],
    );
    assert.is(sequencer.head?.size, 2);
    await storage.close();
  });

  test('beyond its limits it refuses at once, and takes more when there is room', async () => {
    const storage = create();
    const sequencer = await open(storage, { pool: { entries: 3, bytes: 1000 } });
    const waiting = ['a', 'b', 'c'].map((text) => sequencer.submit(submission(text)));
    assert.is((await rejection(sequencer.submit(submission('d')))).code, 'sequencer/overloaded');
    await Promise.all(waiting);
    assert.is((await sequencer.submit(submission('d'))).index, 3);
    assert.is((await rejection(sequencer.submit(submission('x'.repeat(1001))))).code, 'sequencer/overloaded');
    await storage.close();
  });

  test('closing answers what waits and takes no more', async () => {
    const storage = create();
    const sequencer = await open(storage);
    const waiting = Array.from({ length: 100 }, (_, i) => sequencer.submit(submission(`waits ${i}`)));
    const closed = sequencer.close();
    assert.is((await rejection(sequencer.submit(submission('late')))).code, 'sequencer/stopped');
    await closed;
    assert.equal(
      (await Promise.all(waiting)).map((c) => c.index),
      Array.from({ length: 100 }, (_, i) => i),
    );
    await storage.close();
  });

  test('commits are told in order, with heads whose time never goes back', async () => {
    const storage = create();
    const times = [5_000, 9_000, 4_000, 9_500];
    let now = 5_000;
    const sequencer = await open(storage, { clock: () => now });
    const seen: [number, number, number][] = [];
    sequencer.onCommit((head, entries) => seen.push([head.size, head.time, entries.length]));
    for (const [i, time] of times.entries()) {
      now = time;
      await sequencer.submit(submission(`t${i}`));
    }
    assert.equal(seen, [
      [1, 5_000, 1],
      [2, 9_000, 1],
      [3, 9_000, 1],
      [4, 9_500, 1],
    ]);
    now = -2_000;
    assert.is((await rejection(sequencer.submit(submission('late')))).code, 'sequencer/clock-behind');
    now = 10_000;
    assert.is((await sequencer.submit(submission('late'))).index, 4);
    await storage.close();
  });

  test('decisions are made in the order of the log', async () => {
    const storage = create();
    const admission = recordingAdmission();
    const sequencer = await open(storage, { admission, batchSize: 4 });
    await Promise.all(Array.from({ length: 10 }, (_, i) => sequencer.submit(submission(`e${i}`))));
    assert.equal(admission.log, ['reload 0', ...Array.from({ length: 10 }, (_, i) => `admit ${i} e${i}`)]);
    await storage.close();
  });

  test.run();
}

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
