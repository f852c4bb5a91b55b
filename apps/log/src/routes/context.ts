import type { ByteBudget, Ctx, RateLimit } from '@treering/server';
import type { LogConfig } from '../config.js';
import type { Registrar } from '../enrolment.js';
import type { Log } from '../log.js';
import type { Metrics } from '../metrics.js';

/** What every route works with. */
export interface Server {
  readonly log: Log;
  readonly config: LogConfig;
  readonly metrics: Metrics;
  readonly rateLimit: RateLimit;
  /** Enrols keys by token; undefined when the log has no registrar's key. */
  readonly registrar?: Registrar | undefined;
  /** Room for the bodies of all requests under way. */
  readonly bodies: ByteBudget;
  /** The URL under which clients reach this log. */
  readonly url: () => string;
  /** Aborted when the server shuts down: answers that never end by themselves end then. */
  readonly closing: AbortSignal;
}

/** Whether the client asks for CBOR. */
export function wantsCbor(c: Ctx): boolean {
  return /\bapplication\/cbor\b/.test(c.req.header('accept') ?? '');
}
