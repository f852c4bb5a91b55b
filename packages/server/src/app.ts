import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import type { Logger } from 'pino';
import type { ByteBudget } from './body.js';
import { Problem, problemBody } from './problem.js';
import type { Ctx, Env } from './request.js';
import { SAFE_HEADERS } from './safe-headers.js';

/** What differs between the servers. */
export interface AppOptions {
  readonly logger: Logger;
  readonly bodies: ByteBudget;
  /** The one place where errors become statuses. */
  readonly toProblem: (error: unknown) => Problem;
  /** Where a client finds what there is. */
  readonly hint: string;
  /** Called with every answer. */
  readonly observe: (labels: { method: string; path: string; status: string }, seconds: number) => void;
}

/** Codes that say that a server has no room at present. */
const TOO_MUCH: readonly string[] = ['sequencer/overloaded', 'request/busy', 'events/full'];

/**
 * An app without routes that gives every request an id, a logger and safe headers, answers errors as problems, and gives back
 * what bodies have reserved.
 */
export function createServerApp({ logger, bodies, toProblem, hint, observe }: AppOptions): Hono<Env> {
  const app = new Hono<Env>();
  app.use(async (c, next) => {
    const requestId = randomUUID();
    const started = performance.now();
    c.set('requestId', requestId);
    c.set('logger', logger.child({ request: requestId }));
    c.header('Request-Id', requestId);
    for (const [name, value] of Object.entries(SAFE_HEADERS)) c.header(name, value);
    await next();
    // What says nothing of how long it holds is not kept: caches would guess.
    if (!c.res.headers.has('Cache-Control')) c.header('Cache-Control', 'no-store');
    bodies.give(c.get('reserved') ?? 0);
    const seconds = (performance.now() - started) / 1000;
    const { method, path } = c.req;
    const { status } = c.res;
    observe({ method, path, status: String(status) }, seconds);
    c.get('logger').debug({ method, path, status, ms: Math.round(seconds * 1e6) / 1000 }, 'answered');
  });
  app.notFound((c) =>
    answerProblem(c, new Problem(404, 'request/no-route', `there is nothing at ${c.req.method} ${c.req.path}; ${hint}`)),
  );
  app.onError((error, c) => {
    const problem = toProblem(error);
    recordFailure(c, error, problem);
    return answerProblem(c, problem);
  });
  return app;
}

/** Tells the operator of what is the server's fault, with everything that the answer does not say. */
export function recordFailure(c: Ctx, error: unknown, { code, status }: Problem): void {
  // What is refused because there is more than the server can take would only add to it.
  if (TOO_MUCH.includes(code)) c.get('logger').debug({ code }, 'a request was refused');
  else if (status >= 500) c.get('logger').error({ err: error, code }, 'a request failed');
}

function answerProblem(c: Ctx, problem: Problem): Response {
  if (problem.details.retryAfter !== undefined) c.header('Retry-After', String(problem.details.retryAfter));
  if (problem.status === 401) c.header('WWW-Authenticate', 'Treering');
  c.header('Cache-Control', 'no-store');
  const text = JSON.stringify(problemBody(problem, c.get('requestId')));
  return c.body(text, problem.status as 400, { 'Content-Type': 'application/problem+json' });
}
