import { createHash } from 'node:crypto';
import { MAX_NOTE_SIZE, NoteError, parseCheckpoint, parseNote } from '@treering/note';
import { type ByteBudget, body, createServerApp, decimalParam, type Env, Problem, readBody } from '@treering/server';
import type { Hono } from 'hono';
import type { Logger } from 'pino';
import { isFaultOfTheLog } from './entry-proofs.js';
import { formatContained } from './gossip.js';
import type { MonitorMetrics } from './metrics.js';
import type { Monitor } from './monitor.js';
import type { OpenCount } from './store.js';
import { Visitors } from './visitors.js';
import type { WatchedLog } from './watched-log.js';
import { alarmView } from './webhooks.js';

/** What the routes work with. */
export interface MonitorServer {
  readonly monitor: Monitor;
  /** The monitor's verifier key. */
  readonly vkey: string;
  readonly metrics: MonitorMetrics;
  readonly bodies: ByteBudget;
  readonly logger: Logger;
}

/** Alarms in one answer at most, and when no limit is given. */
const PAGE = 1000;

/** The monitor's HTTP face as a value: tests call `app.request()`, only `serveMonitor` listens. */
export function createApp({ monitor, vkey, metrics, bodies, logger }: MonitorServer): Hono<Env> {
  const app = createServerApp({
    logger,
    bodies,
    toProblem: (error) =>
      error instanceof Problem
        ? error
        : new Problem(
            500,
            'internal',
            'something went wrong in the monitor; its operator finds the cause under the instance id',
          ),
    hint: 'this is a monitor: GET /v1/monitor says what it follows',
    observe: ({ path, status }, seconds) => metrics.requests.observe({ route: routeLabel(path), status }, seconds),
  });
  const [showing, comparing] = [new Visitors(), new Visitors()];
  const fresh = { 'Cache-Control': 'no-store' };
  const logOf = (hash: string): WatchedLog => {
    const log = monitor.log(hash);
    if (log === undefined) throw new Problem(404, 'monitor/unknown-log', 'this monitor does not follow such a log');
    return log;
  };

  app.get('/v1/monitor', (c) => {
    const open = monitor.store.openCounts();
    const sum = (counts: readonly OpenCount[]): number => counts.reduce((total, { count }) => total + count, 0);
    return c.json(
      {
        name: monitor.name,
        vkey,
        alarms: sum(open),
        logs: monitor.logs.map((log) => ({
          ...log.status(),
          alarms: sum(open.filter(({ origin }) => origin === log.config.origin)),
        })),
      },
      200,
      fresh,
    );
  });

  app.get('/v1/alarms', (c) => {
    const all = c.req.query('all') !== undefined;
    const from = decimalParam(c.req.query('from'), 'from', Number.MAX_SAFE_INTEGER);
    const limit = decimalParam(c.req.query('limit'), 'limit', PAGE);
    if (limit < 1 || limit > PAGE) throw new Problem(400, 'request/malformed', `limit must be 1 to ${PAGE}`);
    const page = { from, limit: limit + 1 };
    const alarms = all ? monitor.store.alarms(page) : monitor.store.openAlarms(page);
    const next = alarms[limit]?.id;
    const listed = alarms.slice(0, limit).map(alarmView);
    return c.json({ alarms: listed, ...(next === undefined ? {} : { next }) }, 200, fresh);
  });

  app.get('/v1/alarms/:id', (c) => {
    const alarm = monitor.store.alarm(decimalParam(c.req.param('id'), 'the id'));
    if (alarm === undefined) throw new Problem(404, 'monitor/no-alarm', 'there is no such alarm');
    return c.json(alarmView(alarm), 200, fresh);
  });

  app.get('/v1/alarms/:id/proof', (c) => {
    const id = decimalParam(c.req.param('id'), 'the id');
    if (monitor.store.alarm(id) === undefined) throw new Problem(404, 'monitor/no-alarm', 'there is no such alarm');
    const proof = monitor.store.proof(id);
    if (proof === undefined)
      throw new Problem(503, 'monitor/no-proof', 'the log does not give out what the proof needs; it is asked in every poll', {
        retryAfter: 10,
      });
    return c.body(body(proof), 200, {
      ...fresh,
      'Content-Type': 'application/vnd.treering.proof+cose',
      'Content-Disposition': `attachment; filename="${monitor.store.alarm(id)?.kind ?? 'alarm'}-${id}.trproof"`,
    });
  });

  // Only what a followed log signed is looked at any further; everything else costs one signature check at most.
  app.post('/gossip/checkpoint', async (c) => {
    showing.take(c);
    const note = await readBody(c, bodies, [], MAX_NOTE_SIZE);
    const outcome = await logOf(hashOfOrigin(note)).consider(note, 'a visitor', { visitor: true });
    metrics.gossip.inc({ outcome });
    if (outcome === 'busy') throw new Problem(503, 'monitor/busy', 'too many heads wait to be compared', { retryAfter: 5 });
    if (outcome === 'unsigned' || outcome === 'ignored')
      throw new Problem(422, 'monitor/not-signed', 'the log did not sign this head, or there is no room for more');
    return c.json({ outcome }, outcome === 'kept' ? 202 : 200, fresh);
  });

  app.get('/gossip/:hash{[0-9a-f]{64}}', (c) => {
    const head = logOf(c.req.param('hash')).followed;
    if (head === undefined) throw new Problem(404, 'monitor/no-head', 'this monitor has not followed a head of this log yet');
    return c.body(body(head.note), 200, { ...fresh, 'Content-Type': 'text/plain; charset=utf-8' });
  });

  app.get('/gossip/:hash{[0-9a-f]{64}}/consistency', async (c) => {
    comparing.take(c);
    const size = decimalParam(c.req.query('from'), 'from');
    const contained = await logOf(c.req.param('hash'))
      .contained(size)
      .catch((error: unknown) => {
        if (!isFaultOfTheLog(error)) throw error;
        throw new Problem(503, 'monitor/log-unreachable', 'the log does not give out its tree now', { retryAfter: 10 });
      });
    if (contained === undefined) throw new Problem(404, 'monitor/no-head', 'this monitor has not followed so large a tree');
    return c.json(formatContained(contained), 200, fresh);
  });

  app.get('/healthz', (c) => c.json({ status: 'alive' }));
  app.get('/readyz', (c) => {
    const waiting = monitor.logs.filter((log) => log.status().polled_at === null);
    if (waiting.length > 0)
      throw new Problem(503, 'monitor/not-ready', `${waiting.length} logs were not looked at yet`, { retryAfter: 5 });
    return c.json({ status: 'ready' });
  });
  app.get('/metrics', async (c) =>
    c.text(await metrics.registry.metrics(), 200, { 'Content-Type': metrics.registry.contentType }),
  );
  return app;
}

/** The name in gossip of the log that a note is about. @throws Problem 400 */
function hashOfOrigin(note: Uint8Array): string {
  try {
    return createHash('sha256')
      .update(parseCheckpoint(parseNote(note).text).origin)
      .digest('hex');
  } catch (error) {
    if (error instanceof NoteError) throw new Problem(400, 'request/malformed', error.message);
    throw error;
  }
}

function routeLabel(path: string): string {
  const known = /^\/(?:v1\/(?:monitor|alarms)|gossip|healthz|readyz|metrics)/.exec(path);
  return known === null ? 'other' : known[0];
}
