import { decodeUtf8 } from '@treering/note';
import { decimalParam, type Env, Problem } from '@treering/server';
import { Hono } from 'hono';
import { keptPage } from '../kept-heads.js';
import type { Server } from './context.js';

const PAGE = 100;
const MOST = 1000;

/** The published checkpoints that the log keeps, so that it can be told later between which two an entry was recorded. */
export function checkpointRoutes({ log }: Server): Hono<Env> {
  const app = new Hono<Env>();

  app.get('/v1/checkpoints', async (c) => {
    const from = decimalParam(c.req.query('from'), 'from', 0);
    const limit = decimalParam(c.req.query('limit'), 'limit', PAGE);
    if (limit < 1 || limit > MOST) throw new Problem(400, 'request/malformed', `limit must be 1 to ${MOST}`);
    const { heads, next } = await keptPage(log.storage, from, limit);
    const checkpoints = heads.map(({ size, time, note }) => ({ size, time, checkpoint: decodeUtf8(note) }));
    c.header('Cache-Control', 'no-cache');
    return c.json({ checkpoints, ...(next === undefined ? {} : { next }) });
  });
  return app;
}
