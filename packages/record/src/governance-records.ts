import * as z from 'zod';
import { tolerance } from './change-records.js';
import { access, common, digest, line, seconds, segment, severity } from './fields.js';

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
  'amendment',
  'system',
  'model',
  'config',
  'evaluation',
  'approval',
  'deployment',
  'attestation',
  'verification',
  'incident',
  'decision-batch',
  'change-plan',
  'assessment',
  'correction',
  'freeze',
  'map-head',
] as const;

/** Values by their name; `*` in a value stands for any characters. */
const patterns = z.record(line(1, 500), line(1, 2048));

/** A certificate in DER. */
const certificate = z.custom<Uint8Array>(
  (value) => value instanceof Uint8Array && value.length > 0 && value.length <= 8192,
  'must be a certificate in DER, at most 8,192 bytes',
);

/**
 * Whom a rule is about. All members that are given must fit: roles and ids are those of the enrolled key that signed, issuer and
 * claims those of whoever signed a foreign statement, or the bundle in it.
 */
const who = z
  .strictObject({
    roles: z.array(role).min(1).max(64).optional(),
    ids: z.array(segment).min(1).max(256).optional(),
    issuer: line(1, 2048).optional(),
    claims: patterns.optional(),
  })
  .refine((value) => Object.values(value).some((v) => v !== undefined), 'must name somebody')
  .refine(
    (value) => value.claims === undefined || value.issuer !== undefined,
    'claims are those of an issuer, which must be named',
  );

/** One rule: who may record which types on which subjects. Everything that no rule allows is refused. */
const policyRule = z.strictObject({
  name: segment,
  who,
  may: z
    .array(z.enum([...RECORD_TYPES, 'foreign', '*']))
    .min(1)
    .max(32),
  on: z.array(glob).min(1).max(64),
  /** Roles that whoever may record `identity` gives by this rule. Without it, only what an OIDC token proves is enrolled. */
  grants: z.array(role).max(64).optional(),
});

/** Somebody outside the log whose signatures count: the trust anchors of foreign statements (RFC 9943 section 5.1.1). */
const issuer = z
  .strictObject({
    /** The `iss` of statements; for bundles, a name that rules refer to. */
    issuer: line(1, 2048),
    /** Public keys that sign directly. */
    keys: z.array(coseKey).max(16).optional(),
    /** Root certificates; chains must lead to one of them. */
    roots: z.array(certificate).max(8).optional(),
    /** A Sigstore trusted root (JSON), for bundles with certificates that live for minutes. */
    trusted_root: z
      .custom<Uint8Array>(
        (value) => value instanceof Uint8Array && value.length > 1 && value.length <= 32_768,
        'must be JSON, at most 32,768 bytes',
      )
      .optional(),
    /** Patterns, one of which the subject alternative name (or, without one, the common name) of a certificate must fit. */
    identities: z.array(line(1, 1000)).min(1).max(32).optional(),
  })
  .refine(
    (i) => (i.keys?.length ?? 0) + (i.roots?.length ?? 0) > 0 || i.trusted_root !== undefined,
    'names neither keys nor roots nor a trusted root',
  )
  .refine(
    (i) => (i.roots === undefined && i.trusted_root === undefined) || i.identities !== undefined,
    'with roots, identities say whose certificates count',
  );

