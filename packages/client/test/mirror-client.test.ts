import { formatEntryBundle, parseTilePath } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { formatMirrorInfo } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryLog, MIRROR_SIGNERS, openMirror } from '../../../apps/witness/test/mirror-fixture.js';
import { ClientError, type Fetch, MirrorClient } from '../src/index.js';

const LOG_URL = 'http://log.test';
const MIRROR_URL = 'http://mirror.test';
const text = (body: string, status = 200) => new Response(body, { status });

/** What a static file server with the tiles of a log answers; `published` is the size of its checkpoint. */
async function file(log: MemoryLog, path: string, published = log.size): Promise<Response> {
  if (path === '/checkpoint') return new Response(log.checkpoint(published) as Uint8Array<ArrayBuffer>);
  const parsed = parseTilePath(path.slice(1));
  const { index, width } = parsed.kind === 'tile' ? parsed.tile : parsed.bundle;
  if (parsed.kind === 'entries') {
    const entries = log.entries.slice(index * 256, index * 256 + width);
    return entries.length < width ? text('', 404) : new Response(formatEntryBundle(entries) as Uint8Array<ArrayBuffer>);
  }
  const { level } = parsed.tile;
  const nodes = Array.from({ length: width }, (_, i) => ({ level: level * 8, index: index * 256 + i }));
  return new Response((await log.readHashes(nodes)) as Uint8Array<ArrayBuffer>);
}

/** A log and a mirror behind one `fetch`, and what somebody in between makes of it. */
function between(
  log: MemoryLog,
  mirror: ReturnType<typeof openMirror>,
  change: (path: string, honest: () => Promise<Response>, init: RequestInit | undefined) => Promise<Response> = (_, honest) =>
    honest(),
) {
  const requests: string[] = [];
  const fetch: Fetch = (url, init) => {
    const path = url.slice(url.indexOf('/', 8));
    requests.push(path);
    const honest = async (): Promise<Response> => (url.startsWith(LOG_URL) ? file(log, path) : mirror.app.request(path, init));
    return change(path, honest, init);
  };
  const client = new MirrorClient({
    logUrl: LOG_URL,
    mirrorUrl: `${MIRROR_URL}/`,
    trust: { origin: log.origin, logKeys: [log.signer.key] },
    mirrorKeys: MIRROR_SIGNERS.map(({ key }) => key),
    hasher: nodeHasher,
    ed25519: nodeEd25519,
    fetch,
  });
  return { client, requests };
}

async function failure(work: Promise<unknown>): Promise<ClientError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

for (const size of [0, 1, 256, 257, 9000])
  test(`a mirror is brought to a head of ${size} entries, and on from there`, async () => {
    const log = new MemoryLog('log.test/fed', size);
    const mirror = openMirror(log);
    const { client, requests } = between(log, mirror);
    const steps: number[] = [];
    const fed = await client.feed((next) => steps.push(next));
    assert.is(fed.head.size, size);
    assert.is(fed.uploaded, size);
    assert.is(fed.cosignatures.length, 2);
    assert.equal(steps, size === 9000 ? [0, 8192] : size === 0 ? [] : [0], 'at most 32 packages in one upload');
    assert.is(mirror.store.mirrored(log.origin)?.size, BigInt(size));
    log.grow(size + 300);
    assert.is((await client.feed()).uploaded, 300);
    requests.length = 0;
    assert.is((await client.feed()).uploaded, 0);
    assert.is(requests.filter((path) => path.startsWith('/tile/entries')).length, 0, 'nothing is read that is not sent');
    mirror.close();
  });

test('a log that has dropped its partial tiles is read from the full ones', async () => {
  const log = new MemoryLog('log.test/fed', 600);
  const mirror = openMirror(log);
  const full = new MemoryLog('log.test/fed', 1024);
  const { client } = between(log, mirror, async (path, honest) => {
    if (!path.startsWith('/tile/')) return honest();
    return path.includes('.p/') && !path.startsWith('/tile/1') ? text('', 404) : file(full, path);
  });
  assert.is((await client.feed()).head.size, 600);
  mirror.close();
});

