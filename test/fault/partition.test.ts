import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testNeeding } from './needs.js';
import { NETWORK_NEEDS, Network } from './netns.js';
import type { Partition, PartitionOrders, PartitionReport } from './partition-process.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { faultSize, forSize } from './size.js';

const CLIENT = fileURLToPath(new URL('partition-process.ts', import.meta.url));
const HOSTS = ['log', 'w1', 'w2', 'w3', 'monitor', 'client'];
const SHORT: readonly Partition[] = [
  'one witness',
  'log and witnesses',
  'a client in the middle of its submissions',
  'log and monitor',
  'two witnesses that the log drops',
  'monitor and witnesses',
  'the log from all',
];
const SEED = 7;
const ROUNDS = forSize({ quick: 0, full: 3 });

const networkTest = testNeeding('what a network that falls apart does', NETWORK_NEEDS);

networkTest(
  'log, witnesses, monitor and clients that cannot reach one another catch up by themselves, and nothing is lost',
  async () => {
    const partitions = planned();
    const { acknowledged, heads, entries, unanswered, recovery, alarms } = await partition(partitions);
    assert.is(recovery.length, partitions.length);
    assert.is(entries, acknowledged + 1, 'every entry but the charter was acknowledged, once');
    assert.ok(unanswered > 0, 'submissions were cut off in the middle');
    assert.ok(acknowledged > partitions.length * 50, `the load was on: ${acknowledged} were acknowledged`);
    assert.equal(
      alarms.filter((kind) => kind !== 'stale'),
      [],
      'nobody is accused of anything but an old head',
    );
    reportOutcome({
      name: 'partition',
      group: 'network',
      scenario:
        'log, three witnesses, monitor and clients in network namespaces, parted in different ways under load, and joined again',
      runs: partitions.length,
      unit: 'partitions',
      acknowledged,
      heads,
      recovery,
      also: `${unanswered} submissions cut off and sent again; no alarm but that of an old head`,
    });
  },
);

test.run();

/** A few that are short, or all in several orders. */
function planned(): Partition[] {
  if (faultSize() === 'quick') return ['a client in the middle of its submissions', 'log and witnesses'];
  const random = seededRandom(SEED);
  const rounds = Array.from({ length: ROUNDS }, () => [...SHORT].sort(() => random() - 0.5));
  return ['log and witnesses for longer than a minute', ...rounds.flat()];
}

async function partition(partitions: readonly Partition[]): Promise<PartitionReport> {
  const folder = mkdtempSync(join(tmpdir(), 'treering-partition-'));
  const network = Network.create(HOSTS);
  const close = (): void => network.close();
  process.once('exit', close);
  try {
    const orders: PartitionOrders = { network: network.name, folder, seed: SEED, partitions };
    const own = [process.execPath, '--conditions=@treering/source', '--import', 'tsx', CLIENT, JSON.stringify(orders)];
    const [command, ...args] = [...network.on('client'), ...own];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.is(code, 0, 'the client found something wrong');
    return JSON.parse(text) as PartitionReport;
  } finally {
    process.off('exit', close);
    close();
    rmSync(folder, { recursive: true, force: true });
  }
}
