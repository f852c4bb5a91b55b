import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Crowd } from './crowd.js';
import { Load } from './load.js';
import { startLog, trustOf } from './log-child.js';
import { testNeeding } from './needs.js';
import { NETWORK_NEEDS, Network } from './netns.js';
import { openDescriptors, residentBytes } from './process-figures.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { faultSize, forSize } from './size.js';
import type { AttackKind } from './slow-client-process.js';
import { until } from './until.js';

// Half-open connections: clients lose their network and their lives, and no packet tells the log.

const ORIGIN = 'vanished.test/log';
const CLIENTS = forSize({ quick: 0, full: 400, soak: 400 });
/** Seconds after which the last connection must be closed: those that sent half a request have a minute, those that take no answer two. */
const PATIENCE = 200;
/** What they were doing, all at the same time. */
const KINDS: readonly AttackKind[] = ['say nothing', 'send headers slowly', 'send a body slowly', 'take no answer'];
const HOSTS = ['log', 'client'];

const folder = mkdtempSync(join(tmpdir(), 'treering-vanished-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const fullTest = faultSize() === 'quick' ? test.skip : testNeeding('what clients leave behind that vanish', NETWORK_NEEDS);

fullTest(`${KINDS.length * CLIENTS} clients that vanish leave no connection behind`, async () => {
  const data = join(folder, 'log');
  await initLog(data, { origin: ORIGIN });
  // Their answers are large.
  const about = 'and so on '.repeat(185).trim();
  const load = await Load.on(data, { origin: ORIGIN, trust: await trustOf(data, ORIGIN), random: seededRandom(1), about });
  const alone = await startLog(data);
  await load.submit(alone.url, 600);
  await alone.end('SIGTERM');
  const network = Network.create(HOSTS);
  const log = await startLog(data, {
    around: network.on('log'),
    config: { listen: `${network.address('log')}:8000`, publish_interval: 1000 },
  }).catch((error) => {
    network.close();
    throw error;
  });
  try {
    const before = { descriptors: openDescriptors(log.pid), memory: residentBytes(log.pid) };
    const paths = Array.from({ length: 100 }, (_, i) => `/tile/entries/000.p/${255 - i}`);
    const attack = { host: network.address('log'), port: 8000, connections: CLIENTS, paths, again: true };
    const crowds = KINDS.map((kind) => new Crowd({ ...attack, kind }, network.on('client')));
    const all = KINDS.length * CLIENTS;
    await until(
      'most are connected, for the log ends those that it has waited for',
      () => openDescriptors(log.pid) > before.descriptors + all * 0.6,
      120,
    );
    const open = openDescriptors(log.pid) - before.descriptors;
    network.unplug('client');
    await Promise.all(crowds.map((crowd) => crowd.end()));
    const gone = await until('all connections are closed', () => openDescriptors(log.pid) <= before.descriptors + 10, PATIENCE);
    const grown = Math.max(0, residentBytes(log.pid) - before.memory);
    assert.ok(open > all * 0.5, `${open} of ${all} were open`);
    assert.is((await log.end('SIGTERM')).code, 0);
    await load.promises.checkStore(data);
    reportOutcome({
      name: 'vanished-clients',
      group: 'network',
      scenario: 'Clients in a network namespace lose their network in the middle of requests and answers, and never come back',
      runs: open,
      unit: 'half-open connections',
      acknowledged: load.promises.acknowledged.size,
      also: `all closed by the log after ${Math.round(gone / 1000)} s; it had taken ${Math.round(grown / 1024 / 1024)} MiB more memory`,
    });
  } finally {
    log.child.kill('SIGKILL');
    network.close();
  }
});

test.run();
