import * as z from 'zod';
import { common, decimal, digest, line, milliseconds, relativePath, segment } from './fields.js';

const version = line(1, 200);

/** Intended purpose and inventory (AI Act Annex IV 1(a)). */
export const system = z.strictObject({
  ...common,
  type: z.literal('system'),
  name: segment,
  purpose: line(10, 4000),
  provider: line(1, 500),
  risk_class: line(1, 100),
  jurisdictions: z.array(line(1, 100)).min(1).max(64),
});

/** One version of a model: the digest is the root of its file manifest. */
export const model = z.strictObject({
  ...common,
  type: z.literal('model'),
  name: segment,
  version,
  digest,
  change: z.enum(['new', 'weights', 'finetune', 'adapter', 'quantisation', 'merge']),
  parents: z.array(z.strictObject({ leaf: digest.optional(), name: line(1, 500), digest: digest.optional() })).max(64),
  training_data: z.array(z.strictObject({ name: line(1, 500), digest: digest.optional(), provenance: line(1, 2000) })).max(256),
  size: z.strictObject({ bytes: z.int().min(0), files: z.int().min(1), parameters: z.int().min(0).optional() }).optional(),
  format: line(1, 100).optional(),
  /** Digest of the tensor summary, which is an attachment. */
  tensors: z.strictObject({ count: z.int().min(0), digest }).optional(),
  license: line(1, 200).optional(),
  sbom: z
    .array(z.strictObject({ format: line(1, 100), digest }))
    .max(16)
    .optional(),
  /** Where the files come from, as the tool says that keeps them; what they are, `digest` alone says. */
  source: z
    .strictObject({
      kind: z.enum(['git', 'dvc', 'huggingface', 'mlflow']),
      repository: line(1, 1000).optional(),
      /** The commit of that repository. */
      revision: line(1, 200).optional(),
      /** True when the files are not what the revision says. */
      dirty: z.boolean().optional(),
      path: line(1, 1000).optional(),
      /** What the tool calls this content, such as DVC's MD5: a name to find it by. */
      id: line(1, 500).optional(),
    })
    .optional(),
});

/** A configuration snapshot: the files, where they come from, and what they set. */
export const config = z.strictObject({
  ...common,
  type: z.literal('config'),
  name: segment,
  version,
  files: z
    .array(z.strictObject({ path: relativePath, digest, canonical: digest.optional() }))
    .min(1)
    .max(256)
    .refine((files) => new Set(files.map((f) => f.path)).size === files.length, 'paths must differ'),
  git: z
    .strictObject({
      repository: line(1, 1000).optional(),
      commit: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/),
      dirty: z.boolean(),
    })
    .optional(),
  parameters: z.record(line(1, 100), line(1, 1000)).optional(),
  guardrails: z
    .array(z.strictObject({ id: line(1, 200), setting: line(0, 1000), action: line(1, 200) }))
    .max(512)
    .optional(),
  system_prompt: digest.optional(),
});

const metric = z.strictObject({
  name: line(1, 200),
  value: decimal,
  unit: line(1, 50).optional(),
  slice: line(1, 200).optional(),
  interval: z.tuple([decimal, decimal]).optional(),
});
/** Without a slice, it is about the metric over all examples. */
const tolerance = z.strictObject({
  metric: line(1, 200),
  slice: line(1, 200).optional(),
  min: decimal.optional(),
  max: decimal.optional(),
});

/** How a model in a configuration performed: the baseline that later observations are compared with. */
export const evaluation = z.strictObject({
  ...common,
  type: z.literal('evaluation'),
  model: digest,
  config: digest,
  suite: line(1, 500),
  dataset: digest,
  metrics: z.array(metric).min(1).max(512),
  verdict: z.enum(['pass', 'fail']),
  tolerances: z.array(tolerance).max(512),
});

/** A named person's decision about one entry. */
export const approval = z.strictObject({
  ...common,
  type: z.literal('approval'),
  target: digest,
  decision: z.enum(['approve', 'reject']),
  role: segment,
  expires: milliseconds.optional(),
});

/** A combination of model and configuration goes live, is live, or ends. */
export const deployment = z.strictObject({
  ...common,
  type: z.literal('deployment'),
  phase: z.enum(['intent', 'active', 'ended']),
  environment: segment,
  service: segment,
  model: digest,
  config: digest,
  state: digest,
  approvals: z.array(digest).max(64),
  image: digest.optional(),
  replicas: z.int().min(0).optional(),
  cause: line(1, 1000).optional(),
  /** The deployment that this one undoes: a rollback. */
  replaces: digest.optional(),
  /** Deployed without the approvals that the policy asks for; always an alarm. */
  break_glass: z.literal(true).optional(),
  /** The pipeline run that deploys: a retry of the same run goes on where it stopped, another run does not. */
  run: line(1, 200).optional(),
});

/** What may be changed without a new assessment, and when such a change is good enough (AI Act Art. 43(4), FDA PCCP). */
export const changePlan = z.strictObject({
  ...common,
  type: z.literal('change-plan'),
  modifications: z.array(line(1, 2000)).min(1).max(128),
  acceptance: z.array(tolerance).max(256),
});

/** Whether a change was substantial. */
export const assessment = z.strictObject({
  ...common,
  type: z.literal('assessment'),
  target: digest,
  plan: digest.optional(),
  result: z.enum(['substantial', 'within-plan', 'not-substantial']),
  /** Digest of the new conformity assessment, without which a substantial change is not put into service. */
  conformity: digest.optional(),
});

export { metric, tolerance };
