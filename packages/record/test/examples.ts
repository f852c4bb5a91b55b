import { createStatementSigner, encodeCoseKey } from '@treering/statement';
import type { ChangeRecord, RecordOf, RecordType } from '../src/index.js';

/** 32 equal bytes: stands for a digest or a leaf hash. */
export function digestOf(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill);
}

/** The COSE_Key of the Ed25519 key whose seed is 32 times `fill`. */
export function coseKeyOf(fill: number): Uint8Array {
  return encodeCoseKey(createStatementSigner(new Uint8Array(32).fill(fill)).key);
}

const reason = 'The credit model was retrained on the data of the third quarter.';

/** Every member that all records share, with what is optional. */
const everything = {
  reason,
  effective_from: 1_760_000_000_000,
  prev: digestOf(0xa1),
  anchor: { size: 412, root: digestOf(0xa2) },
  refs: [
    { rel: 'evaluates', leaf: digestOf(0xa3) },
    { rel: 'answers', leaf: digestOf(0xa4) },
  ],
  ticket: 'CHG-1204',
  attachments: [
    {
      name: 'reports/fairness.pdf',
      media_type: 'application/pdf',
      size: 48_211,
      digest: digestOf(0xa5),
      access: 'restricted' as const,
    },
  ],
  retention: { rule: 'ten-years', until: 2_075_000_000_000 },
};

const minimalPolicy: RecordOf<'policy'>['policy'] = {
  rules: [{ name: 'engineers', who: { roles: ['engineer'] }, may: ['model'], on: ['model/*'] }],
};

const fullPolicy: RecordOf<'policy'>['policy'] = {
  rules: [
    { name: 'engineers', who: { roles: ['engineer', 'lead'] }, may: ['model', 'config'], on: ['model/*', 'config/**'] },
    { name: 'registrar', who: { ids: ['registrar.1'] }, may: ['identity'], on: ['identity/*'], grants: ['engineer'] },
    {
      name: 'suppliers',
      who: { issuer: 'https://ci.supplier.example', claims: { repository: 'supplier/models' } },
      may: ['foreign'],
      on: ['**'],
    },
  ],
  approvals: [{ on: 'deploy/production/*', need: 2, roles: ['approver'], not_author: true, within: 86_400 }],
  issuers: [
    {
      issuer: 'https://ci.supplier.example',
      keys: [coseKeyOf(5)],
      roots: [Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x01)],
      trusted_root: Uint8Array.of(0x7b, 0x7d),
      identities: ['https://ci.supplier.example/workflows/*'],
    },
  ],
  oidc: [
    {
      name: 'ci',
      issuer: 'https://ci.example',
      audience: 'log.example/ai',
      kind: 'workload',
      prefix: 'ci',
      binding: 'audience',
      algorithms: ['RS256', 'ES256'],
      grants: [{ claims: { 'build/repository': 'example/*', ref: 'main' }, roles: ['machine'] }],
      valid_for: 3600,
      token_age: 300,
      jwks: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
    },
  ],
  limits: {
    entry_bytes: 32_768,
    attachments: 8,
    attachment_bytes: 1_048_576,
    attachment_quota: 16_777_216,
    clock_skew: 120,
    break_glass: true,
  },
};

