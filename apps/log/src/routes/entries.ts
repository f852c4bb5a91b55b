import { createHash } from 'node:crypto';
import { createCandidate } from '@treering/governance';
import { decodeUtf8 } from '@treering/note';
import { type AttachmentRef, recordToJson, renderRecord, SALT_SIZE } from '@treering/record';
import {
  base64,
  body,
  type Ctx,
  clientOfRequest,
  decimalParam,
  type Env,
  hashParam,
  hex,
  IMMUTABLE,
  Problem,
  problemBody,
  readBody,
  recordFailure,
} from '@treering/server';
import { type CborInput, decodeCbor, encodeCbor, MAX_STATEMENT_SIZE, parseStatement } from '@treering/statement';
import type { StoredHead } from '@treering/storage';
import { Hono } from 'hono';
import { splitCborSequence } from '../cbor-sequence.js';
import type { Accepted } from '../log.js';
import { toProblem } from '../problem.js';
import { type Server, wantsCbor } from './context.js';

/** Statements in one batch. */
const BATCH_STATEMENTS = 4096;
const BATCH_BYTES = 16 * 1024 * 1024;
/** Attachments in one body with their statement. */
const SUBMISSION_BLOBS = 256;
/** A map with two keys, the statement, the list and its attachments. A body of millions of small items would fill the memory. */
const SUBMISSION_ITEMS = 5 + SUBMISSION_BLOBS;
/** Milliseconds that `wait=witnessed` waits for the published checkpoint. */
const WITNESS_WAIT = 10_000;

