import { createHash } from 'node:crypto';
import { Load } from './load.js';
import { trustOf } from './log-child.js';
import { type Neighbourhood, startNeighbourhood } from './neighbourhood.js';
import { Network } from './netns.js';
import { seededRandom } from './random.js';
import { pause, until } from './until.js';

// partition-process.ts ORDERS: a client on its own host, which also says who is cut off from whom. Prints what came of it as JSON.

/** What the client is told. */
export interface PartitionOrders {
  readonly network: Network['name'];
  readonly folder: string;
  readonly seed: number;
  /** Kinds of partitions, one after the other. */
  readonly partitions: readonly Partition[];
}

/** What came of the partitions. */
export interface PartitionReport {
  readonly acknowledged: number;
  readonly heads: number;
  readonly entries: number;
  /** Submissions that were cut off. */
  readonly unanswered: number;
  /** Milliseconds from each healing until all had caught up. */
  readonly recovery: readonly number[];
  /** Alarms that the monitor raised and that are over. */
  readonly alarms: readonly string[];
}

const ORIGIN = 'partition.test/log';
const HASH = createHash('sha256').update(ORIGIN).digest('hex');
/** Seconds after which the monitor says that a head is old. */
const STALE_AFTER = 3;
/** Milliseconds after which a client gives up a submission. */
const GIVEN_UP = 1000;
/** Seconds in which all must have caught up by themselves. */
const PATIENCE = 30;

/** Each partition lasts until the function resolves. It checks what must hold meanwhile. */
const PARTITIONS = {
  'one witness': async ({ network, random, log }: Scene) => {
    network.unplug(`w${1 + Math.floor(random() * 3)}`);
    const before = (await log()).published;
    await until('two of three witnesses are enough', async () => (await log()).published > before + 20);
  },
  'log and witnesses': async (scene: Scene) => {
    scene.network.separate(['log', 'w1', 'w2', 'w3']);
    await nothingIsPublished(scene, 1500 + scene.random() * 1500);
  },
  'two witnesses that the log drops': async (scene: Scene) => {
    scene.network.blackhole('log', 'w1');
    scene.network.blackhole('log', 'w3');
    await nothingIsPublished(scene, 1500 + scene.random() * 1500);
  },
  'log and witnesses for longer than a minute': async (scene: Scene) => {
    scene.network.separate(['log', 'w1', 'w2', 'w3']);
    await nothingIsPublished(scene, 1000);
  },
  'log and monitor': async ({ network, alarms }: Scene) => {
    network.separate(['log', 'monitor']);
    await until('the monitor says that the head is old', async () => (await alarms(false)).includes('stale'));
  },
  'monitor and witnesses': async ({ network, log }: Scene) => {
    network.separate(['monitor', 'w1', 'w2', 'w3']);
    const before = (await log()).published;
    await until('the log goes on', async () => (await log()).published > before + 50);
  },
  'a client in the middle of its submissions': async ({ network, random }: Scene) => {
    await pause(random() * 300);
    network.unplug('client');
    await pause(GIVEN_UP + 300);
  },
  'the log from all': async ({ network, random }: Scene) => {
    network.unplug('log');
    await pause(1000 + random() * 2000);
  },
};

/** What is waited for after the load, before the network is joined again. */
const LINGERING: { readonly [kind in Partition]?: (scene: Scene) => Promise<void> } = {
  'log and witnesses for longer than a minute': async ({ world }) => {
    const url = `${world.log.url}/readyz`;
    await until('/readyz says that the checkpoint is old', async () => (await statusOf(url)) === 503, 75);
    const { code } = await getJson<{ code: string }>(url);
    if (code !== 'log/stale') throw new Error(`/readyz says ${code}`);
  },
};

/** Who is cut off from whom. */
export type Partition = keyof typeof PARTITIONS;

interface Scene {
  readonly network: Network;
  readonly random: () => number;
  readonly world: Neighbourhood;
  /** The sizes of the log's heads. */
  readonly log: () => Promise<{ readonly committed: number; readonly published: number }>;
  /** Kinds of alarms. */
  readonly alarms: (all: boolean) => Promise<readonly string[]>;
}

