import { type AppOptions, createServerApp, type Env } from '@treering/server';
import type { Hono } from 'hono';
import type { Logger } from 'pino';
import { toProblem } from './problem.js';
import { readOnly } from './read-only.js';
import { attachmentRoutes } from './routes/attachments.js';
import { checkpointRoutes } from './routes/checkpoints.js';
import type { Server } from './routes/context.js';
import { ctRoutes } from './routes/ct.js';
import { enrolmentRoutes } from './routes/enrolment.js';
import { entryRoutes } from './routes/entries.js';
import { eventRoutes } from './routes/events.js';
import { operationRoutes } from './routes/operation.js';
import { proofRoutes } from './routes/proofs.js';
import { scittRoutes } from './routes/scitt.js';
import { subjectRoutes } from './routes/subjects.js';
import { tileRoutes } from './routes/tiles.js';

/** Methods that change nothing. */
const READS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/** The log's HTTP face as a value: tests call `app.request()`, only `serveLog` listens. */
export function createApp(server: Server, logger: Logger): Hono<Env> {
  const app = createServerApp({
    logger,
    bodies: server.bodies,
    toProblem,
    hint: 'GET /v1/openapi.json describes what there is',
    observe: observeRequest(server),
  });
  if (server.config.read_only)
    app.use(async (c, next) => {
      if (!READS.includes(c.req.method)) throw readOnly();
      await next();
    });
  for (const routes of [
    entryRoutes,
    proofRoutes,
    tileRoutes,
    checkpointRoutes,
    attachmentRoutes,
    subjectRoutes,
    ctRoutes,
    eventRoutes,
    operationRoutes,
    enrolmentRoutes,
    scittRoutes,
  ])
    app.route('/', routes(server));
  return app;
}

/** Counts an answer and the time that it took. */
export function observeRequest({ metrics }: Server): AppOptions['observe'] {
  return ({ method, path, status }, seconds) => metrics.requests.observe({ method, route: routeLabel(path), status }, seconds);
}

/** Labels stay few however many paths clients think of. */
function routeLabel(path: string): string {
  const known =
    /^\/(?:v1\/(?:entries|checkpoints|enrolment|proof|receipt|attachments|subjects|events|log|openapi\.json)|entries|\.well-known\/scitt-keys|tile|addenda|checkpoint|ct\/v1|healthz|readyz|metrics)/.exec(
      path,
    );
  return known === null ? 'other' : known[0];
}
