import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { policyOf, SimulatedLog, SimulatedMonitor, SimulatedWitness, World } from '../../../test/drill/simulation.js';
import { type Memory, remember, type SeenRecord } from '../src/rules/record-rules.js';
import { MonitorStore } from '../src/store.js';

/** A log with one witness, and a monitor that has looked at it once. */
export async function watchedWorld(options: { readonly webhooks?: readonly string[]; readonly entries?: number } = {}) {
  const world = new World();
  const witness = new SimulatedWitness(world, 'w.world').start();
  const policyText = policyOf([witness.policyLine], 1);
  const log = await new SimulatedLog(world, 'log.world', policyText).start();
  await log.grow(options.entries ?? 5);
  await log.publish();
  const { webhooks = [] } = options;
  const watcher = new SimulatedMonitor(world, 'm.world', { at: 'log.world', policyText, webhooks }).start();
  await watcher.poll();
  const ask = (path: string, init?: RequestInit): Promise<Response> =>
    world.fetchFrom('anybody')(`http://m.world${path}`, init);
  return { world, log, watcher, ask, policyText };
}

/** What is remembered after a record; what was remembered before stays as it is. */
export function afterRecord({ intents, deadlines }: Memory, seen: SeenRecord): Memory {
  const memory = { intents: new Map(intents), deadlines: new Map(deadlines) };
  remember(memory, seen);
  return memory;
}

/** The store of a monitor that has seen nothing. */
export function emptyStore(): MonitorStore {
  const path = join(mkdtempSync(join(tmpdir(), 'treering-')), 'monitor.db');
  MonitorStore.open(path, { mode: 'create' }).close();
  return MonitorStore.open(path, { mode: 'open' });
}
