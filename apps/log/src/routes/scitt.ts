import { body, type Ctx, type Env, hex, IMMUTABLE, Problem, readBody, recordFailure, TITLES } from '@treering/server';
import {
  attachReceipts,
  coseKeyThumbprint,
  encodeBase64Url,
  encodeCbor,
  keySetMember,
  MAX_STATEMENT_SIZE,
  parseStatement,
} from '@treering/statement';
import { Hono } from 'hono';
import { toProblem } from '../problem.js';
import type { Server } from './context.js';
import { findEntry, submitted, takeRate } from './entries.js';

/*
 * SCITT Reference API (draft-ietf-scitt-scrapi): a statement in, a COSE receipt (RFC 9942) out, errors as concise problem details
 * in CBOR (RFC 9290).
 */

const COSE = 'application/cose';

/** The titles of the draft for refusals; anything else carries the title of its status. */
const REFUSALS: Readonly<Record<string, string>> = {
  'cose/unknown-algorithm': 'Bad Signature Algorithm',
  'entry/missing': 'Not Found',
  'key/missing': 'No such key',
  'statement/no-payload': 'Payload Missing',
};

/** Registration of signed statements as SCITT clients do it. */
export function scittRoutes(server: Server): Hono<Env> {
  const { log } = server;
  const app = new Hono<Env>();
  app.onError((error, c) => {
    const problem = toProblem(error);
    recordFailure(c, error, problem);
    return answerProblem(c, problem);
  });

  app.get('/.well-known/scitt-keys', (c) => cbor(c, encodeCbor(log.receiptKeys.map(keySetMember))));

  app.get('/.well-known/scitt-keys/:kid', (c) => {
    const kid = c.req.param('kid');
    const key = log.receiptKeys.find((known) =>
      [encodeBase64Url, hex].some((write) => write(coseKeyThumbprint(known)) === kid),
    );
    if (key === undefined) throw new Problem(404, 'key/missing', 'this log never signed receipts with a key of that id');
    return cbor(c, encodeCbor(keySetMember(key)));
  });

  app.post('/entries', async (c) => {
    takeRate(server, c, 1);
    const statement = await readBody(c, server.bodies, [COSE, 'application/scitt-statement+cose'], MAX_STATEMENT_SIZE * 4);
    const accepted = await submitted(server, statement);
    c.header('Location', `${server.url()}/entries/${hex(accepted.leaf)}`);
    return c.body(body(accepted.receipt), { status: 201, headers: { 'Content-Type': COSE } });
  });

  app.get('/entries/:id', async (c) => {
    const { index, receipt } = await freshReceipt(server, c.req.param('id'));
    c.header('Treering-Index', String(index));
    c.header('Cache-Control', 'no-cache');
    return c.body(body(receipt), { headers: { 'Content-Type': COSE } });
  });

  /** The statement as it was signed, or with its receipt (a transparent statement). */
  app.get('/entries/:id/statement', async (c) => {
    const { entry } = await freshReceipt(server, c.req.param('id'));
    c.header('Cache-Control', IMMUTABLE);
    return c.body(body(entry), { headers: { 'Content-Type': COSE } });
  });

  app.get('/entries/:id/transparent-statement', async (c) => {
    const { entry, receipt } = await freshReceipt(server, c.req.param('id'));
    c.header('Cache-Control', 'no-cache');
    return c.body(body(attachReceipts(entry, [receipt])), { headers: { 'Content-Type': COSE } });
  });
  return app;
}

async function freshReceipt(server: Server, id: string): Promise<{ index: number; entry: Uint8Array; receipt: Uint8Array }> {
  const { log } = server;
  const index = await findEntry(server, id);
  const { head } = log.sequencer;
  if (head === null) throw new Problem(404, 'entry/missing', 'the log is empty');
  const entry = await log.stored.entry(index);
  const inclusion = await log.sequencer.proveInclusion(index, head.size);
  return { index, entry, receipt: await log.receipt(parseStatement(entry).sub, { index, head, inclusion }) };
}

function cbor(c: Ctx, bytes: Uint8Array): Response {
  c.header('Cache-Control', 'public, max-age=300');
  return c.body(body(bytes), { headers: { 'Content-Type': 'application/cbor' } });
}

/** RFC 9290: -1 is the title and -2 the detail. What the policy in the log refuses is "Rejected" with status 400, as the draft has it. */
function answerProblem(c: Ctx, problem: Problem): Response {
  const refused = problem.status === 401 || problem.status === 403 || problem.status === 409 || problem.status === 422;
  if (problem.details.retryAfter !== undefined) c.header('Retry-After', String(problem.details.retryAfter));
  c.header('Cache-Control', 'no-store');
  const title = REFUSALS[problem.code] ?? (refused ? 'Rejected' : (TITLES[problem.status] ?? 'Malformed request'));
  const rule = problem.details.rule === undefined ? '' : ` (decided by: ${problem.details.rule})`;
  const details = encodeCbor(
    new Map([
      [-1, problem.status >= 500 ? 'Not available' : title],
      [-2, `${problem.message}${rule}`],
    ]),
  );
  const status = refused ? 400 : problem.status;
  return c.body(body(details), status as 400, { 'Content-Type': 'application/concise-problem-details+cbor' });
}
