import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder, initLog } from '@treering/log';
import { formatVerifierKey, type LogTrust } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Load, type Turned } from './load.js';
import { spawnLog, startLog, trustOf } from './log-child.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';
import { type StartedWitness, startWitness } from './started-witness.js';

const ROUNDS = forSize({ quick: 1, full: 8, soak: 40 });
const ORIGIN = 'rollback.test/log';
const folders: string[] = [];
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A log that was copied at about 100 entries and has grown to 200, was killed, and the folder of its copy. */
interface Grown {
  readonly data: string;
  readonly copy: string;
  readonly newest: string;
  readonly load: Load;
  readonly config: Readonly<Record<string, unknown>>;
}

interface Begun {
  readonly folder: string;
  readonly data: string;
  readonly trust: LogTrust;
  readonly config: Readonly<Record<string, unknown>>;
  readonly witness: StartedWitness;
  /** Starts the witness again where it was. */
  readonly again: () => Promise<StartedWitness>;
}

/** A log whose quorum is one witness, which is a process as well. */
async function begin(): Promise<Begun> {
  const folder = mkdtempSync(join(tmpdir(), 'treering-rollback-'));
  folders.push(folder);
  const data = join(folder, 'data');
  await initLog(data, { origin: ORIGIN });
  const trust = await trustOf(data, ORIGIN);
  const vkey = formatVerifierKey(trust.logKeys[0]);
  const settings = { data: join(folder, 'witness'), name: 'witness.test/one', logs: join(folder, 'logs.txt') };
  writeFileSync(settings.logs, `log ${vkey}\n`);
  const witness = await startWitness(settings);
  const policy = join(folder, 'policy.txt');
  writeFileSync(policy, `log ${vkey}\nwitness one ${witness.vkeys[0]} ${witness.url}\nquorum one\n`);
  const again = (): Promise<StartedWitness> => startWitness({ ...settings, listen: new URL(witness.url).host });
  return { folder, data, trust, witness, again, config: { witnesses: policy } };
}

async function growAndCopy({ folder, data, trust, config }: Begun): Promise<Grown> {
  const load = await Load.on(data, { origin: ORIGIN, trust, random: Math.random });
  const [copy, newest] = [join(folder, 'copy'), join(folder, 'newest')];
  for (const [target, end] of [
    [copy, 'SIGTERM'],
    [newest, 'SIGKILL'],
  ] as const) {
    const log = await startLog(data, { config });
    for (let i = 0; i < 4; i++) await load.submit(log.url, 25);
    await published(log.url, load.promises.acknowledged.size + 1);
    await log.end(end);
    cpSync(data, target, { recursive: true });
  }
  return { data, copy, newest, load, config };
}

/** Waits until a checkpoint of so many entries can be read. */
async function published(url: string, size: number): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${url}/checkpoint`)).text();
    if (Number(text.split('\n')[1]) >= size) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Puts a copy in the place of the store, and of the anchor if it is said so. */
function putBack(data: string, from: string, anchorToo: boolean): void {
  const [target, source] = [dataFolder(data), dataFolder(from)];
  for (const suffix of ['', '-wal', '-shm']) {
    rmSync(target.store + suffix, { force: true });
    if (existsSync(source.store + suffix)) cpSync(source.store + suffix, target.store + suffix);
  }
  if (anchorToo) cpSync(source.anchor, target.anchor);
}

/** The log ends with 1 before it answers anything, and tells its operator what happened and where to read on. */
async function expectRefusal({ data, config }: Grown): Promise<void> {
  const { child, ended } = spawnLog(data, { config });
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  const { code, errors } = await ended;
  assert.is(code, 1, errors);
  assert.is(output, '', 'it never listened');
  assert.match(errors, /sequencer\/rolled-back/);
  assert.match(errors, /201 entries and the store only 101/);
  assert.match(errors, /"Backup and restore" in docs\/operations\.md/);
}

/** The newest copy is brought back: the log goes on, and has everything that it ever answered. @returns how long it took to start */
async function expectWhole({ data, newest, load, config }: Grown): Promise<number> {
  putBack(data, newest, false);
  const log = await startLog(data, { config });
  await load.checkAfterRestart(log.url);
  await log.end('SIGTERM');
  await load.promises.checkStore(data);
  return log.startTime;
}

/** The copy starts while no witness can be reached: it takes nothing, publishes nothing, and ends when the witness answers. */
async function expectEnd({ data, copy, config }: Grown, { trust, witness, again }: Begun): Promise<StartedWitness> {
  putBack(data, copy, true);
  await witness.kill();
  const restored = await startLog(data, { config });
  const refusals: Turned[] = [];
  const tolerate = (answer: Turned): boolean => refusals.push(answer) > 0;
  const blind = await Load.on(data, { origin: ORIGIN, trust, random: Math.random, tolerate });
  await blind.submit(restored.url, 5);
  assert.equal(
    refusals.map(({ status, code }) => `${status} ${code}`),
    Array.from({ length: 5 }, () => '503 log/unwitnessed-start'),
  );
  const shown = await (await fetch(`${restored.url}/checkpoint`)).text();
  assert.is(shown.split('\n')[1], '101', 'there is no second history');
  const back = await again();
  const { code, errors } = await restored.ended;
  assert.is(code, 1, errors);
  assert.match(errors, /sequencer\/rolled-back/);
  return back;
}

test(`an older copy of the store is refused by the anchor, with its anchor by the witness, and for good; ${ROUNDS} times`, async () => {
  const recovery: number[] = [];
  const loads: Load[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begun = await begin();
    const grown = await growAndCopy(begun);
    putBack(grown.data, grown.copy, false);
    await expectRefusal(grown);
    putBack(grown.data, grown.copy, true);
    await expectRefusal(grown);
    const back = await expectEnd(grown, begun);
    // What the witness showed is the anchor now: it is needed no more.
    await back.kill();
    putBack(grown.data, grown.copy, false);
    await expectRefusal(grown);
    recovery.push(await expectWhole(grown));
    loads.push(grown.load);
  }
  const sum = (count: (load: Load) => number): number => loads.reduce((all, load) => all + count(load), 0);
  reportOutcome({
    name: 'rollback',
    group: 'disk',
    scenario:
      'An older copy of the store brought back; with its anchor, before a witness; and with no witness in reach at first',
    runs: 3 * ROUNDS,
    unit: 'copies',
    acknowledged: sum(({ promises }) => promises.acknowledged.size),
    heads: sum(({ promises }) => promises.heads.size),
    recovery,
    also: 'all ended with exit code 1, and none published',
  });
});

test.run();