/** Submission, single and in batches, and reading of entries. */
export function entryRoutes(server: Server): Hono<Env> {
  const { log, metrics } = server;
  const app = new Hono<Env>();

  app.post('/v1/entries', async (c) => {
    const wait = c.req.query('wait') ?? 'commit';
    if (wait !== 'commit' && wait !== 'witnessed') throw new Problem(400, 'request/malformed', 'wait is commit or witnessed');
    takeRate(server, c, 1);
    const { statement, blobs } = await readSubmission(c, server);
    const accepted = await submitted(server, statement);
    await storeAll(server, accepted.index, blobs);
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
    takeRate(server, c, statements.length);
    const instance = c.get('requestId');
    const outcomes = await log.submitBatch(statements);
    const results = outcomes.map((outcome) => {
      if (outcome.status === 'fulfilled') {
        const accepted = outcome.value;
        count(server, accepted);
        return { status: statusOf(accepted), ...jsonAnswer(accepted, `${server.url()}/v1/entries/${accepted.index}`) };
      }
      const problem = toProblem(outcome.reason);
      metrics.submissions.inc({ outcome: problem.code });
      recordFailure(c, outcome.reason, problem);
      return problemBody(problem, instance);
    });
    return c.json({ results });
  });

  app.get('/v1/entries/:id', async (c) => {
    const index = await findEntry(server, c.req.param('id'));
    const entry = await log.stored.entry(index);
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

/** Takes from what the address of a client may submit. @throws Problem 429 */
export function takeRate({ rateLimit }: Server, c: Ctx, cost: number): void {
  const retryAfter = rateLimit.take(clientOfRequest(c), cost, performance.now());
  if (retryAfter > 0) throw new Problem(429, 'request/rate', 'too many submissions from this address', { retryAfter });
}

/** Submits a statement, and counts what came of it. */
export async function submitted(server: Server, bytes: Uint8Array): Promise<Accepted> {
  try {
    const accepted = await server.log.submit(bytes);
    count(server, accepted);
    return accepted;
  } catch (error) {
    server.metrics.submissions.inc({ outcome: toProblem(error).code });
    throw error;
  }
}

function count({ metrics }: Server, accepted: Accepted): void {
  metrics.submissions.inc({ outcome: accepted.duplicate ? 'duplicate' : 'logged' });
}

/** A statement alone (`application/cose`), or with its attachments in one body (`application/cbor`). @throws Problem */
async function readSubmission(c: Ctx, server: Server): Promise<{ statement: Uint8Array; blobs: readonly Uint8Array[] }> {
  const type = c.req.header('content-type')?.split(';')[0].trim().toLowerCase();
  if (type !== 'application/cbor') {
    return {
      statement: await readBody(c, server.bodies, ['application/cose', 'application/cbor'], MAX_STATEMENT_SIZE * 4),
      blobs: [],
    };
  }
  const limit = MAX_STATEMENT_SIZE * 4 + server.config.attachment_bytes;
  const read = await readBody(c, server.bodies, ['application/cbor'], limit);
  const value = decodeCbor(read, { tags: [], order: 'any', items: SUBMISSION_ITEMS });
  const statement = value instanceof Map ? value.get('statement') : undefined;
  const blobs = value instanceof Map ? value.get('attachments') : undefined;
  const bytes = Array.isArray(blobs) && blobs.length <= SUBMISSION_BLOBS && blobs.every((blob) => blob instanceof Uint8Array);
  if (!(statement instanceof Uint8Array) || !bytes || (value as Map<unknown, unknown>).size !== 2) {
    throw new Problem(400, 'request/malformed', 'a submission is {"statement": bytes, "attachments": [bytes, ...]} in CBOR');
  }
  checkBlobs(statement, blobs as Uint8Array[]);
  return { statement, blobs: blobs as Uint8Array[] };
}

/** Nothing is logged unless everything that came with it belongs to it. @throws Problem 422 */
function checkBlobs(statement: Uint8Array, blobs: readonly Uint8Array[]): void {
  const named = new Map(refsOf(statement).map((ref) => [hex(ref.digest), ref]));
  for (const blob of blobs) {
    const ref = named.get(createHash('sha256').update(blob).digest('hex'));
    if (ref === undefined || ref.access === 'withheld' || blob.length !== ref.size + SALT_SIZE)
      throw new Problem(422, 'attachment/not-named', 'the submission holds an attachment that its statement does not name so');
  }
}

function refsOf(statement: Uint8Array): readonly AttachmentRef[] {
  return createCandidate(parseStatement(statement)).record?.attachments ?? [];
}

/** Stores what came with an entry. @throws Problem with the index of the entry, which is logged whatever happens here */
async function storeAll({ log }: Server, index: number, blobs: readonly Uint8Array[]): Promise<void> {
  for (const blob of blobs) {
    const digest = createHash('sha256').update(blob).digest('hex');
    try {
      await log.attachments.put(digest, blob, await log.attachments.expected(digest, index));
    } catch (error) {
      const { status, code, message } = toProblem(error);
      throw new Problem(
        status,
        code,
        `the entry is logged as number ${index}, but an attachment of it is not stored: ${message}`,
        { index },
      );
    }
  }
}

/** An entry decoded and rendered for people. */
export function entryView(index: number, entry: Uint8Array) {
  const { statement, record, leaf } = createCandidate(parseStatement(entry));
  return {
    index,
    leaf: hex(leaf),
    issuer: statement.iss,
    subject: statement.sub,
    ...(statement.iat === undefined ? {} : { issued_at: timeOf(statement.iat) }),
    ...(statement.kid === undefined ? {} : { key_id: hex(statement.kid) }),
    content_type: statement.envelope?.contentType ?? statement.contentType ?? null,
    ...(statement.envelope === undefined ? {} : { hash_envelope: { ...statement.envelope } }),
    ...(record === undefined ? {} : { record: recordToJson(record), rendering: renderRecord(record) }),
    statement: base64(entry),
  };
}

/** A foreign statement may name any number of seconds. */
function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString();
}

/** The index that a decimal or a leaf hash in a path means. @throws Problem 400 or 404 */
export async function findEntry(server: Server, id: string): Promise<number> {
  const size = server.log.sequencer.head?.size ?? 0;
  if (/^[0-9a-f]{64}$/.test(id)) {
    const [index] = await server.log.storage.indicesOf([hashParam(id, 'the leaf hash')]);
    // What is being committed may be readable before the log has heard that it is durable.
    if (index === undefined || index >= size) throw new Problem(404, 'entry/missing', 'no entry has this leaf hash');
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
  const entry = await log.stored.entry(accepted.index);
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
