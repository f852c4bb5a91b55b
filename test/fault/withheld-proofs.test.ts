import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Intermediary } from './intermediary.js';
import { Load } from './load.js';
import { startLog, trustOf } from './log-child.js';
import { startMonitor } from './neighbour.js';
import { logKeysOf } from './neighbourhood.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { faultSize, forSize } from './size.js';
import { until } from './until.js';

// The log shows its newest head, and not what proves that it contains the one before: tiles, of which a monitor makes that proof.

const ORIGIN = 'withheld.test/log';
const ROUNDS = forSize({ quick: 0, full: 5 });
const MEBIBYTE = 1024 * 1024;
/** Polls for which the proof is withheld. */
const POLLS = 3;
/** Seconds between two polls, and until a request is given up. */
const INTERVAL = 0.2;
const TIMEOUT = 0.4;

type Withhold = (request: IncomingMessage, response: ServerResponse) => void;

const WAYS: Readonly<Record<string, Withhold>> = {
  'is not there': (_request, response) => response.writeHead(404).end(),
  'is refused for now': (_request, response) => response.writeHead(503, { 'Retry-After': '1' }).end(),
  'never comes': () => undefined,
  'comes with other bytes': (_request, response) => response.end(randomBytes(8192)),
  'comes cut off': (_request, response) => {
    response.writeHead(200, { 'Content-Length': 8192 });
    response.write(randomBytes(100), () => response.destroy());
  },
  'comes without end': (_request, response) => {
    const more = (): void => {
      while (response.writable && response.write(Buffer.alloc(MEBIBYTE)));
      if (response.writable) response.once('drain', more);
    };
    more();
  },
  'is somewhere else': ({ url }, response) => response.writeHead(302, { Location: `/other${url}` }).end(),
};

const folder = mkdtempSync(join(tmpdir(), 'treering-withheld-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
/** test/drill shows the same in one process, in a quick run. */
const fullTest = faultSize() === 'quick' ? test.skip : test;

fullTest('a head whose proof is withheld is not followed, is no fork, and is followed when the proof comes', async () => {
  const data = join(folder, 'log');
  await initLog(data, { origin: ORIGIN });
  const log = await startLog(data);
  const trust = await trustOf(data, ORIGIN);
  const load = await Load.on(data, { origin: ORIGIN, trust, random: seededRandom(5) });
  await load.submit(log.url, 300);
  const between = await new Intermediary(log.url).listen();
  const settings = { interval: INTERVAL, timeout: TIMEOUT * 1000, logs: [{ keys: await logKeysOf(data), url: between.url }] };
  const monitor = await startMonitor(join(folder, 'monitor'), { name: 'm.withheld.test', ...settings });
  try {
    const state = async () => {
      const about = (await (await fetch(`${monitor.url}/v1/monitor`)).json()) as {
        logs: { size: number; audited: number; trouble: string | null }[];
      };
      return about.logs[0];
    };
    const follows = (size: number) =>
      until(`${size} entries are followed`, async () => {
        const { size: followed, audited, trouble } = await state();
        return followed === size && audited === size && trouble === null;
      });
    await follows(301);
    const recovery: number[] = [];
    for (let round = 0; round < ROUNDS; round++)
      for (const [way, withhold] of Object.entries(WAYS)) {
        const before = (await state()).size;
        between.treat = (path) => (/^\/(?:other\/)?tile\//.test(path) ? withhold : 'pass');
        await load.submit(log.url, 20 + 100 * round);
        const began = Date.now();
        // The poll that was under way may have seen the head before.
        const polls = () => between.count('/checkpoint', began);
        await until(`the proof that ${way} is missed`, async () => polls() > POLLS && (await state()).trouble !== null, 60);
        const asked = between.asked.filter(({ path, time }) => time >= began && /\/tile\//.test(path)).length;
        assert.ok(asked <= 8 * (polls() + 1), `${asked} requests in ${polls()} polls when it ${way}`);
        assert.is((await state()).size, before, `a head whose proof ${way} was followed`);
        const { alarms } = (await (await fetch(`${monitor.url}/v1/alarms?all`)).json()) as { alarms: unknown[] };
        assert.equal(alarms, [], `nobody is accused when the proof ${way}`);
        assert.is(between.asked.filter(({ path }) => path.startsWith('/other')).length, 0, 'no redirect is followed');
        between.treat = () => 'pass';
        recovery.push(await follows(load.promises.largest));
      }
    assert.is((await log.end('SIGTERM')).code, 0);
    await load.promises.checkStore(data);
    reportOutcome({
      name: 'withheld-proofs',
      group: 'network',
      scenario: `A log shows its newest head and withholds in ${Object.keys(WAYS).length} ways what proves that it contains the one before`,
      runs: recovery.length,
      unit: 'proofs withheld',
      heads: load.promises.heads.size,
      recovery,
      also: 'none was followed, no alarm of a fork, and each was followed when its proof came',
    });
  } finally {
    between.close();
    log.child.kill('SIGKILL');
    await monitor.end('SIGKILL');
  }
});

test.run();
