import { readdirSync, readFileSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { oneLine, Workplace } from './command.js';

// `treering up` as a person starts it: a log, three witnesses and a monitor, each a process with its own key and data.

/** Processes that have this text in their command line. */
function processesOf(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        // It has ended meanwhile.
        return false;
      }
    })
    .map(Number);
}

async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 30): Promise<void> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it did not come about that ${what}`);
}

const isUp = (url: string): Promise<boolean> =>
  fetch(`${url}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );

const RECORD = ['--name', 'm', '--version', '1', '--reason', 'A model for the tests.'];

const place = new Workplace();
place.write('model/w', 'w');
const log = await place.up([], {}, 'json', true);
const witnesses = log.ready.witnesses as { name: string; vkey: string; url: string }[];
const monitor = log.ready.monitor as string;

test('five processes, each with its own key and data, and one line about them', async () => {
  assert.is(witnesses.length, 3);
  assert.is(new Set(witnesses.map(({ vkey }) => vkey)).size, 3);
  for (const url of [log.ready.url, monitor, ...witnesses.map((w) => w.url)]) assert.ok(await isUp(url), url);
  for (const name of ['witness-1', 'witness-2', 'witness-3', 'monitor']) {
    assert.is(statSync(place.path('data', name)).mode & 0o077, 0, name);
    assert.is(processesOf(place.path('data', name)).length, 1, name);
    for (const key of readdirSync(place.path('data', name, 'keys')))
      assert.is(statSync(place.path('data', name, 'keys', key)).mode & 0o777, 0o600, `${name}/${key}`);
  }
});

test('a record waits for the quorum, and its proof holds under the policy, offline', async () => {
  const { index } = await place.result(['record', 'model', 'model', ...RECORD]);
  assert.is(index, 1);
  const args = ['verify', 'm-1.tlog-proof', '--policy', place.path('data', 'witness-policy.txt')];
  const { code, stdout } = await place.run(args);
  assert.is(code, 0, stdout);
  assert.match(stdout, /Cosigned by witness-\d/);
});

test('the monitor follows, and raises nothing', async () => {
  await until('the monitor has audited both entries', async () => {
    const { logs } = (await (await fetch(`${monitor}/v1/monitor`)).json()) as { logs: { audited: number }[] };
    return logs[0].audited === 2;
  });
  const { alarms } = (await (await fetch(`${monitor}/v1/alarms`)).json()) as { alarms: unknown[] };
  assert.equal(alarms, []);
});

test('monitor once, from elsewhere, with exit codes for cron', async () => {
  const vkeys = readFileSync(place.path('data', 'witness-logs.txt'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[1]);
  place.write(
    'watch/monitor.yaml',
    JSON.stringify({
      name: 'elsewhere/monitor',
      logs: [{ keys: vkeys, url: log.ready.url, policy: place.path('data', 'witness-policy.txt') }],
      peers: [monitor],
    }),
  );
  const once = () => place.run(['monitor', 'once', '--data', place.path('watch'), '--json']);
  const { code, stdout } = await once();
  assert.is(code, 0, stdout);
  assert.is((oneLine(stdout) as { logs: { audited: number }[] }).logs[0].audited, 2);
  assert.is((await place.run(['monitor', 'alarms', '--data', place.path('watch')])).code, 0);
});

test('a witness that is killed is started again with what it knew; meanwhile the others are a quorum', async () => {
  const [victim] = witnesses;
  const [pid] = processesOf(place.path('data', 'witness-1'));
  process.kill(pid, 'SIGKILL');
  await place.result(['record', 'model', 'model', '--name', 'n', ...RECORD.slice(2)]);
  await until('the witness is back', () => isUp(victim.url));
  assert.not.equal(processesOf(place.path('data', 'witness-1')), [pid]);
  await place.result(['record', 'model', 'model', '--name', 'o', ...RECORD.slice(2)]);
  await until('it has cosigned the newest head', async () => {
    const { logs } = (await (await fetch(`${victim.url}/v1/witness`)).json()) as { logs: { size: string }[] };
    return logs[0].size === '4';
  });
});

test('SIGTERM ends everything, and a second start goes on', async () => {
  const { code } = await log.stop();
  assert.is(code, 0);
  assert.equal(processesOf(place.path('data')), []);
  const again = await place.up([], {}, 'json', true);
  assert.is(again.ready.vkey, log.ready.vkey);
  assert.equal(
    (again.ready.witnesses as { vkey: string }[]).map(({ vkey }) => vkey),
    witnesses.map(({ vkey }) => vkey),
  );
  await place.result(['record', 'model', 'model', '--name', 'p', ...RECORD.slice(2)]);
  // Nobody is left behind when the first process is killed.
  await again.stop('SIGKILL');
  await until('all are gone', () => processesOf(place.path('data')).length === 0, 10);
});

test.run();
