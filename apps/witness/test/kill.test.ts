import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatVerifierKey, openNote, parseNote, parseSignatureLine, parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { NAME, temporaryFolder } from './fixture.js';
import { leavesOf, monitoringPath, TestLog } from './test-log.js';

const SCRIPT = fileURLToPath(new URL('witness-process.mjs', import.meta.url));
/** Kills right after an answer, by two witnesses at the same time, and kills under load. */
const KILLS = 20;
const LOADED_KILLS = 4;
/** On a machine that is busy with other things fewer kills are made, in milliseconds and for each witness. */
const PATIENCE = 40_000;
const LEAST = 5;
const begun = performance.now();
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

interface Running {
  readonly url: string;
  readonly vkeys: readonly string[];
  kill(): Promise<void>;
}

async function start(data: string): Promise<Running> {
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify({ data, name: NAME })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const gone = once(child, 'exit').then(() => running.delete(child));
  const [line] = await Promise.race([once(child.stdout as NonNullable<typeof child.stdout>, 'data'), gone.then(() => [])]);
  if (line === undefined) throw new Error('the witness did not start');
  return {
    ...(JSON.parse(String(line)) as Omit<Running, 'kill'>),
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

function dataFor(logs: readonly TestLog[]): string {
  const data = temporaryFolder();
  writeFileSync(join(data, 'logs.txt'), logs.map(({ signer }) => `log ${formatVerifierKey(signer.key)}\n`).join(''));
  return data;
}

function post(url: string, body: Uint8Array): Promise<Response> {
  return fetch(`${url}/add-checkpoint`, { method: 'POST', body: body as Uint8Array<ArrayBuffer> });
}

/** The size that a witness says it knows: no witness of these tests knows size 10,000. */
async function knownSize({ url }: Running, log: TestLog): Promise<number> {
  const response = await post(url, log.add(10_000, 10_000, { root: new Uint8Array(32) }));
  assert.is(response.status, 409);
  return Number(await response.text());
}

test(`${2 * KILLS} kills right after an answer: what was cosigned is known`, async () => {
  const work = async (): Promise<void> => {
    const log = new TestLog();
    const data = dataFor([log]);
    let witness = await start(data);
    const { vkeys } = witness;
    for (let size = 1; size <= KILLS && (size <= LEAST || performance.now() - begun < PATIENCE); size++) {
      const response = await post(witness.url, log.add(size - 1, size));
      await witness.kill();
      assert.is(response.status, 200);
      witness = await start(data);
      assert.equal(witness.vkeys, vkeys);
      assert.is(await knownSize(witness, log), size);
      const served = new Uint8Array(await (await fetch(`${witness.url}${monitoringPath(log.origin)}`)).arrayBuffer());
      assert.is(openNote(parseNote(served), vkeys.map(parseVerifierKey), nodeEd25519).verified.length, 2);
      assert.is((await fetch(`${witness.url}/readyz`)).status, 200, 'an anchor that is one behind locks nothing');
    }
    await witness.kill();
  };
  await Promise.all([work(), work()]);
});

test(`${LOADED_KILLS} kills under load: every cosignature that anybody has is of the history that goes on`, async () => {
  const leaves = leavesOf(3_000);
  const logs = Array.from({ length: 8 }, (_, i) => new TestLog(`log.test/${i}`, leaves));
  const data = dataFor(logs);
  const cosigned = logs.map(() => 0);
  let received = 0;
  let witness = await start(data);
  const keys = witness.vkeys.map(parseVerifierKey);
  const check = async (): Promise<void> => {
    for (const [i, log] of logs.entries()) {
      const known = await knownSize(witness, log);
      assert.ok(known >= cosigned[i], `${log.origin} was cosigned at ${cosigned[i]}, and ${known} is known`);
      cosigned[i] = known;
    }
  };
  for (let kill = 0; kill < LOADED_KILLS; kill++) {
    let alive = true;
    const load = logs.map(async (log, i) => {
      try {
        for (let old = cosigned[i]; alive; old = cosigned[i]) {
          const size = old + 1 + (old % 3);
          const response = await post(witness.url, log.add(old, size));
          const answer = await response.text();
          assert.is(response.status, 200, answer);
          const signatures = answer.slice(0, -1).split('\n').map(parseSignatureLine);
          openNote({ text: parseNote(log.head(size)).text, signatures }, keys.slice(0, 1), nodeEd25519);
          cosigned[i] = size;
          received++;
        }
      } catch (error) {
        // A cut connection is what is tested here.
        if (!(error instanceof TypeError && /fetch failed|terminated/.test(error.message))) throw error;
      }
    });
    for (const wanted = received + 20 + 7 * kill; received < wanted; ) await new Promise((resolve) => setTimeout(resolve, 5));
    await witness.kill();
    alive = false;
    await Promise.all(load);
    witness = await start(data);
    await check();
  }
  await witness.kill();
});

test.run();
