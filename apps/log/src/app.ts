import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { Logger } from 'pino';
import { Problem, problemBody, toProblem } from './problem.js';
import { attachmentRoutes } from './routes/attachments.js';
import type { Ctx, Env, Server } from './routes/context.js';
import { ctRoutes } from './routes/ct.js';
import { enrolmentRoutes } from './routes/enrolment.js';
import { entryRoutes } from './routes/entries.js';
import { eventRoutes } from './routes/events.js';
import { operationRoutes } from './routes/operation.js';
import { proofRoutes } from './routes/proofs.js';
import { scittRoutes } from './routes/scitt.js';
import { subjectRoutes } from './routes/subjects.js';
import { tileRoutes } from './routes/tiles.js';

/** The log's HTTP face as a value: tests call `app.request()`, only `serveLog` listens. */
export function createApp(server: Server, logger: Logger): Hono<Env> {
  const app = new Hono<Env>();
  app.use(secureHeaders({ crossOriginResourcePolicy: 'cross-origin' }));
  app.use(async (c, next) => {
    const requestId = randomUUID();
    const started = performance.now();
    c.set('requestId', requestId);
    c.set('logger', logger.child({ request: requestId }));
    c.header('Request-Id', requestId);
    // Readers anywhere may verify; nothing here is decided by cookies.
    c.header('Access-Control-Allow-Origin', '*');
    await next();
    server.bodies.give(c.get('reserved') ?? 0);
    const seconds = (performance.now() - started) / 1000;
    const labels = { method: c.req.method, route: routeLabel(c.req.path), status: String(c.res.status) };
    server.metrics.requests.observe(labels, seconds);
    c.get('logger').debug(
      { method: c.req.method, path: c.req.path, status: c.res.status, ms: Math.round(seconds * 1e6) / 1000 },
      'answered',
    );
  });
  for (const routes of [
    entryRoutes,
    proofRoutes,
    tileRoutes,
    attachmentRoutes,
    subjectRoutes,
    ctRoutes,
    eventRoutes,
    operationRoutes,
    enrolmentRoutes,
    scittRoutes,
  ])
    app.route('/', routes(server));
  app.notFound((c) => {
    const hint = `there is nothing at ${c.req.method} ${c.req.path}; GET /v1/openapi.json describes what there is`;
    return answerProblem(c, new Problem(404, 'request/no-route', hint));
  });
  app.onError((error, c) => {
    const problem = toProblem(error);
    if (problem.status >= 500) c.get('logger').error({ err: error, code: problem.code }, 'a request failed');
    return answerProblem(c, problem);
  });
  return app;
}

function answerProblem(c: Ctx, problem: Problem): Response {
  if (problem.details.retryAfter !== undefined) c.header('Retry-After', String(problem.details.retryAfter));
  if (problem.status === 401) c.header('WWW-Authenticate', 'Treering');
  c.header('Cache-Control', 'no-store');
  const text = JSON.stringify(problemBody(problem, c.get('requestId')));
  return c.body(text, problem.status as 400, { 'Content-Type': 'application/problem+json' });
}

/** Labels stay few however many paths clients think of. */
function routeLabel(path: string): string {
  const known =
    /^\/(?:v1\/(?:entries|enrolment|proof|receipt|attachments|subjects|events|log|openapi\.json)|entries|\.well-known\/scitt-keys|tile|addenda|checkpoint|ct\/v1|healthz|readyz|metrics)/.exec(
      path,
    );
  return known === null ? 'other' : known[0];
}
