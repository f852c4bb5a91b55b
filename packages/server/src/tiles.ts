import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { formatEntryBundle, MerkleInputError, parseTilePath, type TilePath, tileWidth } from '@treering/merkle';
import { Problem } from './problem.js';
import type { Ctx } from './request.js';
import { acceptsGzip, body, hasMatch, immutable } from './response.js';

const compress = promisify(gzip);

/** Where tiles and entries lie. */
export interface TileSource {
  /** Entries that tiles may cover. */
  readonly size: number;
  /** `width` hashes of 32 bytes, or null when they are not there. */
  tile(level: number, index: number, width: number): Promise<Uint8Array | null>;
  /** The entries [start, end). */
  entries(start: number, end: number): Promise<readonly Uint8Array[]>;
}

/**
 * Answers a tile or an entry bundle (https://c2sp.org/tlog-tiles).
 * @param path behind the prefix of the log, without a leading slash: `tile/...`
 * @throws Problem 404
 */
export async function answerTile(c: Ctx, path: string, source: TileSource): Promise<Response> {
  const parsed = parsePath(path);
  const wanted = parsed.kind === 'tile' ? parsed.tile : { ...parsed.bundle, level: 0 };
  if (tileWidth(source.size, wanted.level, wanted.index) < wanted.width)
    throw new Problem(404, 'tile/missing', 'the log has no such tile yet');
  if (parsed.kind === 'tile') {
    const hashes = await source.tile(wanted.level, wanted.index, wanted.width);
    if (hashes === null) throw new Problem(404, 'tile/missing', 'the log has no such tile yet');
    return immutable(c, hashes, 'application/octet-stream', path);
  }
  const first = wanted.index * 256;
  const bundle = formatEntryBundle(await source.entries(first, first + wanted.width));
  c.header('Vary', 'Accept-Encoding');
  if (!acceptsGzip(c)) return immutable(c, bundle, 'application/octet-stream', path);
  c.header('Content-Encoding', 'gzip');
  return immutable(c, new Uint8Array(await compress(bundle)), 'application/octet-stream', `${path};gzip`);
}

/** Answers the newest checkpoint, which a client asks for again each time (https://c2sp.org/tlog-tiles). */
export function answerCheckpoint(
  c: Ctx,
  { size, time, note }: { readonly size: number | bigint; readonly time: number; readonly note: Uint8Array },
): Response {
  const etag = `${size}-${time}`;
  c.header('Cache-Control', 'no-cache');
  c.header('ETag', `"${etag}"`);
  if (hasMatch(c, etag)) return c.body(null, 304);
  return c.body(body(note), { headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
}

function parsePath(path: string): TilePath {
  try {
    return parseTilePath(path);
  } catch (error) {
    if (error instanceof MerkleInputError) throw new Problem(404, 'tile/malformed', error.message);
    throw error;
  }
}