const { network: name, folder, seed, partitions } = JSON.parse(process.argv[2]) as PartitionOrders;
const network = Network.join(name);
const random = seededRandom(seed);
const world = await startNeighbourhood(folder, {
  origin: ORIGIN,
  network,
  witnesses: 3,
  quorum: 2,
  log: { refresh_interval: 1000 },
  monitor: { settings: { interval: 0.3, timeout: 1000 }, watch: { stale_after: STALE_AFTER } },
});
const scene: Scene = {
  network,
  random,
  world,
  async log() {
    const { committed, published } = await getJson<Record<string, { size: number } | null>>(`${world.log.url}/v1/log`);
    return { committed: committed?.size ?? 0, published: published?.size ?? 0 };
  },
  async alarms(all) {
    const { alarms } = await getJson<{ alarms: { kind: string }[] }>(`${world.monitor?.url}/v1/alarms${all ? '?all' : ''}`);
    return alarms.map(({ kind }) => kind);
  },
};
const load = await Load.on(world.data, {
  origin: ORIGIN,
  trust: await trustOf(world.data, ORIGIN),
  // Nobody waits for witnesses, which are away for a while.
  random: () => 0.2 + random() * 0.8,
  timeout: GIVEN_UP,
});
const recovery: number[] = [];
for (const kind of partitions) {
  await load.run(world.log.url, PARTITIONS[kind](scene));
  await LINGERING[kind]?.(scene);
  network.heal();
  const began = performance.now();
  await load.run(world.log.url, pause(300));
  await caughtUp(kind);
  recovery.push(performance.now() - began);
}
await load.checkAfterRestart(world.log.url);
await caughtUp('all of it');
const heads = await Promise.all(world.witnesses.map(({ url }) => fetch(`${url}/${HASH}/checkpoint`).then((r) => r.text())));
for (const head of [...heads, await (await fetch(`${world.monitor?.url}/gossip/${HASH}`)).text()]) load.promises.head(head);
const raised = await scene.alarms(true);
await world.end();
const entries = await load.promises.checkStore(world.data);
const report: PartitionReport = {
  acknowledged: load.promises.acknowledged.size,
  heads: load.promises.heads.size,
  entries,
  unanswered: load.unanswered,
  recovery,
  alarms: raised,
};
console.log(JSON.stringify(report));

/** Nobody does anything but wait: log, witnesses and monitor come to what was committed by now, and no alarm stands. */
async function caughtUp(after: string): Promise<void> {
  const { committed } = await scene.log();
  let where: unknown;
  const areThere = async (): Promise<boolean> => {
    const { published } = await scene.log();
    const about = world.witnesses.map(({ url }) => getJson<{ logs: { size: string }[] }>(`${url}/v1/witness`));
    const cosigned = (await Promise.all(about)).map(({ logs }) => Number(logs[0].size));
    const { logs } = await getJson<{ logs: { audited: number; trouble: string | null }[] }>(`${world.monitor?.url}/v1/monitor`);
    const [{ audited, trouble }] = logs;
    const alarms = await scene.alarms(false);
    where = { published, cosigned, audited, trouble, alarms };
    return Math.min(published, ...cosigned, audited) >= committed && trouble === null && alarms.length === 0;
  };
  await until(`all have caught up with ${committed} entries`, areThere, PATIENCE).catch((error: Error) => {
    throw new Error(`after ${after}: ${error.message}; they are at ${JSON.stringify(where)}`);
  });
  if ((await statusOf(`${world.log.url}/readyz`)) !== 200) throw new Error('the log is not ready');
}

/** Without a quorum the log takes entries, and what it has published stays. */
async function nothingIsPublished({ world, log }: Scene, milliseconds: number): Promise<void> {
  // The round that was under way may still come to its end.
  await pause(1200);
  const before = await log();
  await pause(milliseconds);
  const after = await log();
  if (after.published !== before.published) throw new Error('something was published without a quorum');
  if (after.committed <= before.committed) throw new Error('the log takes nothing while its witnesses are away');
  const { witnesses } = await getJson<{ witnesses: { trouble: string | null }[] }>(`${world.log.url}/v1/log`);
  if (witnesses.filter(({ trouble }) => trouble !== null).length < 2) throw new Error('the log does not say who is away');
}

async function getJson<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.arrayBuffer();
  return response.status;
}
