import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatVerifierKey, openNote, parseNote, parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { leavesOf, monitoringPath, TestLog } from '../../apps/witness/test/test-log.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';
import { type StartedWitness, startWitness } from './started-witness.js';

// Two witnesses at a time: most of a round is the start of a process.
const WITNESSES = 2;
const KILLS = forSize({ quick: 3, full: 100 });
const folders: string[] = [];
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** What a witness answers to a head: its status and body. */
async function add(witness: StartedWitness, body: Uint8Array): Promise<{ status: number; text: string }> {
  const init = { method: 'POST', body: body as Uint8Array<ArrayBuffer> };
  const response = await fetch(`${witness.url}/add-checkpoint`, init);
  return { status: response.status, text: await response.text() };
}

async function run(): Promise<number[]> {
  const data = mkdtempSync(join(tmpdir(), 'treering-witness-kills-'));
  folders.push(data);
  const leaves = leavesOf(KILLS + 10);
  const log = new TestLog('log.test/killed', leaves);
  // The same log key goes another way at every size: the witness must never cosign both.
  const forked = (size: number): TestLog =>
    new TestLog(log.origin, [...leaves.slice(0, size - 1), ...leavesOf(1, `fork ${size}`)], log.signer);
  writeFileSync(join(data, 'logs.txt'), `log ${formatVerifierKey(log.signer.key)}\n`);
  const settings = { data, name: 'witness.test/killed' };
  const recovery: number[] = [];
  let witness = await startWitness(settings);
  const { vkeys } = witness;
  for (let size = 1; size <= KILLS; size++) {
    const answer = await add(witness, log.add(size - 1, size));
    await witness.kill();
    assert.is(answer.status, 200, answer.text);
    witness = await startWitness(settings);
    recovery.push(witness.startTime);
    assert.equal(witness.vkeys, vkeys);
    const served = new Uint8Array(await (await fetch(`${witness.url}${monitoringPath(log.origin)}`)).arrayBuffer());
    const { text, verified } = openNote(parseNote(served), vkeys.map(parseVerifierKey), nodeEd25519);
    assert.is(Number(text.split('\n')[1]), size, 'it shows the head that it cosigned');
    assert.is(verified.length, vkeys.length);
    assert.equal(await add(witness, log.add(size - 1, size)), { status: 409, text: `${size}\n` });
    assert.is((await add(witness, forked(size).add(size, size))).status, 422, 'another head of the same size');
    assert.is((await fetch(`${witness.url}/readyz`)).status, 200);
  }
  await witness.kill();
  return recovery;
}

test(`${WITNESSES * KILLS} kills right after a cosignature: it is known, and no other of its size is given`, async () => {
  const recovery = (await Promise.all(Array.from({ length: WITNESSES }, run))).flat();
  assert.is(recovery.length, WITNESSES * KILLS);
  reportOutcome({
    name: 'witness-kills',
    group: 'witness',
    scenario: 'SIGKILL right after a witness has answered with its cosignature',
    runs: recovery.length,
    unit: 'kills',
    heads: recovery.length,
    recovery,
    also: 'every head cosigned was known, and another of its size refused',
  });
});

test.run();
