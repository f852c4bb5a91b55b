import { parseNote } from '@treering/note';
import { base64, decimalParam, type Env, Problem } from '@treering/server';
import { Hono } from 'hono';
import type { Server } from './context.js';
import { currentHead, indexOf, sizeParam } from './proofs.js';

const MOST_ENTRIES = 256;

/** The read API in the shape of RFC 6962 section 4, so that Certificate Transparency tooling feels at home. */
export function ctRoutes(server: Server): Hono<Env> {
  const { log } = server;
  const app = new Hono<Env>().basePath('/ct/v1');

  app.get('/get-sth', (c) => {
    const head = currentHead(server);
    const own = parseNote(head.note).signatures.find((s) => s.id === log.signer.key.id && s.name === log.origin);
    return c.json({
      tree_size: head.size,
      timestamp: head.time,
      sha256_root_hash: base64(head.root),
      tree_head_signature: own === undefined ? '' : base64(own.signature),
    });
  });

  app.get('/get-sth-consistency', async (c) => {
    const second = sizeParam(server, c, 'second', currentHead(server).size);
    const first = decimalParam(c.req.query('first'), 'first');
    if (first > second) throw new Problem(400, 'request/malformed', 'first must not be larger than second');
    return c.json({ consistency: first === 0 ? [] : (await log.sequencer.proveConsistency(first, second)).map(base64) });
  });

  app.get('/get-proof-by-hash', async (c) => {
    const size = sizeParam(server, c, 'tree_size', currentHead(server).size);
    const hash = Buffer.from(c.req.query('hash') ?? '', 'base64');
    if (hash.length !== 32 || hash.toString('base64') !== c.req.query('hash'))
      throw new Problem(400, 'request/malformed', 'hash is a leaf hash in base64');
    const index = await indexOf(server, hash.toString('hex'));
    if (index >= size) throw new Problem(404, 'entry/missing', `the leaf is not in the tree of ${size}`);
    return c.json({ leaf_index: index, audit_path: (await log.sequencer.proveInclusion(index, size)).map(base64) });
  });

  app.get('/get-entries', async (c) => {
    const size = log.sequencer.head?.size ?? 0;
    const start = decimalParam(c.req.query('start'), 'start');
    const end = decimalParam(c.req.query('end'), 'end');
    if (start > end || start >= size)
      throw new Problem(400, 'request/malformed', `start and end must be 0 to ${size - 1}, in order`);
    const entries = await log.stored.entries(start, Math.min(end + 1, size, start + MOST_ENTRIES));
    return c.json({ entries: entries.map((entry) => ({ leaf_input: base64(entry), extra_data: '' })) });
  });

  app.get('/get-entry-and-proof', async (c) => {
    const size = sizeParam(server, c, 'tree_size', currentHead(server).size);
    const index = decimalParam(c.req.query('leaf_index'), 'leaf_index');
    if (index >= size) throw new Problem(400, 'request/malformed', `leaf_index must be 0 to ${size - 1}`);
    const entry = await log.stored.entry(index);
    return c.json({
      leaf_input: base64(entry),
      extra_data: '',
      audit_path: (await log.sequencer.proveInclusion(index, size)).map(base64),
    });
  });
  return app;
}
