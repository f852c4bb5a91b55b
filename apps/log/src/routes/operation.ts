import { clockSkew } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import { decodeUtf8, formatVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { base64, type Env, hex, Problem } from '@treering/server';
import { type CborInput, decodeCbor, encodeCbor, encodeCoseKey, MAX_STATEMENT_SIZE, toJson } from '@treering/statement';
import { Hono } from 'hono';
import { openApi } from '../openapi.js';
import type { Server } from './context.js';

/** Milliseconds after which a head counts as old while the tree has grown. */
const STALE = 60_000;

/** What the log says of itself, its health and its metrics. */
export function operationRoutes(server: Server): Hono<Env> {
  const { log, config, metrics } = server;
  const app = new Hono<Env>();

  const describeRules = () => {
    const { state } = log.admission;
    const { policy, policyIndex } = state;
    return {
      policy:
        policy === undefined
          ? null
          : { index: policyIndex, body: toJson(decodeCbor(encodeCbor(policy as unknown as CborInput))) },
      administrators: [...new Set(state.administrators().map(({ id }) => id))],
      threshold: state.threshold,
      proposals: state.proposals().map((proposal) => {
        const { record, index, leaf } = proposal;
        return { subject: record.subject, index, leaf: hex(leaf), agreeing: state.agreeing(proposal) };
      }),
      clock_skew_seconds: clockSkew(state),
    };
  };
  let rules = describeRules();
  app.get('/v1/log', async (c) => {
    // Between batches: in one that is under way, rules may change that never come into force. While nobody knows whether the newest is
    // stored, those of before are said again.
    rules = await log.sequencer.between(() => (log.sequencer.trouble === undefined ? describeRules() : rules));
    const { head } = log.sequencer;
    const { published } = log.publisher;
    const { policy, administrators, threshold, proposals, clock_skew_seconds } = rules;
    return c.json({
      origin: log.origin,
      url: server.url(),
      vkeys: [log.signer, log.publicationSigner].map((signer) => formatVerifierKey(signer.key)),
      receipt_key: base64(encodeCoseKey(log.receiptKey)),
      committed:
        head === null ? null : { size: head.size, root: hex(head.root), time: head.time, checkpoint: decodeUtf8(head.note) },
      published:
        published === null
          ? null
          : { size: published.size, root: hex(published.root), time: published.time, checkpoint: decodeUtf8(published.note) },
      policy,
      administrators,
      threshold,
      proposals,
      limits: {
        statement_bytes: MAX_STATEMENT_SIZE,
        attachment_bytes: config.attachment_bytes,
        batch_statements: 4096,
        batch_bytes: 16 * 1024 * 1024,
        clock_skew_seconds,
      },
      witnesses: (log.witnesses?.status() ?? []).map((status) => ({
        ...status,
        lag: status.size === null ? null : (head?.size ?? 0) - status.size,
      })),
      quorum: log.witnesses?.policy.quorum ?? 'none',
      enrolment: server.registrar !== undefined,
      read_only: config.read_only,
      implementation: { hasher: nodeHasher.name, ed25519: nodeEd25519.name, storage: log.storage.name },
    });
  });

  let description: Record<string, unknown> | undefined;
  app.get('/v1/openapi.json', (c) => {
    description ??= openApi();
    return c.json(description);
  });

  app.get('/healthz', (c) => c.json({ status: 'alive' }));

  // One write a second, however often anybody asks and however long it takes.
  let probed = Number.NEGATIVE_INFINITY;
  let probing: Promise<void> | undefined;
  const checkWritable = async (): Promise<void> => {
    if (performance.now() - probed < 1000) return;
    probing ??= log.storage
      .checkWritable()
      .then(() => {
        probed = performance.now();
      })
      .finally(() => {
        probing = undefined;
      });
    await probing;
  };
  /** Since when, in milliseconds, the tree has been larger than what is published; undefined when it is not. */
  const isBehind = (): boolean => (log.sequencer.head?.size ?? 0) > (log.publisher.published?.size ?? 0);
  let behindSince = isBehind() ? log.clock() : undefined;
  log.sequencer.onCommit(() => {
    behindSince ??= isBehind() ? log.clock() : undefined;
  });
  log.publisher.onPublish(() => {
    behindSince = isBehind() ? log.clock() : undefined;
  });
  app.get('/readyz', async (c) => {
    const { trouble, head } = log.sequencer;
    const { published } = log.publisher;
    if (trouble !== undefined) throw notReady();
    const objection = log.witnesses?.objection;
    if (objection !== undefined) throw new Problem(503, 'log/contradicted', objection, { retryAfter: 60 });
    const silence = log.witnesses?.silence;
    if (silence !== undefined) throw new Problem(503, 'log/unwitnessed-start', silence, { retryAfter: 5 });
    if (config.read_only) return c.json({ status: 'read-only', committed: head?.size ?? 0, published: published?.size ?? 0 });
    await checkWritable();
    if (behindSince !== undefined && log.clock() - behindSince > STALE + config.publish_interval) {
      throw new Problem(503, 'log/stale', 'the published checkpoint is old although the log has grown', { retryAfter: 5 });
    }
    return c.json({ status: 'ready', committed: head?.size ?? 0, published: published?.size ?? 0 });
  });

  app.get('/metrics', async (c) =>
    c.text(await metrics.registry.metrics(), 200, { 'Content-Type': metrics.registry.contentType }),
  );
  return app;
}

/** What is answered while nobody knows where the log stands. */
export function notReady(): Problem {
  return new Problem(503, 'log/not-ready', 'the log takes no entries; its operator finds out why in its records', {
    retryAfter: 5,
  });
}
