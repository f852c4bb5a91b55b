import { type ByteBudget, createServerApp, type Env, Problem, readBody } from '@treering/server';
import type { Hono } from 'hono';
import type { Logger } from 'pino';
import { parseEvent } from './event.js';
import { verifyDelivery } from './signature.js';
import type { RecorderStore } from './store.js';

/** What the routes work with. */
export interface RecorderServer {
  readonly store: RecorderStore;
  /** The webhook's secret. */
  readonly secret: string;
  readonly bodies: ByteBudget;
  readonly logger: Logger;
  /** Called when a delivery is kept that has to be recorded. */
  readonly arrived: () => void;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
}

/** The largest body of a delivery, in bytes: descriptions and tags are in it. */
const MOST_BYTES = 256 * 1024;

/** The recorder's HTTP face as a value: tests call `app.request()`, only `serveRecorder` listens. */
export function createApp({ store, secret, bodies, logger, arrived, clock = Date.now }: RecorderServer): Hono<Env> {
  const app = createServerApp({
    logger,
    bodies,
    toProblem: (error) =>
      error instanceof Problem ? error : new Problem(500, 'recorder/internal', 'the recorder failed; its own records say why'),
    hint: 'this is a recorder: MLflow posts to /mlflow',
    observe: () => undefined,
  });

  app.post('/mlflow', async (c) => {
    const bytes = await readBody(c, bodies, ['application/json'], MOST_BYTES);
    const headers = {
      id: c.req.header('x-mlflow-delivery-id'),
      timestamp: c.req.header('x-mlflow-timestamp'),
      signature: c.req.header('x-mlflow-signature'),
    };
    const delivery = verifyDelivery(secret, headers, bytes, Math.floor(clock() / 1000));
    const came = parseEvent(bytes);
    const { event, about } = came;
    const outcome = store.receive(delivery, bytes, came, clock());
    if (outcome === 'other')
      throw new Problem(409, 'recorder/other-delivery', 'another delivery has come under this id; each has an id of its own');
    if (outcome === 'known') return c.json({ delivery, status: 'known' });
    if (about === undefined) {
      c.get('logger').info({ delivery, event }, 'an event is ignored');
      return c.json({ delivery, status: 'ignored' });
    }
    arrived();
    return c.json({ delivery, status: 'accepted' }, 202);
  });

  app.get('/healthz', (c) => {
    const { waiting, refused } = store.counts();
    return c.json({ status: 'alive', waiting, refused, not_uploaded: store.notUploaded() });
  });
  return app;
}
