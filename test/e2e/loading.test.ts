import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Workplace } from './command.js';

// What a call of the built command loads, as Node itself reports it. Pipelines and entry points make many short calls.

const ROOT = new URL('../../', import.meta.url).href;

/** Sources of applications that those need who run a server, and packages of others that only servers need. */
const SERVERS = /^(?:apps\/(?:admission|monitor|witness)|packages\/(?:sequencer|server|storage|storage-sqlite|report))\//;
const OF_SERVERS = ['better-sqlite3', 'hono', 'jose', 'openid-client', 'pino', 'prom-client'];

const place = new Workplace();

/** The modules that a call loads: paths in the repository, and the names of packages of others. */
async function loadedBy(args: readonly string[]): Promise<{ own: string[]; others: string[] }> {
  const folder = place.path('coverage');
  await place.run(args, { NODE_V8_COVERAGE: folder });
  const reports = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report);
  rmSync(folder, { recursive: true });
  const urls = reports.flatMap(({ result }) => result.map(({ url }) => url)).filter((url) => url.startsWith('file:'));
  const paths = urls.map((url) => (url.startsWith(ROOT) ? url.slice(ROOT.length) : fileURLToPath(url)));
  const isOther = (path: string): boolean => path.includes('node_modules/');
  const name = (path: string): string => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path;
  return { own: paths.filter((path) => !isOther(path)), others: [...new Set(paths.filter(isOther).map(name))] };
}

interface Report {
  readonly result: readonly { readonly url: string }[];
}

test('help and version load the names of commands, and no package that does their work', async () => {
  for (const args of [['--version'], ['--help'], ['record', 'model', '--help'], ['no-such-command']]) {
    const { own, others } = await loadedBy(args);
    assert.ok(own.includes('apps/cli/dist/main.js'), 'what is loaded is not seen');
    // The version says what computes hashes here.
    const allowed =
      args[0] === '--version' ? /^(?:apps\/cli\/(?:bin|dist)|packages\/(?:merkle|wasm)\/dist)\// : /^apps\/cli\/(?:bin|dist)\//;
    assert.equal(
      own.filter((path) => !allowed.test(path) || path.startsWith('apps/cli/dist/commands/')),
      [],
      args.join(' '),
    );
    assert.equal(others.sort(), args[0] === '--version' ? ['@noble/hashes', 'commander'] : ['commander'], args.join(' '));
  }
});

for (const args of [
  ['show', '0'],
  ['history', 'model/wink'],
  ['verify', 'no.tlog-proof'],
  ['keygen', 'eve'],
  ['audit'],
  ['approve', '1', '--reason', 'It was read and is good.', '--yes'],
  ['record', 'config', 'no.yaml', '--name', 'api', '--reason', 'The first version of it.'],
  ['record', 'auto', 'no.yaml', '--reason', 'The first version of it.'],
  ['gate', '--env', 'a', '--service', 'b', '--model', 'm', '--config', 'c', '--reason', 'The first version of it.', 'true'],
  ['permit', 'verify', 'no.permit', '--env', 'a', '--service', 'b', '--log-key', 'no', '--any-signer'],
])
  test(`${args.slice(0, 2).join(' ')} loads no server`, async () => {
    const { own, others } = await loadedBy(args);
    assert.ok(
      own.some((path) => path.startsWith('apps/cli/dist/commands/')),
      'the command itself is not seen',
    );
    assert.equal(
      own.filter((path) => SERVERS.test(path)),
      [],
    );
    assert.equal(
      OF_SERVERS.filter((name) => others.includes(name)),
      [],
    );
  });

test('what runs a server loads it', async () => {
  const { own, others } = await loadedBy(['fsck']);
  assert.ok(own.some((path) => SERVERS.test(path)));
  assert.ok(others.includes('better-sqlite3'));
});

test.run();
