import * as z from 'zod';
import { metric, tolerance } from './change-records.js';
import { common, digest, line, milliseconds, segment, severity } from './fields.js';

/** What a machine measured while it ran a deployment. */
export const attestation = z.strictObject({
  ...common,
  type: z.literal('attestation'),
  deployment: digest,
  format: line(1, 100),
  evidence: digest,
  nonce: digest,
  measured: digest,
  verdict: z.enum(['match', 'mismatch', 'inconclusive']),
});

/** What the verification routine or a shadow evaluation saw, compared with what was logged. */
export const verification = z
  .strictObject({
    ...common,
    type: z.literal('verification'),
    /** The record that put into service what was looked at; left out when none did. */
    deployment: digest.optional(),
    /** State digest of what runs. */
    observed: digest,
    verdict: z.enum(['match', 'mismatch', 'drift', 'inconclusive']),
    /** What was looked at: files and images, or how the model answers. Without it, both. */
    about: z.enum(['state', 'behaviour']).optional(),
    /** The machine that was looked at; of another one nothing is said. */
    host: segment.optional(),
    /** The evaluation that the metrics are compared with. */
    baseline: digest.optional(),
    metrics: z.array(metric).max(512).optional(),
    tolerances: z.array(tolerance).max(512).optional(),
  })
  .refine(
    (v) => v.deployment !== undefined || v.verdict === 'mismatch' || v.verdict === 'match',
    'without a deployment something runs that should not (mismatch), or nothing does (match)',
  );

/** Something went wrong (AI Act Art. 73). */
export const incident = z.strictObject({
  ...common,
  type: z.literal('incident'),
  severity,
  /** What came of it, if it is a serious incident (AI Act Art. 3(49)): it decides by when it is reported. */
  harm: z
    .enum(['death', 'health', 'critical-infrastructure', 'fundamental-rights', 'property-or-environment', 'widespread'])
    .optional(),
  /** A later record of the same subject closes it. */
  status: z.enum(['open', 'closed']).optional(),
  aware_at: milliseconds,
  affected: z.array(digest).max(256),
  due_at: milliseconds.optional(),
  /** When the report was made: none is due any more. */
  reported_at: milliseconds.optional(),
  authorities: z.array(line(1, 500)).max(64).optional(),
});

/**
 * Decisions that an AI system made, without saying which: the root of the RFC 6962 tree over them (@treering/evidence, `Decision`),
 * so that a single one can be proved later and the others stay hidden.
 */
export const decisionBatch = z
  .strictObject({
    ...common,
    type: z.literal('decision-batch'),
    /** The record that put into service what decided. */
    deployment: digest,
    /** State digest of model, configuration and image, as in the deployment. */
    state: digest,
    root: digest,
    count: z.int().min(1),
    /** Times of the first and the last decision. */
    first_at: milliseconds,
    last_at: milliseconds,
  })
  .refine((batch) => batch.first_at <= batch.last_at, 'the first decision is later than the last');
