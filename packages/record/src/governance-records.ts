import { z } from 'zod';
import { access, common, digest, line, seconds, segment } from './fields.js';

/** A public key as COSE_Key in deterministic CBOR. The schema bounds it; `parseCoseKey` of @treering/statement reads it. */
const coseKey = z.custom<Uint8Array>(
  (value) => value instanceof Uint8Array && value.length > 0 && value.length <= 256,
  'must be a COSE_Key in CBOR, at most 256 bytes',
);

const role = segment;
/** `*` within a segment stands for any characters but '/'; a last segment `**` stands for one or more segments. */
const glob = z
  .string()
  .regex(/^[a-z0-9._@*-]+(?:\/[a-z0-9._@*-]+)*$/, 'must be a subject with "*" and a last "**"')
  .max(200);

/** Types that a policy rule can allow. `foreign` stands for statements of other content types. */
const RECORD_TYPES = [
  'charter',
  'identity',
  'policy',
  'system',
  'model',
  'config',
  'evaluation',
  'approval',
  'deployment',
  'attestation',
  'verification',
  'incident',
  'change-plan',
  'assessment',
  'correction',
  'freeze',
  'map-head',
] as const;

/** Whom a rule is about. All members that are given must fit. */
const who = z
  .strictObject({
    roles: z.array(role).min(1).max(64).optional(),
    ids: z.array(segment).min(1).max(256).optional(),
    issuer: line(1, 2048).optional(),
    claims: z.record(z.string(), line(1, 2048)).optional(),
  })
  .refine((value) => Object.values(value).some((v) => v !== undefined), 'must name somebody');

/** One rule: who may record which types on which subjects. Everything that no rule allows is refused. */
const policyRule = z.strictObject({
  name: segment,
  who,
  may: z
    .array(z.enum([...RECORD_TYPES, 'foreign', '*']))
    .min(1)
    .max(32),
  on: z.array(glob).min(1).max(64),
});

/** The rules in force (formats.md section 7). */
const policyBody = z.strictObject({
  rules: z
    .array(policyRule)
    .max(512)
    .refine((rules) => new Set(rules.map((r) => r.name)).size === rules.length, 'rule names must differ'),
  approvals: z
    .array(
      z.strictObject({
        on: glob,
        need: z.int().min(1).max(64),
        roles: z.array(role).min(1).max(64),
        not_author: z.boolean(),
        within: z.int().min(1).optional(),
      }),
    )
    .max(128)
    .optional(),
  limits: z
    .strictObject({
      entry_bytes: z.int().min(1).max(65_535).optional(),
      attachments: z.int().min(0).max(256).optional(),
      /** Narrows the 5 minutes within which `iat` must lie of the log's clock. */
      clock_skew: z.int().min(1).max(300).optional(),
      break_glass: z.boolean().optional(),
    })
    .optional(),
});

/** Entry 0: everything a replay needs to begin with. */
export const charter = z
  .strictObject({
    ...common,
    type: z.literal('charter'),
    origin: line(1, 255),
    /** Verifier keys (vkeys) of the log. */
    log_keys: z.array(line(1, 4096)).min(1).max(8),
    administrators: z
      .array(z.strictObject({ id: segment, key: coseKey, roles: z.array(role).max(64) }))
      .min(1)
      .max(64)
      .refine((list) => new Set(list.map((a) => a.id)).size === list.length, 'administrators must differ'),
    /** How many administrators a change of the policy needs. */
    threshold: z.int().min(1).max(64),
    policy: policyBody,
    /** Verifier keys of the witnesses that are expected to cosign. */
    witnesses: z.array(line(1, 4096)).max(64),
  })
  .refine((c) => c.threshold <= c.administrators.length, 'the threshold is more than there are administrators');

/** Enrols a key, or revokes one from this entry on. */
export const identity = z
  .strictObject({
    ...common,
    type: z.literal('identity'),
    action: z.enum(['enrol', 'revoke']),
    id: segment,
    key: coseKey.optional(),
    kind: z.enum(['person', 'workload']).optional(),
    roles: z.array(role).max(64).optional(),
    /** Seconds since the epoch, compared with `iat`. */
    valid_until: seconds.optional(),
    evidence: z.strictObject({ digest, access }).optional(),
  })
  .refine(
    (r) =>
      r.action === 'revoke' ||
      (r.key !== undefined && r.kind !== undefined && r.roles !== undefined && r.valid_until !== undefined),
    {
      message: 'an enrolment names key, kind, roles and valid_until',
    },
  )
  .refine((r) => r.action === 'enrol' || (r.kind === undefined && r.roles === undefined && r.valid_until === undefined), {
    message: 'a revocation names id and, for one key of several, key',
  });

/** The rules in force from this entry on. */
export const policy = z.strictObject({ ...common, type: z.literal('policy'), policy: policyBody });

/** Nothing is ever edited: this supersedes an entry, for example when an attachment had to be erased. */
export const correction = z.strictObject({
  ...common,
  type: z.literal('correction'),
  supersedes: digest,
  erased: z.array(digest).max(256).optional(),
});

/** The log, or the subjects that a glob names, accept no more. */
export const freeze = z.strictObject({ ...common, type: z.literal('freeze'), on: glob, until: seconds.optional() });

/** Written by the log alone: the root of its as-of map. */
export const mapHead = z.strictObject({ ...common, type: z.literal('map-head'), size: z.int().min(0), root: digest });