/** Members of a JWK that nobody else may know (RFC 7518 section 6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** An identity provider whose tokens enrol keys (OpenID Connect Core 1.0). */
const provider = z.strictObject({
  name: segment,
  /** The exact `iss` of its tokens, an https URL (http only on a loopback address). */
  issuer: line(1, 2048).refine(isIssuerUrl, 'must be an https URL without query and fragment; http only on loopback'),
  /** What `aud` must be: the client id for people, what the pipeline asks for otherwise. */
  audience: line(1, 500),
  kind: z.enum(['person', 'workload']),
  /** Ids of its identities are `<prefix>-<26 characters>`: pseudonyms. */
  prefix: segment.refine((text) => text.length <= 20, 'must have at most 20 characters'),
  /**
   * How a token is bound to the key: `nonce` or `audience` (suffix) carry the key's digest, `cnf` its JWK thumbprint (RFC 7800,
   * RFC 9449). `possession` is for tokens that carry none of them: whoever holds the token enrols a key, once.
   */
  binding: z.enum(['nonce', 'cnf', 'audience', 'possession']),
  algorithms: z
    .array(z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']))
    .min(1)
    .optional(),
  /** Claims (path segments joined by '/') and the roles that they give. All grants that fit count; none, no enrolment. */
  grants: z
    .array(z.strictObject({ claims: patterns, roles: z.array(role).min(1).max(64) }))
    .min(1)
    .max(128),
  /** Seconds that an enrolment lasts at most. */
  valid_for: z.int().min(60).max(31_536_000),
  /** Seconds that a token may be old, whatever its `exp` says. */
  token_age: z.int().min(10).max(86_400).optional(),
  /** Keys of an issuer that the log cannot reach; otherwise they come from its discovery document. */
  jwks: z
    .array(
      z
        .record(line(1, 50), z.union([line(1, 2000), z.array(line(1, 8000)).max(8)]))
        .refine((jwk) => jwk.kty !== 'oct' && !PRIVATE_MEMBERS.some((name) => name in jwk), 'must hold public keys only'),
    )
    .max(32)
    .optional(),
});

/** What must be in the log, besides approvals, before something is deployed. */
const gate = z
  .strictObject({
    /** Deployments that it is about. */
    on: glob,
    /** An evaluation of this very model and configuration that passes, and what its metrics must be at least and at most. */
    evaluation: z
      .strictObject({
        suite: line(1, 500).optional(),
        within: z.int().min(1).optional(),
        tolerances: z.array(tolerance).max(128).optional(),
        not_author: z.boolean().optional(),
      })
      .optional(),
    /** Whether the change of model and configuration is substantial has been assessed, and is none or has a new conformity assessment. */
    assessment: z.union([z.literal(true), z.strictObject({ not_author: z.boolean() })]).optional(),
    /** Open incidents of this severity or a higher one stop what they affect, but for its rollback. */
    incidents: severity.optional(),
  })
  .refine(
    (g) => g.evaluation !== undefined || g.assessment !== undefined || g.incidents !== undefined,
    'asks for nothing: name evaluation, assessment or incidents',
  );

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
  gates: z.array(gate).max(128).optional(),
  issuers: z
    .array(issuer)
    .max(64)
    .refine((list) => new Set(list.map((i) => i.issuer)).size === list.length, 'issuers must differ')
    .optional(),
  oidc: z
    .array(provider)
    .max(32)
    .refine((list) => new Set(list.map((p) => p.name)).size === list.length, 'names of providers must differ')
    .refine((list) => new Set(list.map((p) => p.prefix)).size === list.length, 'prefixes of providers must differ')
    .optional(),
  limits: z
    .strictObject({
      /** Less than the least would leave no room for any record. */
      entry_bytes: z.int().min(512).max(65_535).optional(),
      /** Attachments of one record, bytes of one attachment, and bytes that one identity attaches on one day (UTC). */
      attachments: z.int().min(0).max(256).optional(),
      attachment_bytes: z.int().min(0).optional(),
      attachment_quota: z.int().min(0).optional(),
      /** Narrows the 5 minutes within which `iat` must lie of the log's clock; below the least no clock is good enough. */
      clock_skew: z.int().min(5).max(300).optional(),
      break_glass: z.boolean().optional(),
    })
    .optional(),
});

const logKeys = z.array(line(1, 4096)).min(1).max(8);
const administrators = z
  .array(z.strictObject({ id: segment, key: coseKey, roles: z.array(role).max(64) }))
  .min(1)
  .max(64)
  .refine((list) => new Set(list.map((a) => a.id)).size === list.length, 'administrators must differ');
const threshold = z.int().min(1).max(64);
const witnesses = z.array(line(1, 4096)).max(64);

/** Entry 0: everything a replay needs to begin with. */
export const charter = z
  .strictObject({
    ...common,
    type: z.literal('charter'),
    origin: line(1, 255),
    /** Verifier keys (vkeys) of the log. */
    log_keys: logKeys,
    administrators,
    /** How many administrators must agree on a policy or an amendment. */
    threshold,
    policy: policyBody,
    /** Verifier keys of the witnesses that are expected to cosign. */
    witnesses,
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
    /** Enrolled by a token of this provider of the policy; `token` is its SHA-256, and counts once. */
    oidc: z.strictObject({ provider: segment, token: digest }).optional(),
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

/** Changes what the charter says. In force once as many administrators agree as the threshold in force asks for. */
export const amendment = z
  .strictObject({
    ...common,
    type: z.literal('amendment'),
    log_keys: logKeys.optional(),
    administrators: administrators.optional(),
    threshold: threshold.optional(),
    witnesses: witnesses.optional(),
  })
  .refine(
    (a) => [a.log_keys, a.administrators, a.threshold, a.witnesses].some((member) => member !== undefined),
    'an amendment names what it changes: log_keys, administrators, threshold or witnesses',
  );

/** The rules in force from this entry on, or from when as many administrators agree as the threshold asks for. */
export const policy = z.strictObject({ ...common, type: z.literal('policy'), policy: policyBody });

/** Nothing is ever edited: this supersedes an entry, for example when an attachment had to be erased. */
export const correction = z.strictObject({
  ...common,
  type: z.literal('correction'),
  supersedes: digest,
  erased: z.array(digest).max(256).optional(),
});

/** The log, or the subjects that a glob names, accept no more, for ever or until a time; 0 lifts all freezes within the glob. */
export const freeze = z.strictObject({ ...common, type: z.literal('freeze'), on: glob, until: seconds.optional() });

/** Written by the log alone: the root of its as-of map. */
export const mapHead = z.strictObject({ ...common, type: z.literal('map-head'), size: z.int().min(0), root: digest });

function isIssuerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, search, hash } = new URL(text);
  const loopback = hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  return (protocol === 'https:' || (protocol === 'http:' && loopback)) && search === '' && hash === '';
}
