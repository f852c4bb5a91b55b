import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataFolder, initLog } from '@treering/log';
import { createSigner, formatVerifierKey } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { type LogChild, startLog } from './log-child.js';
import { type Neighbour, policyText, startMonitor, startWitness } from './neighbour.js';
import type { Network } from './netns.js';

/** What a neighbourhood consists of. */
interface NeighbourhoodOptions {
  readonly origin: string;
  /** Hosts named log, w1, w2 and so on, and monitor; without it all listen on loopback. */
  readonly network?: Network;
  readonly witnesses: number;
  readonly quorum: number;
  /** Policy lines of further witnesses. */
  readonly others?: readonly Pick<Neighbour, 'url' | 'vkeys'>[];
  /** Members of the log's configuration. */
  readonly log?: Readonly<Record<string, unknown>>;
  /** Members of the witnesses' settings. */
  readonly witness?: { readonly connections?: number };
  /** Members of the monitor's settings, and of those of the log that it follows; without it there is no monitor. */
  readonly monitor?: { readonly settings?: object; readonly watch?: object };
}

/** A log, its witnesses and a monitor, each in a process of its own. */
export interface Neighbourhood {
  /** The data folder of the log. */
  readonly data: string;
  readonly log: LogChild;
  readonly witnesses: readonly Neighbour[];
  readonly monitor: Neighbour | undefined;
  /** Starts the log again, as it was started before. */
  startLogAgain(): Promise<LogChild>;
  /** Ends all in order. @throws Error when the log does not end as it should */
  end(): Promise<void>;
}

/** Begins a log in the folder and starts it with its neighbours. */
export async function startNeighbourhood(folder: string, options: NeighbourhoodOptions): Promise<Neighbourhood> {
  const { origin, network, others = [], quorum } = options;
  const data = join(folder, 'log');
  await initLog(data, { origin });
  const keys = await logKeysOf(data);
  const place = (host: string) =>
    network === undefined ? {} : { around: network.on(host), listen: `${network.address(host)}:8000` };
  const names = Array.from({ length: options.witnesses }, (_, i) => `w${i + 1}`);
  const witnesses = await Promise.all(
    names.map((name) =>
      startWitness(join(folder, name), { name: `${name}.${origin}`, logs: keys, ...options.witness }, place(name)),
    ),
  );
  const policy = join(folder, 'policy.txt');
  writeFileSync(policy, policyText([...witnesses, ...others], quorum));
  const { around = [], listen = '127.0.0.1:0' } = place('log');
  const start = () =>
    startLog(data, {
      around,
      config: { listen, witnesses: policy, witness_timeout: 1000, publish_interval: 100, ...options.log },
    });
  let log = await start();
  const watched = options.monitor && { keys, url: log.url, policy, ...options.monitor.watch };
  const settings = { name: `monitor.${origin}`, logs: [watched], ...options.monitor?.settings };
  const monitor = options.monitor && (await startMonitor(join(folder, 'monitor'), settings, place('monitor')));
  return {
    data,
    get log() {
      return log;
    },
    witnesses,
    monitor,
    async startLogAgain() {
      log = await start();
      return log;
    },
    async end() {
      const { code, errors } = await log.end('SIGTERM');
      await Promise.all([...witnesses, ...(monitor === undefined ? [] : [monitor])].map((one) => one.end('SIGTERM')));
      if (code !== 0) throw new Error(`the log ended with ${code}: ${errors}`);
    },
  };
}

/** The verifier keys of the log in a folder. */
export async function logKeysOf(data: string): Promise<string[]> {
  const { logKey, publicationKey } = dataFolder(data);
  const keys = await Promise.all([logKey, publicationKey].map(readKeyFile));
  return keys.map(({ name, type, seed }) => formatVerifierKey(createSigner(name, type, seed, nodeEd25519).key));
}
