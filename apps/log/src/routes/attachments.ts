import { SALT_SIZE } from '@treering/record';
import { decimalParam, type Env, hashParam, readBody } from '@treering/server';
import { Hono } from 'hono';
import type { Server } from './context.js';
import { takeRate } from './entries.js';

/** Uploads of attachments: after the entry that names them (`?entry=`), or signed and shortly before it. */
export function attachmentRoutes(server: Server): Hono<Env> {
  const { log, config } = server;
  const most = config.attachment_bytes + SALT_SIZE;
  const app = new Hono<Env>();
  app.put('/v1/attachments/:digest', async (c) => {
    const digest = c.req.param('digest');
    hashParam(digest, 'the digest');
    takeRate(server, c, 1);
    const url = `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`;
    const entry = c.req.query('entry');
    const types = ['application/octet-stream'];
    if (entry === undefined) {
      const now = log.clock();
      const who = await log.attachments.requireIdentity(
        `upload/${digest}`,
        c.req.header('authorization'),
        Math.floor(now / 1000),
      );
      const blob = await readBody(c, server.bodies, types, Math.min(most, log.attachments.mostStaged));
      await log.attachments.stage(digest, blob, who, now);
      return c.json({ digest, url, waiting: true }, 202);
    }
    const ref = await log.attachments.expected(digest, decimalParam(entry, 'entry'));
    const blob = await readBody(c, server.bodies, types, Math.min(most, ref.size + SALT_SIZE));
    const created = await log.attachments.put(digest, blob, ref);
    return c.json({ digest, url }, created ? 201 : 200);
  });
  return app;
}
