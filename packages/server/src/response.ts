import type { Ctx } from './request.js';

/** Content at an immutable address may be kept for a year (C2SP tlog-tiles). */
export const IMMUTABLE = 'public, max-age=31536000, immutable';

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
  return takesGzip(c.req.header('accept-encoding'));
}

/** The same, from the value of the header. */
export function takesGzip(accepted = ''): boolean {
  const codings = accepted.split(',').map((item) =>
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