/** What is left out, what everything is, for each record type. All of them are valid. */
export const EXAMPLES: { readonly [T in RecordType]: { readonly minimal: RecordOf<T>; readonly full: RecordOf<T> } } = {
  charter: {
    minimal: {
      v: 1,
      type: 'charter',
      subject: 'charter',
      reason,
      origin: 'log.example/ai',
      log_keys: ['log.example/ai+0f1e2d3c+AQIDBA'],
      administrators: [{ id: 'ada', key: coseKeyOf(1), roles: [] }],
      threshold: 1,
      policy: minimalPolicy,
      witnesses: [],
    },
    full: {
      v: 1,
      type: 'charter',
      subject: 'charter',
      ...everything,
      origin: 'log.example/ai',
      log_keys: ['log.example/ai+0f1e2d3c+AQIDBA', 'log.example/ai+1f1e2d3c+BQIDBA'],
      administrators: [
        { id: 'ada', key: coseKeyOf(1), roles: ['administrator'] },
        { id: 'grace', key: coseKeyOf(2), roles: ['administrator', 'approver'] },
      ],
      threshold: 2,
      policy: fullPolicy,
      witnesses: ['witness.example/w1+aabbccdd+BAAA'],
    },
  },
  identity: {
    minimal: {
      v: 1,
      type: 'identity',
      subject: 'identity/p-17',
      reason,
      action: 'enrol',
      id: 'p-17',
      key: coseKeyOf(3),
      kind: 'person',
      roles: [],
      valid_until: 1_800_000_000,
    },
    full: {
      v: 1,
      type: 'identity',
      subject: 'identity/trainer@ci',
      ...everything,
      action: 'enrol',
      id: 'trainer@ci',
      key: coseKeyOf(4),
      kind: 'workload',
      roles: ['engineer', 'machine'],
      valid_until: 1_800_000_000,
      evidence: { digest: digestOf(0xb1), access: 'restricted' },
      oidc: { provider: 'ci', token: digestOf(0xb2) },
    },
  },
  amendment: {
    minimal: { v: 1, type: 'amendment', subject: 'charter', reason, threshold: 1 },
    full: {
      v: 1,
      type: 'amendment',
      subject: 'charter',
      ...everything,
      log_keys: ['log.example/ai+2f1e2d3c+BgIDBA'],
      administrators: [
        { id: 'ada', key: coseKeyOf(1), roles: ['administrator'] },
        { id: 'edsger', key: coseKeyOf(6), roles: ['administrator', 'approver'] },
      ],
      threshold: 2,
      witnesses: ['witness.example/w2+bbccddee+BAAB'],
    },
  },
  policy: {
    minimal: { v: 1, type: 'policy', subject: 'policy', reason, policy: minimalPolicy },
    full: { v: 1, type: 'policy', subject: 'policy', ...everything, policy: fullPolicy },
  },
  system: {
    minimal: {
      v: 1,
      type: 'system',
      subject: 'system/credit',
      reason,
      name: 'credit',
      purpose: 'Scores consumer credit applications.',
      provider: 'Example Bank',
      risk_class: 'high',
      jurisdictions: ['EU'],
    },
    full: {
      v: 1,
      type: 'system',
      subject: 'system/credit',
      ...everything,
      name: 'credit',
      purpose: 'Scores consumer credit applications.',
      provider: 'Example Bank',
      risk_class: 'high',
      jurisdictions: ['EU', 'CH'],
    },
  },
  model: {
    minimal: {
      v: 1,
      type: 'model',
      subject: 'model/credit-score',
      reason,
      name: 'credit-score',
      version: '1',
      digest: digestOf(0xc1),
      change: 'new',
      parents: [],
      training_data: [],
    },
    full: {
      v: 1,
      type: 'model',
      subject: 'model/credit-score',
      ...everything,
      name: 'credit-score',
      version: '2026.3',
      digest: digestOf(0xc2),
      change: 'finetune',
      parents: [{ leaf: digestOf(0xc3), name: 'credit-score 2026.2', digest: digestOf(0xc4) }],
      training_data: [{ name: 'applications-q3', digest: digestOf(0xc5), provenance: 'Warehouse export, consented.' }],
      size: { bytes: 8_100_000_000, files: 7, parameters: 4_021_000_000 },
      format: 'safetensors',
      tensors: { count: 291, digest: digestOf(0xc6) },
      license: 'Apache-2.0',
      sbom: [{ format: 'CycloneDX 1.6', digest: digestOf(0xc7) }],
    },
  },
  config: {
    minimal: {
      v: 1,
      type: 'config',
      subject: 'config/credit-api',
      reason,
      name: 'credit-api',
      version: '1',
      files: [{ path: 'config.yaml', digest: digestOf(0xd1) }],
    },
    full: {
      v: 1,
      type: 'config',
      subject: 'config/credit-api',
      ...everything,
      name: 'credit-api',
      version: '44',
      files: [
        { path: 'config/api.yaml', digest: digestOf(0xd2), canonical: digestOf(0xd3) },
        { path: 'config/limits.yaml', digest: digestOf(0xd4) },
      ],
      git: { repository: 'https://git.example/credit', commit: '0123456789abcdef0123456789abcdef01234567', dirty: true },
      parameters: { temperature: '0.7', max_tokens: '800' },
      guardrails: [{ id: 'pii', setting: 'strict', action: 'block' }],
      system_prompt: digestOf(0xd5),
    },
  },
  evaluation: {
    minimal: {
      v: 1,
      type: 'evaluation',
      subject: 'model/credit-score',
      reason,
      model: digestOf(0xe1),
      config: digestOf(0xe2),
      suite: 'fairness-v4',
      dataset: digestOf(0xe3),
      metrics: [{ name: 'auc', value: '0.91' }],
      verdict: 'pass',
      tolerances: [],
    },
    full: {
      v: 1,
      type: 'evaluation',
      subject: 'model/credit-score',
      ...everything,
      model: digestOf(0xe1),
      config: digestOf(0xe2),
      suite: 'fairness-v4',
      dataset: digestOf(0xe3),
      metrics: [{ name: 'auc', value: '0.91', unit: 'ratio', slice: 'age 18-25', interval: ['0.89', '0.93'] }],
      verdict: 'fail',
      tolerances: [{ metric: 'auc', min: '0.9', max: '1' }],
    },
  },
  approval: {
    minimal: {
      v: 1,
      type: 'approval',
      subject: 'deploy/production/credit',
      reason,
      target: digestOf(0xf1),
      decision: 'approve',
      role: 'approver',
    },
    full: {
      v: 1,
      type: 'approval',
      subject: 'deploy/production/credit',
      ...everything,
      target: digestOf(0xf1),
      decision: 'reject',
      role: 'approver',
      expires: 1_760_600_000_000,
    },
  },
  deployment: {
    minimal: {
      v: 1,
      type: 'deployment',
      subject: 'deploy/production/credit',
      reason,
      phase: 'intent',
      environment: 'production',
      service: 'credit',
      model: digestOf(0x11),
      config: digestOf(0x12),
      state: digestOf(0x13),
      approvals: [],
    },
    full: {
      v: 1,
      type: 'deployment',
      subject: 'deploy/production/credit',
      ...everything,
      phase: 'active',
      environment: 'production',
      service: 'credit',
      model: digestOf(0x11),
      config: digestOf(0x12),
      state: digestOf(0x13),
      approvals: [digestOf(0x14), digestOf(0x15)],
      image: digestOf(0x16),
      replicas: 12,
      cause: 'The newer model was refused by the drift monitor.',
      replaces: digestOf(0x17),
      break_glass: true,
    },
  },
  attestation: {
    minimal: {
      v: 1,
      type: 'attestation',
      subject: 'deploy/production/credit',
      reason,
      deployment: digestOf(0x21),
      format: 'tpm2-quote',
      evidence: digestOf(0x22),
      nonce: digestOf(0x23),
      measured: digestOf(0x24),
      verdict: 'match',
    },
    full: {
      v: 1,
      type: 'attestation',
      subject: 'deploy/production/credit',
      ...everything,
      deployment: digestOf(0x21),
      format: 'tpm2-quote',
      evidence: digestOf(0x22),
      nonce: digestOf(0x23),
      measured: digestOf(0x24),
      verdict: 'inconclusive',
    },
  },
  verification: {
    minimal: {
      v: 1,
      type: 'verification',
      subject: 'deploy/production/credit',
      reason,
      deployment: digestOf(0x31),
      observed: digestOf(0x32),
      verdict: 'match',
    },
    full: {
      v: 1,
      type: 'verification',
      subject: 'deploy/production/credit',
      ...everything,
      deployment: digestOf(0x31),
      observed: digestOf(0x32),
      verdict: 'drift',
      baseline: digestOf(0x33),
      metrics: [{ name: 'psi', value: '0.31', unit: 'index', slice: 'all', interval: ['0.29', '0.33'] }],
      tolerances: [{ metric: 'psi', max: '0.2', min: '-0.1' }],
    },
  },
  incident: {
    minimal: {
      v: 1,
      type: 'incident',
      subject: 'system/credit',
      reason,
      severity: 'low',
      aware_at: 1_760_000_000_000,
      affected: [],
    },
    full: {
      v: 1,
      type: 'incident',
      subject: 'system/credit',
      ...everything,
      severity: 'critical',
      aware_at: 1_760_000_000_000,
      affected: [digestOf(0x41)],
      due_at: 1_761_296_000_000,
      authorities: ['Bundesnetzagentur'],
    },
  },
  'decision-batch': {
    minimal: {
      v: 1,
      type: 'decision-batch',
      subject: 'decisions/credit',
      reason,
      deployment: digestOf(0x51),
      state: digestOf(0x52),
      root: digestOf(0x53),
      count: 2,
      first_at: 1_760_000_000_000,
      last_at: 1_760_000_900_000,
    },
    full: {
      v: 1,
      type: 'decision-batch',
      subject: 'decisions/credit',
      ...everything,
      deployment: digestOf(0x51),
      state: digestOf(0x52),
      root: digestOf(0x53),
      count: 2,
      first_at: 1_760_000_000_000,
      last_at: 1_760_000_900_000,
    },
  },
  'change-plan': {
    minimal: {
      v: 1,
      type: 'change-plan',
      subject: 'system/credit',
      reason,
      modifications: ['Retraining on the next quarter.'],
      acceptance: [],
    },
    full: {
      v: 1,
      type: 'change-plan',
      subject: 'system/credit',
      ...everything,
      modifications: ['Retraining on the next quarter.', 'Recalibration of the threshold.'],
      acceptance: [{ metric: 'auc', min: '0.9', max: '1' }],
    },
  },
  assessment: {
    minimal: { v: 1, type: 'assessment', subject: 'system/credit', reason, target: digestOf(0x51), result: 'substantial' },
    full: {
      v: 1,
      type: 'assessment',
      subject: 'system/credit',
      ...everything,
      target: digestOf(0x51),
      plan: digestOf(0x52),
      result: 'within-plan',
    },
  },
  correction: {
    minimal: { v: 1, type: 'correction', subject: 'model/credit-score', reason, supersedes: digestOf(0x61) },
    full: {
      v: 1,
      type: 'correction',
      subject: 'model/credit-score',
      ...everything,
      supersedes: digestOf(0x61),
      erased: [digestOf(0x62), digestOf(0x63)],
    },
  },
  freeze: {
    minimal: { v: 1, type: 'freeze', subject: 'freeze/year-end', reason, on: '**' },
    full: { v: 1, type: 'freeze', subject: 'freeze/year-end', ...everything, on: 'deploy/production/*', until: 1_767_225_600 },
  },
  'map-head': {
    minimal: { v: 1, type: 'map-head', subject: 'map', reason, size: 0, root: digestOf(0x71) },
    full: { v: 1, type: 'map-head', subject: 'map', ...everything, size: 9_007_199_254_740_991, root: digestOf(0x72) },
  },
};

/** The names of all record types. */
export const RECORD_TYPES = Object.keys(EXAMPLES) as RecordType[];

/** Every example with a name for messages. */
export const ALL_EXAMPLES: readonly { readonly name: string; readonly record: ChangeRecord }[] = RECORD_TYPES.flatMap(
  (type) => [
    { name: `minimal ${type}`, record: EXAMPLES[type].minimal },
    { name: `full ${type}`, record: EXAMPLES[type].full },
  ],
);
