import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder } from '@treering/log';
import { createSigner, formatCheckpoint, formatNote, KEY_TYPE, type Signer } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startNeighbourhood } from './neighbourhood.js';
import { residentBytes } from './process-figures.js';
import { reportOutcome } from './results.js';
import { faultSize, forSize } from './size.js';
import { until } from './until.js';

// One address shows a monitor more heads than it can check. Somebody else has the proof of a fork.

const ORIGIN = 'flood.test/log';
/** Requests of the flood that are under way at once, and how many have to be refused before and after the fork is shown. */
const AT_ONCE = 48;
const REFUSED = forSize({ quick: 0, full: 5_000 });
const MEBIBYTE = 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'treering-flood-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
/** apps/monitor shows the same in one process, in a quick run. */
const fullTest = faultSize() === 'quick' ? test.skip : test;

fullTest(
  'while a monitor is flooded with heads and claims, a fork that somebody else shows is an alarm, and nothing else is',
  async () => {
    const world = await startNeighbourhood(folder, {
      origin: ORIGIN,
      witnesses: 1,
      quorum: 1,
      monitor: { settings: { interval: 1 } },
    });
    const { url, pid } = world.monitor as NonNullable<typeof world.monitor>;
    try {
      const kinds = async (): Promise<string[]> => {
        const { alarms } = (await (await fetch(`${url}/v1/alarms?all`)).json()) as { alarms: { kind: string }[] };
        return alarms.map(({ kind }) => kind);
      };
      await until('the monitor has read the log', async () => {
        const { logs } = (await (await fetch(`${url}/v1/monitor`)).json()) as { logs: { audited: number }[] };
        return logs[0].audited === 1;
      });
      const store = join(folder, 'monitor', 'monitor.db');
      const before = { memory: residentBytes(pid), store: sizeOf(store) };
      const own = await readKeyFile(dataFolder(world.data).logKey);
      const log = createSigner(own.name, own.type, own.seed, nodeEd25519);
      const stranger = createSigner(ORIGIN, KEY_TYPE.ed25519, randomBytes(32), nodeEd25519);
      let on = true;
      const statuses = new Map<number, number>();
      const isRefused = (count: number) => () => (statuses.get(429) ?? 0) >= count;
      const flood = Array.from({ length: AT_ONCE }, async (_, i) => {
        // Of all kinds: no note, one of another key, and heads that the log did sign and that nobody can compare.
        const signers = [undefined, stranger, log];
        const agent = new Agent({ keepAlive: true });
        while (on) {
          const signer = signers[i % signers.length];
          const body = signer === undefined ? randomBytes(500) : headOf(signer, 10_000 + Math.floor(Math.random() * 1e9));
          const status = await show(url, body, '127.0.0.2', agent);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
        agent.destroy();
      });
      await until('the flood is more than the monitor takes', isRefused(REFUSED), 120);
      assert.equal(await kinds(), [], 'claims are no alarm');
      const shown = await show(url, headOf(log, 1), '127.0.0.3');
      assert.is(shown, 200, 'somebody else is heard');
      await until('the fork is an alarm', async () => (await kinds()).includes('fork'));
      await until('the flood goes on', isRefused(2 * REFUSED), 120);
      on = false;
      await Promise.all(flood);
      assert.equal(await kinds(), ['fork']);
      const refused = statuses.get(429) ?? 0;
      const all = [...statuses.values()].reduce((sum, count) => sum + count, 0);
      assert.equal(
        [...statuses.keys()].filter((status) => status >= 500 || status === 0),
        [],
      );
      const grown = { memory: residentBytes(pid) - before.memory, store: sizeOf(store) - before.store };
      assert.ok(grown.memory < 150 * MEBIBYTE && grown.store < 16 * MEBIBYTE, JSON.stringify(grown));
      await world.end();
      reportOutcome({
        name: 'gossip-flood',
        group: 'witness',
        scenario: 'One address shows a monitor forged, unsigned and incomparable heads without end; another shows a fork',
        runs: all,
        unit: 'claims',
        also: `${refused} refused with 429; the fork was an alarm; memory grew by ${Math.max(0, Math.round(grown.memory / MEBIBYTE))} MiB, the store by ${Math.round(grown.store / 1024)} KiB`,
      });
    } finally {
      world.log.child.kill('SIGKILL');
      await Promise.all([...world.witnesses, world.monitor].map((one) => one?.end('SIGKILL')));
    }
  },
);

/** A head of a tree that nobody has. */
function headOf(signer: Signer, size: number): Uint8Array {
  const text = formatCheckpoint({ origin: ORIGIN, size: BigInt(size), root: randomBytes(32), extensions: [] });
  return formatNote({ text, signatures: [signer.sign(text)] });
}

/** Shows a head from an address of this machine. @returns the status, 0 without an answer */
function show(url: string, body: Uint8Array, localAddress: string, agent: Agent | false = false): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(`${url}/gossip/checkpoint`, { method: 'POST', localAddress, agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', () => resolve(0));
    sent.end(body);
  });
}

function sizeOf(store: string): number {
  return [store, `${store}-wal`].reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
}

test.run();