test('an upload that breaks off goes on where the mirror stands', async () => {
  const log = new MemoryLog('log.test/fed', 2000);
  const mirror = openMirror(log);
  let broken = 0;
  const { client } = between(log, mirror, async (path, honest, init) => {
    if (path !== '/add-entries' || broken === 2) return honest();
    const body = init?.body as Uint8Array;
    if (body.length < 1000) return honest();
    broken++;
    // The mirror gets the first half, and the client no answer.
    await mirror.upload(body.slice(0, body.length / 2), { 'Content-Encoding': 'gzip' });
    throw new TypeError('fetch failed');
  });
  const fed = await client.feed();
  assert.is(broken, 2);
  assert.is(fed.uploaded, 2000);
  mirror.close();
});

test('a newer head that somebody else made pending is taken from the log', async () => {
  const log = new MemoryLog('log.test/fed', 600);
  const mirror = openMirror(log);
  let grown = false;
  const { client } = between(log, mirror, async (path, honest) => {
    const answer = await honest();
    if (path !== '/checkpoint' || grown) return answer;
    grown = true;
    await mirror.add(await log.growth(0, 600));
    log.grow(900);
    await mirror.add(await log.growth(600, 900));
    return answer;
  });
  assert.is((await client.feed()).head.size, 900);
  mirror.close();
});

test('a log that lies to its mirror is found out before anything is sent', async () => {
  const log = new MemoryLog('log.test/fed', 600);
  const cases: [string, (path: string) => boolean][] = [
    ['tile', (path) => path === '/tile/0/002.p/88'],
    ['tile above', (path) => path === '/tile/1/000.p/2'],
    ['bundle', (path) => path.startsWith('/tile/entries/001')],
    ['checkpoint', (path) => path === '/checkpoint'],
  ];
  for (const [what, isChanged] of cases) {
    const mirror = openMirror(log);
    const { client } = between(log, mirror, async (path, honest) => {
      const answer = await honest();
      if (!isChanged(path)) return answer;
      const bytes = new Uint8Array(await answer.arrayBuffer());
      bytes[bytes.length - 2] ^= 1;
      return new Response(bytes);
    });
    assert.is((await failure(client.feed())).code, 'client/not-verified', what);
    assert.is(mirror.store.mirrored(log.origin), undefined);
    mirror.close();
  }
});

test('a log that forked is told from one that grew', async () => {
  const log = new MemoryLog('log.test/fed', 300);
  const fork = new MemoryLog('log.test/fed', 500, (i) => `fork ${i}`);
  const mirror = openMirror(log);
  await between(log, mirror).client.feed();
  assert.is((await failure(between(fork, mirror).client.feed())).code, 'client/inconsistent');
  const shrunk = between(log, mirror, (path, honest) => (path === '/checkpoint' ? file(log, path, 299) : honest()));
  assert.is((await failure(shrunk.client.feed())).code, 'client/inconsistent');
  mirror.close();
});

test('a mirror that is not what it should be is not believed', async () => {
  const log = new MemoryLog('log.test/fed', 300);
  const mirror = openMirror(log);
  const answering = (answer: () => Response) =>
    failure(between(log, mirror, async (path, honest) => (path === '/add-entries' ? answer() : honest())).client.feed());
  const info = formatMirrorInfo({ size: 300n, next: 5n, ticket: new Uint8Array(0) });
  assert.is((await answering(() => text(info, 202))).code, 'client/bad-answer', 'it stays where it is');
  assert.is((await answering(() => text('300\n', 409))).code, 'client/bad-answer');
  assert.is((await answering(() => text(''))).code, 'client/bad-answer');
  assert.is((await answering(() => text('nothing\n'))).code, 'client/not-verified');
  const witnessLines = await (await mirror.add(await log.growth(300))).text();
  assert.is((await answering(() => text(witnessLines))).code, 'client/not-verified', 'the witness is another cosigner');
  const other = new MemoryLog('log.test/fed', 299);
  const elsewhere = openMirror(other);
  await elsewhere.add(await other.growth(0));
  const lines = await (await elsewhere.upload(await other.upload(0))).text();
  elsewhere.close();
  assert.is((await answering(() => text(lines))).code, 'client/not-verified', 'a cosignature of another head');
  const refused = await answering(() => text(JSON.stringify({ code: 'witness/locked', detail: 'It is locked.' }), 503));
  assert.is(refused.code, 'client/refused');
  assert.is(refused.problem, 'witness/locked');
  mirror.close();
});

test('a mirror of another log refuses', async () => {
  const mirror = openMirror(new MemoryLog('log.test/one', 3));
  const refused = await failure(between(new MemoryLog('log.test/two', 3), mirror).client.feed());
  assert.is(refused.code, 'client/refused');
  assert.is(refused.status, 404);
  mirror.close();
});

test.run();
