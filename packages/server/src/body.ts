import { Problem } from './problem.js';
import type { Ctx } from './request.js';

/** A number of bytes that requests under way share. */
export class ByteBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** @throws Problem 503 when there is no room */
  take(bytes: number): void {
    if (bytes > this.#left)
      throw new Problem(503, 'request/busy', 'the server reads as many bodies as it has room for', { retryAfter: 1 });
    this.#left -= bytes;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** Bytes of a body that is read at once. */
const SHORT = 64 * 1024;

/**
 * The body, if its media type is one of the given; without any, every media type is taken. Its room is given back when the request has been answered.
 * @throws Problem 415, 413 or 503
 */
export async function readBody(c: Ctx, bodies: ByteBudget, types: readonly string[], limit: number): Promise<Uint8Array> {
  const type = c.req.header('content-type')?.split(';')[0].trim().toLowerCase() ?? '';
  if (types.length > 0 && !types.includes(type)) throw new Problem(415, 'request/media-type', `send ${types.join(' or ')}`);
  if (c.req.header('content-encoding') !== undefined)
    throw new Problem(415, 'request/encoding', 'send the body without content encoding');
  const declared = c.req.header('content-length');
  const tooLarge = (): Problem => new Problem(413, 'request/too-large', `this body may have ${limit} bytes`);
  if (declared !== undefined && Number(declared) > limit) throw tooLarge();
  // A short body has its room set aside at once, and the HTTP parser takes no more than was declared. A longer one takes room as it comes:
  // otherwise whoever promises much and sends nothing keeps everybody out.
  if (declared !== undefined && Number(declared) <= SHORT) {
    bodies.take(Number(declared));
    c.set('reserved', Number(declared));
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
      bodies.take(chunk.length);
      c.set('reserved', size);
      chunks.push(chunk);
    }
  }
  return new Uint8Array(Buffer.concat(chunks));
}
