import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAlarmProof } from '@treering/evidence';
import { initLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND } from '../e2e/command.js';
import { Intermediary } from './intermediary.js';
import { Load } from './load.js';
import { type LogChild, startLog, trustOf } from './log-child.js';
import { type Neighbour, startMonitor } from './neighbour.js';
import { logKeysOf } from './neighbourhood.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { faultSize, forSize } from './size.js';
import { until } from './until.js';

// One key, two logs behind two addresses: each client is shown its own history, as a log that lies would do it.

const ORIGIN = 'fork.test/log';
const ROUNDS = forSize({ quick: 0, full: 10 });
/** Seconds between two polls of a monitor. */
const INTERVAL = 2;

const folder = mkdtempSync(join(tmpdir(), 'treering-fork-'));
const [one, other] = [join(folder, 'one'), join(folder, 'other')];
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
/** test/drill shows the same in one process, in a quick run. */
const fullTest = faultSize() === 'quick' ? test.skip : test;

fullTest(
  `${ROUNDS} times two monitors are shown two histories: both say so in two polls, with a proof that holds offline`,
  async () => {
    const random = seededRandom(3);
    const sides = await twoHistories(random);
    const keys = await logKeysOf(one);
    const [polls, times]: [number[], number[]] = [[], []];
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const data = [0, 1].map((i) => join(folder, `monitor-${round}-${i}`));
        const found = await split(sides, keys, data);
        polls.push(found.polls);
        times.push(found.time);
        for (const path of found.proofs) verifyOffline(path, keys);
        // Of different sizes in most rounds: one history is longer, or the other.
        for (const side of sides) await side.load.submit(side.log.url, 1 + Math.floor(random() * 300));
      }
    } finally {
      for (const { log } of sides) await log.end('SIGTERM');
    }
    // Heads are first exchanged in one poll, and two periods are over when the third one after it begins.
    assert.ok(Math.max(...polls) <= 3, `it took ${Math.max(...polls)} polls`);
    times.sort((a, b) => a - b);
    reportOutcome({
      name: 'fork',
      group: 'network',
      scenario: 'Two logs with one key behind two addresses, seen by two monitors that speak to one another',
      runs: ROUNDS,
      unit: 'splits',
      also: `all found, after ${Math.max(...polls)} polls of ${INTERVAL} s at most (within ${Math.ceil(times[Math.floor((times.length - 1) / 2)] / 1000)} s in the median, ${Math.ceil(times[times.length - 1] / 1000)} s at most); each proof verified by the command without a network`,
    });
  },
);

interface Side {
  readonly log: LogChild;
  readonly load: Load;
}

/** Two logs that have the beginning in common. */
async function twoHistories(random: () => number): Promise<Side[]> {
  await initLog(one, { origin: ORIGIN });
  const trust = await trustOf(one, ORIGIN);
  const begun = await startLog(one);
  await (await Load.on(one, { origin: ORIGIN, trust, random })).submit(begun.url, 300);
  await begun.end('SIGTERM');
  cpSync(one, other, { recursive: true });
  return Promise.all(
    [one, other].map(async (data, i) => {
      const about = `on side ${i}`;
      const side = { log: await startLog(data), load: await Load.on(data, { origin: ORIGIN, trust, random, about }) };
      await side.load.submit(side.log.url, 5 + i * 40);
      return side;
    }),
  );
}

/** Two monitors that know one another: one has followed its history, and the other one begins with the other history. */
async function split(sides: readonly Side[], keys: readonly string[], data: readonly string[]) {
  const between = await Promise.all(sides.map(({ log }) => new Intermediary(log.url).listen()));
  const places = (await freePorts(2)).map((port) => `127.0.0.1:${port}`);
  const monitors: Neighbour[] = [];
  const start = async (i: number): Promise<Neighbour> => {
    const settings = { interval: INTERVAL, peers: [`http://${places[1 - i]}`], logs: [{ keys, url: between[i].url }] };
    const monitor = await startMonitor(data[i], { name: `m${i}.fork.test`, ...settings }, { listen: places[i] });
    monitors.push(monitor);
    return monitor;
  };
  try {
    await follows(await start(0), sides[0].log.url);
    await start(1);
    const began = Date.now();
    await until('both monitors say that there is a fork', async () => (await isForked(monitors[0])) && isForked(monitors[1]));
    // An alarm is dated in seconds.
    const raised = (await Promise.all(monitors.map(forkOf))).map((alarm) => ((alarm?.raised ?? 0) + 1) * 1000);
    const polls = Math.max(...raised.map((time, i) => between[i].count('/checkpoint', i === 0 ? began : 0, time)));
    const time = Math.max(...raised) - began;
    const proofs = await Promise.all(monitors.map((monitor, i) => saveProof(monitor, `${data[i]}.trproof`)));
    return { polls, time, proofs };
  } finally {
    for (const one of between) one.close();
    await Promise.all(monitors.map((monitor) => monitor.end('SIGTERM')));
  }
}

/** Ports that nobody listens on now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function follows(monitor: Neighbour, log: string): Promise<void> {
  const { committed } = (await (await fetch(`${log}/v1/log`)).json()) as { committed: { size: number } };
  await until('the monitor has read all', async () => {
    const { logs } = (await (await fetch(`${monitor.url}/v1/monitor`)).json()) as { logs: { audited: number }[] };
    return logs[0].audited === committed.size;
  });
}

interface ForkAlarm {
  readonly id: number;
  readonly kind: string;
  /** Seconds since the epoch. */
  readonly raised: number;
}

async function forkOf({ url }: Neighbour): Promise<ForkAlarm | undefined> {
  const { alarms } = (await (await fetch(`${url}/v1/alarms`)).json()) as { alarms: ForkAlarm[] };
  return alarms.find(({ kind }) => kind === 'fork');
}

async function isForked(monitor: Neighbour): Promise<boolean> {
  return (await forkOf(monitor)) !== undefined;
}

async function saveProof(monitor: Neighbour, path: string): Promise<string> {
  const url = `${monitor.url}/v1/alarms/${(await forkOf(monitor))?.id}/proof`;
  await until('the proof is made', async () => (await fetch(url)).ok);
  writeFileSync(path, new Uint8Array(await (await fetch(url)).arrayBuffer()));
  return path;
}

/** With the keys of the log and nothing else: neither the monitor nor a network. */
function verifyOffline(path: string, keys: readonly string[]): void {
  const [command, ...before] = isolated() ? ['unshare', '-rn', process.execPath] : [process.execPath];
  const vkeys = keys.flatMap((key) => ['--key', key]);
  const { status, stdout, stderr } = spawnSync(command, [...before, COMMAND, 'verify', path, ...vkeys, '--json'], {
    encoding: 'utf8',
  });
  assert.is(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, '"kind":"fork"');
  const bytes = new Uint8Array(readFileSync(path));
  const { proof } = parseAlarmProof(bytes);
  assert.is(proof.kind === 'fork' && proof.heads.length, 2, 'both signed heads are in it');
}

function isolated(): boolean {
  try {
    execFileSync('unshare', ['-rn', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.run();
