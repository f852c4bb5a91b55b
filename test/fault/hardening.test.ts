import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { initLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Load } from './load.js';
import { startLog, trustOf } from './log-child.js';
import { testNeeding } from './needs.js';
import { seededRandom } from './random.js';
import { faultSize } from './size.js';

// The unit that docs/operations.md gives: systemd understands it, finds little that it leaves open, and a log can live under it.

const DOCUMENT = fileURLToPath(new URL('../../docs/operations.md', import.meta.url));
const unit = /^## Hardening$[\s\S]*?^```ini\n([\s\S]*?)^```$/m.exec(readFileSync(DOCUMENT, 'utf8'))?.[1] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'treering-unit-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** Not traced, because they are many: they are looked up as well. */
const CALLED_OFTEN = ['futex', 'read', 'epoll_wait', 'mprotect', 'madvise'];

const SYSTEMD = { commands: { 'systemd-analyze': 'systemd' } };
const [ANALYZE] = Object.keys(SYSTEMD.commands);
const withSystemd = testNeeding('the unit of the documentation', SYSTEMD);
const withStrace =
  faultSize() === 'quick'
    ? test.skip
    : testNeeding('the system calls of a log', { commands: { ...SYSTEMD.commands, strace: 'strace' } });

test('the unit is there, and dumps no memory', () => {
  for (const line of [
    'LimitCORE=0',
    'MemorySwapMax=0',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'CapabilityBoundingSet=',
  ])
    assert.ok(unit.split('\n').includes(line), line);
  assert.not.match(unit, /^MemoryDenyWriteExecute=yes/m, 'V8 could not compile');
});

withSystemd('systemd takes the unit without a word, and finds it hardened', () => {
  const path = join(folder, 'treering-log.service');
  // The command need not be installed where the tests run.
  writeFileSync(path, unit.replace('/usr/bin/treering', process.execPath));
  const verified = spawnSync(ANALYZE, ['verify', '--man=no', path], { encoding: 'utf8' });
  const own = `${verified.stdout}${verified.stderr}`.split('\n').filter((line) => line.includes('treering-log.service'));
  assert.equal([verified.status, own], [0, []]);
  const rated = spawnSync(ANALYZE, ['security', '--offline=true', '--threshold=20', '--no-pager', path], {
    encoding: 'utf8',
  });
  assert.is(
    rated.status,
    0,
    `${rated.stdout
      .split('\n')
      .filter((line) => line.includes('exposure'))
      .join()}${rated.stderr}`,
  );
});

withStrace('a log that starts, takes entries, answers and ends makes no system call that the unit forbids', async () => {
  const data = join(folder, 'data');
  await initLog(data, { origin: 'unit.test/log' });
  const log = await startLog(data, {
    around: ['strace', '-f', '-qq', '--seccomp-bpf', '-o', join(folder, 'calls'), '-e', `trace=!${CALLED_OFTEN.join(',')}`],
  });
  const load = await Load.on(data, {
    origin: 'unit.test/log',
    trust: await trustOf(data, 'unit.test/log'),
    random: seededRandom(7),
  });
  assert.ok(await load.submit(log.url, 20));
  await load.checkAfterRestart(log.url);
  assert.is((await log.end('SIGTERM')).code, 0);
  const calls = new Set(
    [...readFileSync(join(folder, 'calls'), 'utf8').matchAll(/^\d+ +([a-z_0-9]+)\(/gm)].map(([, name]) => name),
  );
  for (const name of ['execve', 'bind', 'accept4', 'fsync'])
    assert.ok(calls.has(name), `${name} is among ${[...calls].join(' ')}`);
  const sets = /^SystemCallFilter=(.+)$/m.exec(unit)?.[1].split(' ') ?? [];
  const allowed = new Set(sets.flatMap((set) => [...allowedCalls(set)]));
  assert.equal(
    [...calls, ...CALLED_OFTEN].filter((name) => !allowed.has(name)),
    [],
  );
});

/** The system calls of a set of systemd, with those of the sets within it. */
function allowedCalls(set: string, seen = new Set<string>()): Set<string> {
  for (const line of execFileSync(ANALYZE, ['syscall-filter', '--no-pager', set], { encoding: 'utf8' }).split('\n').slice(1)) {
    const name = line.trim();
    if (name === '' || name.startsWith('#') || seen.has(name)) continue;
    seen.add(name);
    if (name.startsWith('@')) allowedCalls(name, seen);
  }
  return seen;
}

test.run();
