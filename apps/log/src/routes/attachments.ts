import { SALT_SIZE } from '@treering/record';
import { Hono } from 'hono';
import { decimalParam, type Env, hashParam, readBody, type Server } from './context.js';

/** Uploads of attachments that entries name. */
export function attachmentRoutes(server: Server): Hono<Env> {
  const { log, config } = server;
  const app = new Hono<Env>();
  app.put('/v1/attachments/:digest', async (c) => {
    const digest = c.req.param('digest');
    hashParam(digest, 'the digest');
    const ref = await log.attachments.expected(digest, decimalParam(c.req.query('entry'), 'entry'));
    const blob = await readBody(
      c,
      server.bodies,
      ['application/octet-stream'],
      Math.min(config.attachment_bytes, ref.size + SALT_SIZE),
    );
    const created = await log.attachments.put(digest, blob, ref);
    return c.json({ digest, url: `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}` }, created ? 201 : 200);
  });
  return app;
}
