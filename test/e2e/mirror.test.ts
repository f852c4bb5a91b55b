import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { bundlePath } from '@treering/merkle';
import { openCheckpoint, parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND, oneLine, Workplace } from './command.js';

// A log, a witness that is a mirror, and somebody who feeds it: all by the command, as three operators would.

interface Served {
  readonly url: string;
  readonly name: string;
  readonly mirror: { readonly name: string; readonly vkeys: readonly string[] };
}

const place = new Workplace();
const children: ChildProcess[] = [];
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

async function serveMirror(data: string): Promise<{ served: Served; stop(): Promise<unknown> }> {
  const args = ['witness', 'serve', '--mirror', '--name', 'witness.test/e2e', '--data', data, '--log-level', 'error', '--json'];
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: place.folder,
    env: place.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let text = '';
  while (!text.endsWith('\n')) text += String((await once(child.stdout as NodeJS.ReadableStream, 'data'))[0]);
  return {
    served: oneLine(text) as Served,
    stop() {
      child.kill('SIGTERM');
      return once(child, 'exit');
    },
  };
}

test('a mirror is fed with a log, by the command alone', async () => {
  const log = await place.up();
  const { url, vkey, origin } = log.ready;
  const data = place.path('witness');
  await place.result(['witness', 'add-log', vkey, '--data', data]);
  const mirror = await serveMirror(data);
  const key = mirror.served.mirror.vkeys[0];
  assert.is(mirror.served.mirror.name, 'witness.test/e2e/mirror');
  assert.is(readFileSync(place.path('witness', 'mirror.vkey'), 'utf8').split('\n')[0], key);
  const feed = [
    'witness',
    'feed',
    mirror.served.url,
    '--mirror-key',
    ...mirror.served.mirror.vkeys,
    '--url',
    url,
    '--log-key',
    vkey,
  ];
  const fed = await place.result(feed);
  assert.equal([fed.origin, fed.mirror, fed.size, fed.uploaded], [origin, mirror.served.mirror.name, 1, 1]);
  assert.is(fed.keys.length, 2);

  const about = (await (await fetch(`${mirror.served.url}/v1/witness`)).json()) as { mirror: { logs: { hash: string }[] } };
  const copy = `${mirror.served.url}/mirror/${about.mirror.logs[0].hash}`;
  const note = new Uint8Array(await (await fetch(`${copy}/checkpoint`)).arrayBuffer());
  const trust = { origin, logKeys: [parseVerifierKey(vkey)], witnessKeys: [parseVerifierKey(key)] };
  const opened = openCheckpoint(note, trust, nodeEd25519);
  assert.is(opened.cosignatures.length, 1);
  const path = bundlePath({ index: 0, width: 1 });
  const [theirs, ours] = await Promise.all(
    [`${url}/${path}`, `${copy}/${path}`].map(async (at) => (await fetch(at)).arrayBuffer()),
  );
  assert.equal(new Uint8Array(ours), new Uint8Array(theirs));

  const wrong = await place.run([...feed.slice(0, 4), vkey, ...feed.slice(-4)]);
  assert.is(wrong.code, 1, 'the key of somebody else');
  await mirror.stop();
  await log.stop();
});

test.run();
