import { decodeUtf8, formatVerifierKey, MAX_NOTE_SIZE } from '@treering/note';
import { type ByteBudget, body, createServerApp, type Env, Problem, readBody } from '@treering/server';
import { StorageError } from '@treering/storage';
import type { Hono } from 'hono';
import type { Logger } from 'pino';
import { WitnessError } from './errors.js';
import type { WitnessMetrics } from './metrics.js';
import type { Mirror } from './mirror.js';
import { type MirrorServer, mirrorRoutes } from './mirror-routes.js';
import { originHash } from './origin-hash.js';
import { SizeConflict } from './size-conflict.js';
import type { Witness } from './witness.js';

/** What the routes work with. */
export interface WitnessServer {
  readonly witness: Witness;
  /** The mirror at the same address, and what its uploads share. */
  readonly mirror?: Omit<MirrorServer, 'originOf'> | undefined;
  readonly metrics: WitnessMetrics;
  readonly bodies: ByteBudget;
  readonly logger: Logger;
}

/** A note, and 63 hashes in base64 before it. */
const MOST_BYTES = MAX_NOTE_SIZE + 64 * 64;

/** The witness's HTTP face as a value: tests call `app.request()`, only `serveWitness` listens. */
export function createApp({ witness, mirror: mirroring, metrics, bodies, logger }: WitnessServer): Hono<Env> {
  const app = createServerApp({
    logger,
    bodies,
    toProblem,
    hint:
      mirroring === undefined
        ? 'this is a witness: https://c2sp.org/tlog-witness'
        : 'this is a witness and a mirror: https://c2sp.org/tlog-witness, https://c2sp.org/tlog-mirror',
    observe: ({ path, status }, seconds) => metrics.requests.observe({ route: routeLabel(path), status }, seconds),
  });
  const plain = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' };

  app.post('/add-checkpoint', async (c) => {
    const bytes = await readBody(c, bodies, [], MOST_BYTES);
    try {
      return c.body(await witness.addCheckpoint(bytes), 200, plain);
    } catch (error) {
      if (!(error instanceof SizeConflict)) throw error;
      return c.body(`${error.size}\n`, 409, { ...plain, 'Content-Type': 'text/x.tlog.size' });
    }
  });

  app.post('/sign-subtree', async (c) => {
    const bytes = await readBody(c, bodies, [], MOST_BYTES);
    return c.body(witness.signSubtree(bytes, mirroring?.mirror), 200, plain);
  });

  let listed: readonly string[] = [];
  let byHash = new Map<string, string>();
  const originOf = (hash: string): string => {
    if (listed !== witness.store.origins()) {
      listed = witness.store.origins();
      byHash = new Map(listed.map((origin) => [originHash(origin), origin]));
    }
    const origin = byHash.get(hash);
    if (origin === undefined) throw new Problem(404, 'witness/unknown-log', 'this witness does not know such a log');
    return origin;
  };

  if (mirroring !== undefined) app.route('/', mirrorRoutes({ ...mirroring, originOf }));

  app.get('/:hash{[0-9a-f]{64}}/checkpoint', (c) => {
    const note = witness.checkpoint(originOf(c.req.param('hash')));
    return c.body(body(note), 200, { ...plain, 'Cache-Control': 'public, max-age=2' });
  });

  app.get('/:hash{[0-9a-f]{64}}/contradictions', (c) => {
    const origin = originOf(c.req.param('hash'));
    return c.json({ origin, checkpoints: witness.store.contradictions(origin).map(decodeUtf8) });
  });

  app.get('/v1/witness', (c) =>
    c.json({
      name: witness.name,
      vkeys: witness.signers.map(({ key }) => formatVerifierKey(key)),
      locked: witness.store.locked ?? null,
      logs: witness.store.origins().map((origin) => {
        const head = witness.store.head(origin);
        return { origin, hash: originHash(origin), size: String(head?.size ?? 0n), time: head?.time ?? null };
      }),
      mirror: mirroring === undefined ? null : describe(mirroring.mirror),
    }),
  );

  app.get('/healthz', (c) => c.json({ status: 'alive' }));
  app.get('/readyz', (c) => {
    witness.requireAble();
    if (mirroring?.mirror.copies.broken !== undefined)
      throw new Problem(503, 'witness/broken', 'the mirror cannot write to one of its copies', { retryAfter: 60 });
    return c.json({ status: 'ready' });
  });
  app.get('/metrics', async (c) =>
    c.text(await metrics.registry.metrics(), 200, { 'Content-Type': metrics.registry.contentType }),
  );
  return app;
}

/** What a mirror says of itself: of each log the head that it has cosigned, and the entries that it has. */
function describe(mirror: Mirror) {
  return {
    name: mirror.name,
    vkeys: mirror.signers.map(({ key }) => formatVerifierKey(key)),
    logs: mirror.store.origins().map((origin) => {
      const head = mirror.store.mirrored(origin);
      const entries = mirror.copies.entries(origin);
      return {
        origin,
        hash: originHash(origin),
        size: String(head?.size ?? 0n),
        entries: entries === undefined ? null : String(entries),
        time: head?.time ?? null,
        locked: head?.lost ?? null,
        refilling: head?.refilling ?? false,
      };
    }),
  };
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof WitnessError) return new Problem(503, error.code, error.message, { retryAfter: 3600 });
  if (error instanceof StorageError)
    return new Problem(503, error.code, 'the witness cannot write to its store', { retryAfter: 5 });
  return new Problem(
    500,
    'internal',
    'something went wrong in the witness; its operator finds the cause under the instance id',
  );
}

function routeLabel(path: string): string {
  const known = /^\/(?:add-checkpoint|add-entries|sign-subtree|v1\/witness|healthz|readyz|metrics)$/.exec(path);
  if (known !== null) return known[0];
  if (/^\/mirror\/[0-9a-f]{64}\//.test(path)) return '/mirror/<log>';
  return /^\/[0-9a-f]{64}\//.test(path) ? '/<log>' : 'other';
}
