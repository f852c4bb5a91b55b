import { createCandidate } from '@treering/governance';
import { decodeUtf8 } from '@treering/note';
import { recordToJson, renderRecord } from '@treering/record';
import { type CborInput, encodeCbor, MAX_STATEMENT_SIZE, parseStatement } from '@treering/statement';
import type { StoredHead } from '@treering/storage';
import { Hono } from 'hono';
import { splitCborSequence } from '../cbor-sequence.js';
import type { Accepted } from '../log.js';
import { Problem, problemBody, toProblem } from '../problem.js';
import {
  base64,
  body,
  type Ctx,
  decimalParam,
  type Env,
  hashParam,
  hex,
  IMMUTABLE,
  readBody,
  type Server,
  wantsCbor,
} from './context.js';

/** Statements in one batch. */
const BATCH_STATEMENTS = 4096;
const BATCH_BYTES = 16 * 1024 * 1024;
/** Milliseconds that `wait=witnessed` waits for the published checkpoint. */
const WITNESS_WAIT = 10_000;

/** Submission, single and in batches, and reading of entries. */
export function entryRoutes(server: Server): Hono<Env> {
  const { log, rateLimit, metrics } = server;
  const app = new Hono<Env>();

  const limit = (c: Ctx, cost: number): void => {
    const address =
      (c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined)?.incoming?.socket?.remoteAddress ??
      'unknown';
    const retryAfter = rateLimit.take(address, cost, performance.now());
    if (retryAfter > 0) throw new Problem(429, 'request/rate', 'too many submissions from this address', { retryAfter });
  };
  const count = (accepted: Accepted): void => metrics.submissions.inc({ outcome: accepted.duplicate ? 'duplicate' : 'logged' });
  const submit = async (bytes: Uint8Array): Promise<Accepted> => {
    try {
      const accepted = await log.submit(bytes);
      count(accepted);
      return accepted;
    } catch (error) {
      metrics.submissions.inc({ outcome: toProblem(error).code });
      throw error;
    }
  };

  app.post('/v1/entries', async (c) => {
    const wait = c.req.query('wait') ?? 'commit';
    if (wait !== 'commit' && wait !== 'witnessed') throw new Problem(400, 'request/malformed', 'wait is commit or witnessed');
    limit(c, 1);
    const accepted = await submit(
      await readBody(
        c,
        server.bodies,
        ['application/cose', 'application/cose; cose-type="cose-sign1"'],
        MAX_STATEMENT_SIZE * 4,
      ),
    );
    const answer = wait === 'witnessed' ? await witnessed(server, accepted) : accepted;
    const url = `${server.url()}/v1/entries/${answer.index}`;
    c.header('Location', url);
    c.status(statusOf(answer));
    if (wantsCbor(c))
      return c.body(body(encodeCbor(cborAnswer(answer, url))), { headers: { 'Content-Type': 'application/cbor' } });
    return c.json(jsonAnswer(answer, url));
  });

  app.post('/v1/entries:batch', async (c) => {
    const bytes = await readBody(c, server.bodies, ['application/cbor-seq'], BATCH_BYTES);
    const statements = splitCborSequence(bytes, BATCH_STATEMENTS);
    limit(c, statements.length);
    const instance = c.get('requestId');
    const outcomes = await log.submitBatch(statements);
    const results = outcomes.map((outcome) => {
      if (outcome.status === 'fulfilled') {
        const accepted = outcome.value;
        count(accepted);
        return { status: statusOf(accepted), ...jsonAnswer(accepted, `${server.url()}/v1/entries/${accepted.index}`) };
      }
      const problem = toProblem(outcome.reason);
      metrics.submissions.inc({ outcome: problem.code });
      if (problem.status === 500) c.get('logger').error({ err: outcome.reason }, 'a statement of a batch failed');
      return problemBody(problem, instance);
    });
    return c.json({ results });
  });

  app.get('/v1/entries/:id', async (c) => {
    const index = await findEntry(server, c.req.param('id'));
    const [entry] = await log.storage.entries(index, index + 1);
    const view = c.req.query('view') ?? 'cose';
    if (view === 'cose') {
      c.header('Cache-Control', IMMUTABLE);
      return c.body(body(entry), {
        headers: { 'Content-Type': 'application/cose; cose-type="cose-sign1"', 'Treering-Index': String(index) },
      });
    }
    if (view !== 'json')
      throw new Problem(400, 'request/malformed', 'view is json, or left out for the signed statement itself');
    return c.json(entryView(index, entry));
  });
  return app;
}

/** An entry decoded and rendered for people. */
export function entryView(index: number, entry: Uint8Array) {
  const { statement, record, leaf } = createCandidate(parseStatement(entry));
  return {
    index,
    leaf: hex(leaf),
    issuer: statement.iss,
    subject: statement.sub,
    issued_at: new Date(statement.iat * 1000).toISOString(),
    key_id: hex(statement.kid),
    content_type: statement.contentType,
    ...(record === undefined ? {} : { record: recordToJson(record), rendering: renderRecord(record) }),
    statement: base64(entry),
  };
}

/** The index that a decimal or a leaf hash in a path means. @throws Problem 400 or 404 */
async function findEntry(server: Server, id: string): Promise<number> {
  const size = server.log.sequencer.head?.size ?? 0;
  if (/^[0-9a-f]{64}$/.test(id)) {
    const [index] = await server.log.storage.indicesOf([hashParam(id, 'the leaf hash')]);
    if (index === undefined) throw new Problem(404, 'entry/missing', 'no entry has this leaf hash');
    return index;
  }
  const index = decimalParam(id, 'the index');
  if (index >= size) throw new Problem(404, 'entry/missing', `the log has ${size} entries`);
  return index;
}

/** The same entry under the published checkpoint, once that covers it. @throws Problem 504 with the index */
async function witnessed({ log }: Server, accepted: Accepted): Promise<Accepted> {
  const covers = (head: StoredHead | null): head is StoredHead => head !== null && head.size > accepted.index;
  let head = log.publisher.published;
  if (!covers(head)) {
    head = await new Promise<StoredHead | null>((resolve) => {
      const timer = setTimeout(() => done(null), WITNESS_WAIT);
      const done = (published: StoredHead | null): void => {
        clearTimeout(timer);
        end();
        resolve(published);
      };
      const end = log.publisher.onPublish((published) => {
        if (covers(published)) done(published);
      });
    });
  }
  if (!covers(head)) {
    throw new Problem(
      504,
      'checkpoint/not-witnessed',
      `the entry is logged as number ${accepted.index}, but no published checkpoint covers it yet`,
      { index: accepted.index },
    );
  }
  const inclusion = await log.sequencer.proveInclusion(accepted.index, head.size);
  const [entry] = await log.storage.entries(accepted.index, accepted.index + 1);
  const receipt = await log.receipt(parseStatement(entry).sub, { index: accepted.index, head, inclusion });
  return { ...accepted, head, inclusion, receipt };
}

function statusOf(accepted: Accepted): 200 | 201 {
  return accepted.duplicate ? 200 : 201;
}

function jsonAnswer(accepted: Accepted, url: string) {
  return {
    index: accepted.index,
    leaf: hex(accepted.leaf),
    checkpoint: decodeUtf8(accepted.head.note),
    inclusion: accepted.inclusion.map(base64),
    receipt: base64(accepted.receipt),
    statement_url: url,
  };
}

function cborAnswer(accepted: Accepted, url: string): CborInput {
  const { index, leaf, head, inclusion, receipt } = accepted;
  return { index, leaf, checkpoint: head.note, inclusion, receipt, statement_url: url };
}
