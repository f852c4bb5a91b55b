import { gzipSync } from 'node:zlib';
import { formatSignSubtree } from '@treering/note';
import { originHash } from '../../../apps/witness/src/index.js';
import { MemoryLog, openMirror } from '../../../apps/witness/test/mirror-fixture.js';
import { mutateBytes } from '../mutate-bytes.js';
import { mutateLines } from '../mutate-lines.js';
import type { Random } from '../random.js';
import { DIGEST } from '../targets/samples.js';
import type { Asked, Face } from './face.js';

/** A witness that is a mirror too, which follows one log. */
export async function witnessFace(): Promise<Face> {
  const log = new MemoryLog('log.test/mirrored', 600);
  const opened = openMirror(log);
  const { app, store } = opened;
  await opened.add(await log.growth(0, 300));
  await opened.upload(await log.upload(0, 300));
  const growths = [await log.growth(300, 600), await log.growth(300, 400), await log.growth(0, 5)];
  const uploads = [await log.upload(0, 300), await log.upload(256, 600), log.header(0, 600)];
  const subtree = formatSignSubtree({ start: 0n, end: 256n, hash: DIGEST, proof: [DIGEST], checkpoint: log.checkpoint(300) });
  const hash = originHash(log.origin);
  const below = (prefix: string): string[] =>
    ['checkpoint', 'contradictions', 'tile/0/000', 'tile/entries/001.p/44'].map((path) => `${prefix}/${hash}/${path}`);

  return {
    name: 'witness',
    answer: async (request) => app.request(request),
    paths: [
      '/v1/witness',
      '/healthz',
      '/readyz',
      '/metrics',
      '/add-checkpoint',
      '/add-entries',
      '/sign-subtree',
      ...below(''),
      ...below('/mirror'),
    ],
    // https://c2sp.org/tlog-witness and https://c2sp.org/tlog-mirror say what a client has to know instead.
    refusals: ['text/x.tlog.size', 'text/x.tlog.mirror-info'],
    state: () => `${store.head(log.origin)?.size} ${store.mirrored(log.origin)?.size} ${store.locked}`,
    submission,
    close: () => opened.close(),
  };

  function submission(random: Random): Asked {
    if (random.oneIn(3)) {
      const upload = mutateBytes(random.pick(uploads), random);
      const packed = random.oneIn(3);
      const body = packed ? new Uint8Array(gzipSync(upload)) : upload;
      const headers = { 'Content-Type': 'application/octet-stream', ...(packed ? { 'Content-Encoding': 'gzip' } : {}) };
      return {
        method: 'POST',
        path: '/add-entries',
        headers,
        body: packed && random.oneIn(3) ? mutateBytes(body, random) : body,
      };
    }
    const [path, seed] = random.oneIn(2) ? ['/sign-subtree', subtree] : ['/add-checkpoint', random.pick(growths)];
    return { method: 'POST', path, body: random.oneIn(3) ? mutateBytes(seed, random) : mutateLines(seed, random) };
  }
}
