import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createSigner, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND, oneLine, Workplace } from './command.js';

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
const log = await place.up([], { SECRET_OF_THE_LOG: 'secret', LC_ALL: 'C' }, 'json', true);
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

test('neighbours see nothing of the environment that was set for the log', () => {
  const environmentOf = (text: string): string[] => readFileSync(`/proc/${processesOf(text)[0]}/environ`, 'utf8').split('\0');
  assert.ok(environmentOf(`--data\0${place.path('data')}\0`).includes('SECRET_OF_THE_LOG=secret'));
  for (const name of ['witness-1', 'witness-2', 'witness-3', 'monitor']) {
    const environment = environmentOf(place.path('data', name));
    assert.ok(environment.includes('LC_ALL=C'), name);
    assert.equal(
      environment.filter((text) => /^(?:SECRET|TREERING)_/.test(text)),
      [],
      name,
    );
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

/** Starts it in a process group of its own, as a shell does. */
function start(where: Workplace, args: readonly string[]) {
  const child = spawn(process.execPath, [COMMAND, 'up', ...args], { cwd: where.folder, env: where.env, detached: true });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
  let code: number | null | undefined;
  child.on('close', (exit) => {
    code = exit;
  });
  process.on('exit', () => child.kill('SIGKILL'));
  return {
    signal: (signal: NodeJS.Signals) => process.kill(-(child.pid as number), signal),
    text: () => text,
    async end(seconds: number) {
      // One that does not end would keep this file from ending.
      await until('it ends', () => code !== undefined, seconds).finally(() => child.kill('SIGKILL'));
      return code;
    },
  };
}

const fresh = new Workplace();
const stores = ['log.db', 'witness-1/witness.db', 'witness-2/witness.db', 'witness-3/witness.db', 'monitor/monitor.db'];

for (const [n, name] of [
  [2, 'witness-2'],
  [0, 'log'],
  [8, 'monitor'],
] as const)
  test(`when the port of ${name} is taken, that is said, and nothing is left`, async () => {
    // Below the ports that the system gives out.
    const port = 20_000 + (process.pid % 1_000) * 10;
    const taken = createServer().listen(port + n, '127.0.0.1');
    try {
      const up = start(fresh, ['--listen', `127.0.0.1:${port}`]);
      assert.is(await up.end(20), 2, up.text());
      assert.match(up.text(), new RegExp(`${name} does not start at 127\\.0\\.0\\.1:${port + n}: .*EADDRINUSE`));
      assert.equal(processesOf(fresh.path('data')), []);
    } finally {
      taken.close();
    }
  });

test('a port after which there is none for the monitor is a mistake of usage', async () => {
  const { code, stderr } = await fresh.run(['up', '--listen', '127.0.0.1:65530']);
  assert.is(code, 2);
  assert.match(stderr, /--listen takes a port up to 65527/);
});

test('a signal while it starts ends it', async () => {
  const up = start(fresh, []);
  await until('a witness has begun', () => processesOf(fresh.path('data', 'witness-1')).length > 0);
  up.signal('SIGTERM');
  assert.is(await up.end(10), 0, up.text());
  assert.equal(processesOf(fresh.path('data')), []);
});

test('it says which witnesses cosign also when nothing grows, the monitor knows retired keys, and Ctrl-C that comes twice ends it in order', async () => {
  const origin = readFileSync(fresh.path('data', 'log.vkey'), 'utf8').split('+')[0];
  const retired = formatVerifierKey(createSigner(origin, KEY_TYPE.ed25519, randomBytes(32), nodeEd25519).key);
  writeFileSync(fresh.path('data', 'keys', 'retired'), `${retired}\n`);
  const up = start(fresh, []);
  const says = (text: string) =>
    until(`it says ${text}`, () => up.text().slice(up.text().lastIndexOf('State:')).includes(text));
  await says('3 of 3 witnesses cosign, no alarm');
  assert.ok(readFileSync(fresh.path('data', 'monitor', 'monitor.yaml'), 'utf8').includes(retired));
  const [halted] = processesOf(fresh.path('data', 'witness-3'));
  process.kill(halted, 'SIGSTOP');
  await says('2 of 3 witnesses cosign');
  process.kill(halted, 'SIGCONT');
  await says('3 of 3 witnesses cosign');
  up.signal('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 30));
  up.signal('SIGINT');
  assert.is(await up.end(15), 0, up.text());
  assert.equal(processesOf(fresh.path('data')), []);
  for (const store of stores) {
    assert.ok(existsSync(fresh.path('data', store)), store);
    assert.not.ok(existsSync(fresh.path('data', `${store}-wal`)), store);
  }
});

test.run();
