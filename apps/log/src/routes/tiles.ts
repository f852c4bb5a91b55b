import { answerCheckpoint, answerTile, body, type Env, hashParam, immutable, Problem } from '@treering/server';
import { Hono } from 'hono';
import type { Server } from './context.js';

/** The static read API: https://c2sp.org/tlog-tiles, and attachments by digest (C2SP tlog-addenda). */
export function tileRoutes(server: Server): Hono<Env> {
  const { log } = server;
  const app = new Hono<Env>();

  app.get('/checkpoint', (c) => {
    const head = log.publisher.published;
    if (head === null) throw new Problem(404, 'checkpoint/missing', 'nothing is published yet');
    return answerCheckpoint(c, head);
  });

  app.get('/tile/*', (c) => {
    return answerTile(c, c.req.path.slice(1), log.stored);
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
