import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatVerifierKey } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { leavesOf, TestLog, withLines } from '../../apps/witness/test/test-log.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';
import { type StartedWitness, startWitness } from './started-witness.js';

const ROUNDS = forSize({ quick: 1, full: 15 });
const FILES = ['witness.db', 'witness.db-wal', 'witness.db-shm'];
const root = mkdtempSync(join(tmpdir(), 'treering-witness-rollback-'));
test.after(() => rmSync(root, { recursive: true, force: true }));

async function add(witness: StartedWitness, body: Uint8Array): Promise<{ status: number; text: string }> {
  const init = { method: 'POST', body: body as Uint8Array<ArrayBuffer> };
  const response = await fetch(`${witness.url}/add-checkpoint`, init);
  return { status: response.status, text: await response.text() };
}

/** It answers 503 and gives no cosignature, whatever it is shown, also after another start. */
async function expectLocked(settings: Record<string, string>, bodies: readonly Uint8Array[]): Promise<void> {
  for (let start = 0; start < 2; start++) {
    const witness = await startWitness(settings);
    for (const body of bodies) {
      const { status, text } = await add(witness, body);
      assert.is(status, 503, text);
      assert.not.match(text, /^— /m);
    }
    assert.is((await fetch(`${witness.url}/readyz`)).status, 503);
    await witness.kill();
  }
}

test(`a witness whose store is an older copy cosigns nothing until somebody unlocks it, ${ROUNDS} times`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const data = join(root, `data-${round}`);
    const older = join(root, `older-${round}`);
    mkdirSync(data);
    const [first, last] = [3 + round, 9 + 2 * round];
    const log = new TestLog('log.test/one', leavesOf(last + 10));
    const fork = new TestLog(log.origin, [...leavesOf(first), ...leavesOf(last + 10, 'fork')], log.signer);
    writeFileSync(join(data, 'logs.txt'), `log ${formatVerifierKey(log.signer.key)}\n`);
    const settings = { data, name: 'witness.test/one', log_level: 'silent' };
    let witness = await startWitness(settings);
    assert.is((await add(witness, log.add(0, first))).status, 200);
    await witness.kill();
    cpSync(data, older, { recursive: true });
    witness = await startWitness(settings);
    const { text: lines } = await add(witness, log.add(first, last));
    await witness.kill();
    for (const file of FILES) rmSync(join(data, file), { force: true });
    cpSync(older, data, { recursive: true, filter: (path) => path === older || FILES.some((file) => path.endsWith(file)) });
    // The other history goes on from what the copy knows.
    await expectLocked(settings, [fork.add(first, last), log.add(first, last), log.add(last, last + 1)]);
    // With its anchor as old as the store, its own cosignature on what it is shown tells.
    rmSync(data, { recursive: true });
    cpSync(older, data, { recursive: true });
    witness = await startWitness(settings);
    assert.is((await add(witness, withLines(log.add(first, last), lines))).status, 503);
    await witness.kill();
    await expectLocked(settings, [fork.add(first, last)]);
  }
  reportOutcome({
    name: 'witness-rollback',
    group: 'witness',
    scenario: "An older copy of a witness's store brought back, without and with its anchor, and a second history shown to it",
    runs: 2 * ROUNDS,
    unit: 'copies',
    heads: 2 * ROUNDS,
    also: 'locked each time, also after a restart',
  });
});

test.run();
