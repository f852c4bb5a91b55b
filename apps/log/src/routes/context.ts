import type { Context } from 'hono';
import type { Logger } from 'pino';
import type { LogConfig } from '../config.js';
import type { Registrar } from '../enrolment.js';
import type { Log } from '../log.js';
import type { Metrics } from '../metrics.js';
import { Problem } from '../problem.js';
import type { RateLimit } from '../rate-limit.js';

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

/** Variables of a request. */
export interface Env {
  Variables: { requestId: string; logger: Logger; reserved: number | undefined };
}

/** A request. */
export type Ctx = Context<Env>;

/** Content at an immutable address may be kept for a year (C2SP tlog-tiles). */
export const IMMUTABLE = 'public, max-age=31536000, immutable';

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

/** A number of bytes that requests under way share. */
export class ByteBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** @throws Problem 503 when there is no room */
  take(bytes: number): void {
    if (bytes > this.#left)
      throw new Problem(503, 'request/busy', 'the log reads as many bodies as it has room for', { retryAfter: 1 });
    this.#left -= bytes;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * The body, if its media type is one of the given. Its room is given back when the request has been answered.
 * @throws Problem 415, 413 or 503
 */
export async function readBody(c: Ctx, bodies: ByteBudget, types: readonly string[], limit: number): Promise<Uint8Array> {
  const type = c.req.header('content-type')?.split(';')[0].trim().toLowerCase() ?? '';
  if (!types.includes(type)) throw new Problem(415, 'request/media-type', `send ${types.join(' or ')}`);
  if (c.req.header('content-encoding') !== undefined)
    throw new Problem(415, 'request/encoding', 'send the body without content encoding');
  const declared = c.req.header('content-length');
  const tooLarge = (): Problem => new Problem(413, 'request/too-large', `this body may have ${limit} bytes`);
  if (declared !== undefined && Number(declared) > limit) throw tooLarge();
  // Without a declared length, the whole limit is set aside. The HTTP parser takes no more than was declared.
  const reserved = declared === undefined ? limit : Number(declared);
  bodies.take(reserved);
  c.set('reserved', reserved);
  if (declared !== undefined) {
    const whole = new Uint8Array(await c.req.arrayBuffer());
    if (whole.length > limit) throw tooLarge();
    return whole;
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  const stream = c.req.raw.body;
  if (stream !== null) {
    for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > limit) throw tooLarge();
      chunks.push(chunk);
    }
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** Whether the client asks for CBOR. */
export function wantsCbor(c: Ctx): boolean {
  return /\bapplication\/cbor\b/.test(c.req.header('accept') ?? '');
}

/** Standard base64. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

/** Lower-case hex. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** Bytes as a response body. */
export function body(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
}

/** Whether the client has what an ETag names already (RFC 9110 section 13.1.2, weak comparison). */
export function hasMatch(c: Ctx, etag: string): boolean {
  const tags = c.req.header('if-none-match')?.split(',') ?? [];
  return tags.some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === `"${etag}"`);
}

/** Whether the client takes gzip (RFC 9110 section 12.5.3). */
export function acceptsGzip(c: Ctx): boolean {
  const codings = (c.req.header('accept-encoding') ?? '').split(',').map((item) =>
    item
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/),
  );
  const chosen = codings.find(([name]) => name === 'gzip' || name === 'x-gzip') ?? codings.find(([name]) => name === '*');
  return chosen !== undefined && !chosen.slice(1).some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
}

/** Answers bytes that never change, or 304 when the client has them. */
export function immutable(c: Ctx, bytes: Uint8Array, type: string, etag: string): Response {
  c.header('Cache-Control', IMMUTABLE);
  c.header('ETag', `"${etag}"`);
  if (hasMatch(c, etag)) return c.body(null, 304);
  c.header('Content-Type', type);
  return c.body(body(bytes));
}
