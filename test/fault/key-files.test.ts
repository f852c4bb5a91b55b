import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { dataFolder, initLog, parseConfig as parseLogConfig, serveLog } from '@treering/log';
import { monitorFolder, parseConfig as parseMonitorConfig, serveMonitor } from '@treering/monitor';
import { serveWitness, configSchema as witnessConfig } from '@treering/witness';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

// Every file with a secret that a server opens, in every state in which somebody else may have read it or put another in its place.

const folder = mkdtempSync(join(tmpdir(), 'treering-key-files-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const quiet = { listen: '127.0.0.1:0', log_level: 'silent' } as const;
const isRoot = process.getuid?.() === 0;

const logData = join(folder, 'log');
await initLog(logData, { origin: 'files.test/log' });
const log = dataFolder(logData);
const vkey = async (): Promise<string> => {
  const served = await serveLog(parseLogConfig({ data: logData, registrar_key: log.adminKey, ...quiet }));
  await served.close();
  return served.vkey;
};
const monitorText = JSON.stringify({
  name: 'files.test/m',
  logs: [{ keys: [await vkey()], url: 'http://127.0.0.1:9' }],
  ...quiet,
});
const [witnessData, monitorData] = [join(folder, 'witness'), join(folder, 'monitor')];

/** Starts a server and ends it. */
const STARTS = {
  log: vkey,
  witness: async () =>
    (await serveWitness(witnessConfig.parse({ data: witnessData, name: 'files.test/w', mirror: true, ...quiet }))).close(),
  monitor: async () => (await serveMonitor(monitorData, await parseMonitorConfig(monitorText, async () => ''))).close(),
};
await STARTS.witness();
await STARTS.monitor();

const FILES: readonly (readonly [keyof typeof STARTS, string])[] = [
  ['log', log.logKey],
  ['log', log.publicationKey],
  ['log', log.adminKey],
  ['log', log.pseudonyms],
  ...['witness.key', 'witness-mldsa44.key', 'mirror.key', 'mirror-mldsa44.key'].map(
    (name) => ['witness', join(witnessData, 'keys', name)] as const,
  ),
  ['monitor', monitorFolder(monitorData).key],
];

/** What is done to a file, and what undoes it; `moved` is where its content lies meanwhile. */
type Tampering = (path: string, moved: string) => () => void;

const mode =
  (bits: number): Tampering =>
  (path) => {
    chmodSync(path, bits);
    return () => chmodSync(path, 0o600);
  };
const replaced =
  (make: (path: string, moved: string) => void): Tampering =>
  (path, moved) => {
    renameSync(path, moved);
    make(path, moved);
    return () => {
      rmSync(path, { recursive: true, force: true });
      renameSync(moved, path);
    };
  };

const TAMPERINGS: Readonly<Record<string, Tampering>> = {
  'mode 640': mode(0o640),
  'mode 604': mode(0o604),
  'mode 620': mode(0o620),
  'mode 644': mode(0o644),
  'mode 666': mode(0o666),
  'a link': replaced((path, moved) => symlinkSync(moved, path)),
  'a folder': replaced((path) => mkdirSync(path, { mode: 0o700 })),
  'a pipe': replaced((path) => void execFileSync('mkfifo', ['-m', '600', path])),
  'a device': replaced((path) => symlinkSync('/dev/zero', path)),
  'an empty file': replaced((path) => writeFileSync(path, '', { mode: 0o600 })),
  'a file of 5 KB': replaced((path, moved) => writeFileSync(path, readFileSync(moved, 'utf8').padEnd(5000), { mode: 0o600 })),
  'a folder that everybody can write to': (path) => {
    chmodSync(dirname(path), 0o777);
    return () => chmodSync(dirname(path), 0o700);
  },
  ...(isRoot
    ? {
        'the file of somebody else': (path: string) => {
          chownSync(path, 65_534, 65_534);
          return () => chownSync(path, 0, 0);
        },
      }
    : {}),
};

/** At quick size, those that others can do without being the owner or root. */
const tried = Object.entries(TAMPERINGS).filter(
  ([what]) => forSize({ quick: 0, full: 1, soak: 1 }) === 1 || /640|604|link|pipe|folder that/.test(what),
);

for (const [server, path] of FILES)
  test(`${server}: it does not start with ${path.slice(folder.length + 1)} in any state in which it may not be its owner's alone`, async () => {
    const secret = readFileSync(path, 'utf8').trim().slice(-40);
    for (const [what, tamper] of tried) {
      const undo = tamper(path, `${folder}/moved`);
      let refusal: Error | undefined;
      try {
        await STARTS[server]();
      } catch (error) {
        refusal = error as Error;
      } finally {
        undo();
      }
      assert.ok(refusal !== undefined, `${what}: it starts`);
      assert.match(refusal?.message ?? '', /key file|secret of the pseudonyms|pseudonyms\.secret/, what);
      assert.not.ok(`${refusal?.message}${refusal?.stack}`.includes(secret), `${what}: the message repeats the secret`);
    }
    await STARTS[server]();
  });

test('all of this', () =>
  reportOutcome({
    name: 'key-files',
    group: 'input',
    scenario: 'a file with a secret that others can read, replace or fill with something else',
    runs: FILES.length * tried.length,
    unit: 'starts',
    also: 'all refused, none repeats the secret',
  }));

test.run();
