import { formatMirrorInfo, MIRROR_INFO_TYPE } from '@treering/note';
import { answerCheckpoint, answerTile, type ByteBudget, type Ctx, type Env, Problem } from '@treering/server';
import { Hono } from 'hono';
import { ByteSource } from './byte-source.js';
import type { Mirror } from './mirror.js';
import { MirrorConflict } from './mirror-conflict.js';
import { gunzipped } from './upload.js';

/** What the mirror's routes work with. */
export interface MirrorServer {
  readonly mirror: Mirror;
  /** Shared by all uploads under way, and by nothing else: no upload keeps a checkpoint waiting. */
  readonly uploads: ByteBudget;
  /** Milliseconds for one upload; then it is answered as if it had broken off. Less than the server has for a request. */
  readonly patience?: number | undefined;
  /** The origin behind its hash. @throws Problem 404 */
  readonly originOf: (hash: string) => string;
}

const HASH = ':hash{[0-9a-f]{64}}';

/** add-entries, and the copies as tiles below a prefix that the witness does not have (https://c2sp.org/tlog-mirror). */
export function mirrorRoutes({ mirror, uploads, patience = 45_000, originOf }: MirrorServer): Hono<Env> {
  const app = new Hono<Env>();

  app.post('/add-entries', async (c) => {
    c.header('Accept-Encoding', 'gzip, identity');
    const source = new ByteSource(bodyOf(c), uploads, AbortSignal.timeout(patience));
    const answer = (status: 202 | 409, info: MirrorConflict['info']): Response =>
      c.body(formatMirrorInfo(info), status, { 'Content-Type': MIRROR_INFO_TYPE, 'Cache-Control': 'no-store' });
    try {
      const uploaded = await mirror.addEntries(source);
      if (uploaded.status === 202) return answer(202, uploaded.info);
      return c.body(uploaded.lines, 200, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
    } catch (error) {
      if (error instanceof MirrorConflict) return answer(409, error.info);
      throw error;
    }
  });

  app.get(`/mirror/${HASH}/checkpoint`, (c) => {
    const origin = originOf(c.req.param('hash'));
    mirror.requireKept(origin);
    const head = mirror.head(origin);
    if (head === undefined) throw new Problem(404, 'witness/no-head', 'this mirror has no complete copy of this log yet');
    return answerCheckpoint(c, head);
  });

  app.get(`/mirror/${HASH}/tile/*`, (c) => {
    const origin = originOf(c.req.param('hash'));
    mirror.requireKept(origin);
    if (!mirror.copies.has(origin)) throw new Problem(404, 'tile/missing', 'this mirror has nothing of this log yet');
    const prefix = `/mirror/${c.req.param('hash')}/`;
    return answerTile(c, c.req.path.slice(prefix.length), mirror.copies.open(origin));
  });
  return app;
}

/** The body as it comes. @throws Problem 415 */
function bodyOf(c: Ctx): AsyncIterable<Uint8Array> {
  if (c.req.header('content-type')?.trim().toLowerCase() !== 'application/octet-stream')
    throw new Problem(415, 'request/media-type', 'send application/octet-stream');
  const encoding = c.req.header('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (!['identity', 'gzip', 'x-gzip'].includes(encoding))
    throw new Problem(415, 'request/encoding', 'send the body as it is, or compressed with gzip');
  // Cancelling the stream would close the connection before the answer is out.
  const chunks = c.req.raw.body?.values({ preventCancel: true }) ?? nothing();
  return encoding === 'identity' ? chunks : gunzipped(chunks);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
