import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { formatEntryBundle, MerkleInputError, parseTilePath, tileWidth } from '@treering/merkle';
import { acceptsGzip, body, type Env, hashParam, hasMatch, immutable, Problem } from '@treering/server';
import { Hono } from 'hono';
import type { Server } from './context.js';

const compress = promisify(gzip);

/** The static read API: https://c2sp.org/tlog-tiles, and attachments by digest (C2SP tlog-addenda). */
export function tileRoutes(server: Server): Hono<Env> {
  const { log } = server;
  const app = new Hono<Env>();

  app.get('/checkpoint', (c) => {
    const head = log.publisher.published;
    if (head === null) throw new Problem(404, 'checkpoint/missing', 'nothing is published yet');
    c.header('Cache-Control', 'no-cache');
    c.header('ETag', `"${head.size}-${head.time}"`);
    if (hasMatch(c, `${head.size}-${head.time}`)) return c.body(null, 304);
    return c.body(body(head.note), { headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
  });

  app.get('/tile/*', async (c) => {
    const path = c.req.path.slice(1);
    const parsed = parsePath(path);
    const size = log.sequencer.head?.size ?? 0;
    const wanted = parsed.kind === 'tile' ? parsed.tile : { ...parsed.bundle, level: 0 };
    if (tileWidth(size, wanted.level, wanted.index) < wanted.width)
      throw new Problem(404, 'tile/missing', 'the log has no such tile yet');
    if (parsed.kind === 'tile') {
      const hashes = await log.storage.tile(wanted.level, wanted.index, wanted.width);
      if (hashes === null) throw new Problem(404, 'tile/missing', 'the log has no such tile yet');
      return immutable(c, hashes, 'application/octet-stream', path);
    }
    const first = wanted.index * 256;
    const bundle = formatEntryBundle(await log.storage.entries(first, first + wanted.width));
    c.header('Vary', 'Accept-Encoding');
    if (!acceptsGzip(c)) return immutable(c, bundle, 'application/octet-stream', path);
    c.header('Content-Encoding', 'gzip');
    return immutable(c, new Uint8Array(await compress(bundle)), 'application/octet-stream', `${path};gzip`);
  });

  app.get('/addenda/:a/:b/:digest', async (c) => {
    const { a, b, digest } = c.req.param();
    hashParam(digest, 'the digest');
    if (a !== digest.slice(0, 2) || b !== digest.slice(2, 4))
      throw new Problem(404, 'attachment/missing', 'the path does not fit the digest');
    const { blob, restricted } = await log.attachments.get(
      digest,
      c.req.header('authorization'),
      Math.floor(log.clock() / 1000),
    );
    if (!restricted) return immutable(c, blob, 'application/octet-stream', digest);
    c.header('Cache-Control', 'private, no-store');
    return c.body(body(blob), { headers: { 'Content-Type': 'application/octet-stream' } });
  });
  return app;
}

function parsePath(path: string) {
  try {
    return parseTilePath(path);
  } catch (error) {
    if (error instanceof MerkleInputError) throw new Problem(404, 'tile/malformed', error.message);
    throw error;
  }
}
