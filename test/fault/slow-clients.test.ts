import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Crowd } from './crowd.js';
import { Load } from './load.js';
import { trustOf } from './log-child.js';
import { type Neighbourhood, startNeighbourhood } from './neighbourhood.js';
import { visit } from './newcomer.js';
import { openDescriptors, p99, residentBytes } from './process-figures.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';
import type { Attack, AttackKind } from './slow-client-process.js';
import { pause, until } from './until.js';

// Crowds of clients that say nothing, or send or read slowly, against a log, a witness and a monitor.

const ORIGIN = 'slow.test/log';
/** Slow clients at once: more than a server takes connections. */
const CROWD = forSize({ quick: 500, full: 5000, soak: 5000 });
/** Of those whose requests make the log work: the work is not what is looked at. */
const FEWER: { readonly [kind in AttackKind]?: number } = {
  'take no answer': CROWD / 2,
  'take answers slowly': CROWD / 2,
  'ask without end': CROWD / 50,
};
/** Connections of a server: in a full run those that log and witness take by default. */
const MOST = forSize({ quick: 200, full: 2000, soak: 2000 });
/** Descriptors of a server beside its connections: files, and connections that are about to be closed. */
const OTHERS = 300;
const MEBIBYTE = 1024 * 1024;
/** What a server may take for a crowd: 256 MiB of answers that nobody takes, what it keeps ready, and as much again for what is on its way. */
const MOST_GROWTH = 700 * MEBIBYTE;
const SECONDS = forSize({ quick: 2, full: 20 });

const KINDS: readonly AttackKind[] =
  forSize({ quick: 0, full: 1, soak: 1 }) === 0
    ? ['say nothing', 'take no answer']
    : ['say nothing', 'send headers slowly', 'send a body slowly', 'take no answer', 'take answers slowly', 'ask without end'];

const folder = mkdtempSync(join(tmpdir(), 'treering-slow-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

interface Figures {
  readonly newcomers: number;
  readonly p99: number;
  readonly grown: number;
  readonly seconds: number;
}

test(`crowds of up to ${CROWD} slow clients keep nobody out, and leave nothing behind`, async () => {
  const world = await startNeighbourhood(folder, {
    origin: ORIGIN,
    witnesses: 1,
    quorum: 1,
    log: { publish_interval: 500, connections: MOST },
    witness: { connections: MOST },
    monitor: { settings: { interval: 1, connections: MOST } },
  });
  try {
    const trust = await trustOf(world.data, ORIGIN);
    // As long as a reason may be: so answers are large.
    const about = 'and so on '.repeat(185).trim();
    const load = await Load.on(world.data, { origin: ORIGIN, trust, random: seededRandom(1), about });
    await load.submit(world.log.url, 600);
    const calm = await visit(`${world.log.url}/checkpoint`, pause(1500));
    const figures = new Map<AttackKind, Figures>();
    for (const kind of KINDS) figures.set(kind, await besiege(world, load, kind));
    for (const server of ['witness', 'monitor'] as const) await besiegeNeighbour(world, server);
    await world.end();
    await load.promises.checkStore(world.data);
    const all = [...figures.values()];
    reportOutcome({
      name: 'slow-clients',
      group: 'network',
      scenario: `Up to ${CROWD} clients say nothing, or send or read slowly, while others come and go`,
      runs: figures.size + 2,
      unit: 'crowds',
      acknowledged: load.promises.acknowledged.size,
      heads: load.promises.heads.size,
      also: `${all.reduce((sum, { newcomers }) => sum + newcomers, 0)} newcomers, all served: p99 ${Math.round(p99(calm.map(({ time }) => time)))} ms before, ${[...figures].map(([kind, { p99: time, grown }]) => `${Math.round(time)} ms and ${grown} MiB more memory while they ${kind}`).join(', ')}`,
    });
  } finally {
    world.log.child.kill('SIGKILL');
    await Promise.all([...world.witnesses, world.monitor].map((one) => one?.end('SIGKILL')));
  }
});

/** Everybody else is served while a crowd besieges the log, and nothing is left when it has gone. */
async function besiege(world: Neighbourhood, load: Load, kind: AttackKind): Promise<Figures> {
  const { url, pid } = world.log;
  const before = { descriptors: openDescriptors(pid), memory: residentBytes(pid) };
  const paths = Array.from({ length: 100 }, (_, i) => `/tile/entries/000.p/${255 - i}`);
  const crowd = new Crowd(attack(kind, url, paths));
  try {
    const size = FEWER[kind] ?? CROWD;
    await until(`there are ${size} who ${kind}`, () => crowd.counts.opened >= size, 120);
    let most = { descriptors: 0, memory: 0 };
    const began = performance.now();
    const over = (async () => {
      while (performance.now() - began < SECONDS * 1000) {
        await load.submit(url, 1);
        most = {
          descriptors: Math.max(most.descriptors, openDescriptors(pid)),
          memory: Math.max(most.memory, residentBytes(pid)),
        };
        await pause(50);
      }
    })();
    const visits = await visit(`${url}/checkpoint`, over);
    await over;
    const refused = visits.filter(({ status }) => status !== 200);
    assert.is(refused.length, 0, `of ${visits.length} newcomers ${refused.length} were not served while clients ${kind}`);
    assert.ok(most.descriptors < MOST + OTHERS, `${most.descriptors} descriptors while clients ${kind}`);
    const grown = most.memory - before.memory;
    assert.ok(grown < MOST_GROWTH, `the memory grew by ${grown / MEBIBYTE} MiB while clients ${kind}`);
    await crowd.end();
    const gone = await until('all their descriptors are closed', () => openDescriptors(pid) < before.descriptors + 50, 150);
    return {
      newcomers: visits.length,
      p99: p99(visits.map(({ time }) => time)),
      grown: Math.max(0, Math.round(grown / MEBIBYTE)),
      seconds: gone / 1000,
    };
  } finally {
    await crowd.end();
  }
}

/** A witness and a monitor answer as well while they are besieged by who says nothing. */
async function besiegeNeighbour(world: Neighbourhood, server: 'witness' | 'monitor'): Promise<void> {
  const { url, pid } = server === 'witness' ? world.witnesses[0] : (world.monitor as NonNullable<Neighbourhood['monitor']>);
  const crowd = new Crowd(attack('say nothing', url, []));
  try {
    await until(`${CROWD} are there`, () => crowd.counts.opened >= CROWD, 120);
    const visits = await visit(`${url}/healthz`, pause((SECONDS * 1000) / 2));
    assert.equal(
      visits.filter(({ status }) => status !== 200),
      [],
      server,
    );
    assert.ok(openDescriptors(pid) < MOST + OTHERS, server);
  } finally {
    await crowd.end();
  }
  await until('all their descriptors are closed', () => openDescriptors(pid) < OTHERS);
}

function attack(kind: AttackKind, url: string, paths: readonly string[]): Attack {
  const { hostname, port } = new URL(url);
  return { kind, host: hostname, port: Number(port), connections: FEWER[kind] ?? CROWD, paths, again: true };
}

test.run();
