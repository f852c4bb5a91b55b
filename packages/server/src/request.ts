import type { Context } from 'hono';
import type { Logger } from 'pino';
import { Problem } from './problem.js';
import { clientOf } from './rate-limit.js';

/** Variables of a request. */
export interface Env {
  Variables: { requestId: string; logger: Logger; reserved: number | undefined };
}

/** A request. */
export type Ctx = Context<Env>;

/** Which client a request is of, for limits: its address, or its network; see `clientOf`. Headers of proxies are not believed. */
export function clientOfRequest(c: Ctx): string {
  const { incoming } = (c.env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return clientOf(incoming?.socket?.remoteAddress ?? 'unknown');
}

/** A decimal number in a path or query, or the default. @throws Problem 400 */
export function decimalParam(text: string | undefined, what: string, fallback?: number): number {
  if (text === undefined && fallback !== undefined) return fallback;
  if (text === undefined || !/^(?:0|[1-9][0-9]{0,15})$/.test(text)) {
    throw new Problem(400, 'request/malformed', `${what} must be a decimal number without leading zeros`);
  }
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Problem(400, 'request/malformed', `${what} is beyond 2^53 - 1`);
  return value;
}

/** A 32-byte hash as 64 hex digits. @throws Problem 400 */
export function hashParam(text: string | undefined, what: string): Uint8Array {
  if (text === undefined || !/^[0-9a-f]{64}$/.test(text))
    throw new Problem(400, 'request/malformed', `${what} must be 64 lower-case hex digits`);
  return new Uint8Array(Buffer.from(text, 'hex'));
}
