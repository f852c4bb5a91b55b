import { type ByteBudget, type Ctx, createServerApp, type Env, Problem, readBody } from '@treering/server';
import type { Hono } from 'hono';
import type { Logger } from 'pino';
import { decide, type Rules } from './decide.js';
import type { AdmissionMetrics } from './metrics.js';
import { Refusal } from './refusal.js';
import { formatReview, parseEnvelope, parseRequest } from './review.js';

/** What the routes work with. */
export interface AdmissionServer {
  readonly rules: Rules;
  readonly metrics: AdmissionMetrics;
  readonly bodies: ByteBudget;
  readonly logger: Logger;
  /** Milliseconds in which a body has to have come. */
  readonly timeout: number;
}

/** A review holds an object twice, each of which a cluster stores in 1.5 MiB at most. */
const MOST_BYTES = 3 * 1024 * 1024;

/** The webhook's HTTP face as a value: tests call `app.request()`, only `serveAdmission` listens. */
export function createApp({ rules, metrics, bodies, logger, timeout }: AdmissionServer): Hono<Env> {
  const app = createServerApp({
    logger,
    bodies,
    toProblem: (error) =>
      error instanceof Problem
        ? error
        : new Problem(
            500,
            'internal',
            'something went wrong in the webhook; its operator finds the cause under the instance id',
          ),
    hint: 'this is an admission webhook: POST /validate takes an AdmissionReview',
    observe: ({ path, status }, seconds) => metrics.requests.observe({ route: routeLabel(path), status }, seconds),
  });

  app.post('/validate', async (c) => {
    const envelope = parseEnvelope(await inTime(readBody(c, bodies, ['application/json'], MOST_BYTES), timeout));
    if (typeof envelope === 'string') throw new Problem(400, 'admission/no-review', envelope);
    const refusal = refusalOf(envelope.request, rules, c);
    metrics.decisions.inc({ outcome: refusal?.code ?? 'allowed' });
    return c.json(formatReview(envelope.uid, refusal === undefined, refusal?.message), 200, { 'Cache-Control': 'no-store' });
  });

  app.get('/healthz', (c) => c.json({ status: 'alive' }));
  app.get('/readyz', (c) => {
    if (rules.book?.trouble !== undefined)
      throw new Problem(503, 'admission/no-permits', 'the permits cannot be read', { retryAfter: 2 });
    return c.json({ status: 'ready' });
  });
  app.get('/metrics', async (c) =>
    c.text(await metrics.registry.metrics(), 200, { 'Content-Type': metrics.registry.contentType }),
  );
  return app;
}

/** Why a request is refused; undefined when it is let in. Whatever goes wrong on the way is a refusal. */
function refusalOf(value: unknown, rules: Rules, c: Ctx): Refusal | undefined {
  const logger = c.get('logger');
  try {
    const request = parseRequest(value);
    if (request === undefined) throw new Refusal('malformed', 'the request of this review cannot be read');
    decide(request, rules);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) {
      logger.info({ code: error.code, why: error.message }, 'a request was refused');
      return error;
    }
    logger.error({ err: error }, 'a request could not be decided and was refused');
    return new Refusal('internal', "this could not be decided; the webhook's operator finds the cause in its records");
  }
}

/** @throws Problem 408 */
async function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Problem(408, 'request/slow', `a body has to come in ${milliseconds} ms`)),
      milliseconds,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function routeLabel(path: string): string {
  return /^\/(?:validate|healthz|readyz|metrics)$/.test(path) ? path : 'other';
}
