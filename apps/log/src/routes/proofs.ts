import { formatTlogProof } from '@treering/evidence';
import { decodeUtf8 } from '@treering/note';
import { base64, body, type Ctx, decimalParam, type Env, hashParam, hex, Problem } from '@treering/server';
import { parseStatement } from '@treering/statement';
import type { StoredHead } from '@treering/storage';
import { Hono } from 'hono';
import type { Server } from './context.js';

/** Inclusion and consistency proofs, and proofs as files. */
export function proofRoutes(server: Server): Hono<Env> {
  const { log } = server;
  const app = new Hono<Env>();

  app.get('/v1/proof/inclusion', async (c) => {
    const head = currentHead(server);
    const size = sizeParam(server, c, 'size', head.size);
    const leaf = c.req.query('leaf');
    const index = leaf === undefined ? decimalParam(c.req.query('index'), 'index') : await indexOf(server, leaf);
    if (index >= size) throw new Problem(404, 'entry/missing', `entry ${index} is not in the tree of ${size}`);
    return c.json({
      index,
      size,
      hashes: (await log.sequencer.proveInclusion(index, size)).map(base64),
      ...headFor(size, head),
    });
  });

  app.get('/v1/proof/consistency', async (c) => {
    const head = currentHead(server);
    const to = sizeParam(server, c, 'to', head.size);
    const from = decimalParam(c.req.query('from'), 'from');
    if (from < 1 || from > to) throw new Problem(400, 'request/malformed', `from must be 1 to ${to}`);
    return c.json({ from, to, hashes: (await log.sequencer.proveConsistency(from, to)).map(base64), ...headFor(to, head) });
  });

  app.get('/v1/proof/:file{[0-9]+\\.tlog-proof}', async (c) => {
    const { index, entry, head, hashes } = await published(c.req.param('file').slice(0, -'.tlog-proof'.length));
    const file = formatTlogProof({ extra: entry, index: BigInt(index), hashes, checkpoint: head.note });
    c.header('Content-Disposition', `attachment; filename="${index}.tlog-proof"`);
    return c.body(body(file), { headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-cache' } });
  });

  app.get('/v1/receipt/:index', async (c) => {
    const { index, entry, head, hashes } = await published(c.req.param('index'));
    const receipt = await log.receipt(parseStatement(entry).sub, { index, head, inclusion: hashes });
    return c.body(body(receipt), {
      headers: { 'Content-Type': 'application/scitt-receipt+cose', 'Cache-Control': 'no-cache' },
    });
  });

  /** An entry with its proof under the published checkpoint. */
  const published = async (text: string) => {
    const index = decimalParam(text, 'the index');
    const head = log.publisher.published;
    if (head === null || index >= head.size) {
      throw new Problem(
        404,
        'entry/not-published',
        `the published checkpoint covers ${head?.size ?? 0} entries; a younger one is covered soon`,
        { retryAfter: 1 },
      );
    }
    const entry = await log.stored.entry(index);
    return { index, entry, head, hashes: await log.sequencer.proveInclusion(index, head.size) };
  };
  return app;
}

/** The published checkpoint, or before the first one the committed head. @throws Problem 404 */
export function currentHead({ log }: Server): StoredHead {
  const head = log.publisher.published ?? log.sequencer.head;
  if (head === null) throw new Problem(404, 'checkpoint/missing', 'the log has no head yet');
  return head;
}

/** A tree size that the log has reached. @throws Problem 400 */
export function sizeParam({ log }: Server, c: Ctx, name: string, fallback: number): number {
  const size = decimalParam(c.req.query(name), name, fallback);
  const committed = log.sequencer.head?.size ?? 0;
  if (size < 1 || size > committed)
    throw new Problem(400, 'request/malformed', `${name} must be 1 to ${committed}, the size of the log`);
  return size;
}

/** The index of a leaf hash. @throws Problem 400 or 404 */
export async function indexOf({ log }: Server, leaf: string): Promise<number> {
  const [index] = await log.storage.indicesOf([hashParam(leaf, 'leaf')]);
  // What is being committed may be readable before the log has heard that it is durable.
  if (index === undefined || index >= (log.sequencer.head?.size ?? 0))
    throw new Problem(404, 'entry/missing', 'no entry has this leaf hash');
  return index;
}

/** The signed head, when the proof is for exactly its size. */
function headFor(size: number, head: StoredHead): { checkpoint?: string; root?: string } {
  return size === head.size ? { checkpoint: decodeUtf8(head.note), root: hex(head.root) } : {};
}
