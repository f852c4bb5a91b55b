import { Hono } from 'hono';
import { decimalParam, type Env, hashParam, readBody, type Server } from './context.js';

/** Uploads of attachments that entries name. */
export function attachmentRoutes({ log, config }: Server): Hono<Env> {
  const app = new Hono<Env>();
  app.put('/v1/attachments/:digest', async (c) => {
    const digest = c.req.param('digest');
    hashParam(digest, 'the digest');
    const entry = c.req.query('entry');
    const index = entry === undefined ? undefined : decimalParam(entry, 'entry');
    const blob = await readBody(c, ['application/octet-stream'], config.attachment_bytes);
    const created = await log.attachments.put(digest, blob, index);
    return c.json({ digest, url: `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}` }, created ? 201 : 200);
  });
  return app;
}
