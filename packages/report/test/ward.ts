import { sha256 } from '@noble/hashes/sha2.js';
import { type Decision, decisionRoot, encodeDecision, type PackItem, proveDecision, type Question } from '@treering/evidence';
import { encodeUtf8, formatVerifierKey, hex } from '@treering/note';
import { type Attachment, configDigest, createAttachment, decodeRecord, type RecordOf, stateDigest } from '@treering/record';
import { encodeCoseKey, parseStatement } from '@treering/statement';
import { admin, engineer, logKeys, PackLog, type Person, person, START } from '../../evidence/test/pack-log.js';
import { POLICY_TEXT as PACK_POLICY } from '../../evidence/test/pack-policy.js';

// A year of a triage service in a hospital: three versions of model and configuration, evaluations, an incident that took one of
// them out of service, and somebody who writes markup into his reasons.

const DAY = 86_400;

/** Somebody writes this into a record. */
export const INJECTED =
  '<script>document.body.dataset.owned = "yes"</script><img src="x" onerror="document.body.dataset.owned = 1">';

const clinician = person('person-7f3a', 31);
const quality = person('person-c21e', 32);

/** Everything that was recorded about the service. */
const QUESTION: Question = {
  subjects: ['config/triage', 'decisions/triage', 'deploy/prod/triage', 'incident/**', 'model/triage'],
  attachments: 'restricted',
};

/** The trust policy of a regulator who knows the log and both witnesses. */
export const POLICY_TEXT = `# What the regulator trusts\n${PACK_POLICY}`;

/** Keys of the log alone, one a line. */
export const KEYS_TEXT = logKeys.map(({ key }) => formatVerifierKey(key)).join('\n');

/** The log of the ward, and a pack of it. */
export async function ward(): Promise<{ readonly log: PackLog; readonly pack: Uint8Array }> {
  const log = await PackLog.begin();
  await enrol(log, clinician, 'approver', { name: 'Dr Mara Lindqvist', email: 'mara.lindqvist@ward.example' });
  await enrol(log, quality, 'approver', { claims: { name: 'Jonas Abel' } });
  log.head();
  const first = await release(log, '1.0', '1', 11, '0.80', ['0.91', '0.84']);
  await deploy(log, first, 'intent');
  log.now += 3600;
  await deploy(log, first, 'active');
  log.head();
  log.now += 74 * DAY;
  const second = await release(log, '1.1', '2', 12, '0.65', ['0.93', '0.79']);
  log.head();
  log.now += DAY;
  await deploy(log, second, 'active');
  log.head();
  log.now += 40 * DAY;
  const incident = await log.add(engineer, {
    type: 'incident',
    subject: 'incident/2026-04',
    reason: `Urgent cases of ward B were ranked low. ${INJECTED}`,
    severity: 'high',
    aware_at: log.now * 1000,
    due_at: (log.now + 15 * DAY) * 1000,
    affected: [second.model],
    authorities: ['Medical Devices Authority'],
  });
  log.now += 2 * 3600;
  await deploy(log, second, 'ended', 'Taken out of service after the incident in ward B.');
  log.head();
  log.now += 3 * DAY;
  await log.add(engineer, {
    type: 'correction',
    subject: 'incident/2026-04',
    reason: 'The incident was noticed in ward C, and not in ward B.',
    supersedes: incident,
  });
  log.now += 60 * DAY;
  const third = await release(log, '2.0', '3', 13, '0.70', ['0.96', '0.88']);
  log.head();
  log.now += 2 * DAY;
  const active = await deploy(log, third, 'active');
  log.head();
  const batch = await decide(log, active);
  log.now += 20 * DAY;
  log.head();
  return { log, pack: await log.pack(QUESTION, [batch]) };
}

function attached(
  name: string,
  text: string,
  access: 'public' | 'restricted' | 'withheld',
  media_type = 'text/plain',
): Attachment {
  const salt = sha256(encodeUtf8(name + text)).slice(0, 16);
  return createAttachment(encodeUtf8(text), { name, media_type, access }, salt);
}

function enrol(log: PackLog, who: Person, role: string, about: unknown): Promise<Uint8Array> {
  const record = {
    type: 'identity',
    subject: `identity/${who.id}`,
    reason: 'Enrolled by the office for quality management.',
    action: 'enrol',
    id: who.id,
    key: encodeCoseKey(who.signer.key),
    kind: 'person',
    roles: [role],
    valid_until: START + 10 * 365 * DAY,
  } as const;
  return log.add(admin, record, [attached('claims.json', JSON.stringify(about), 'restricted', 'application/json')]);
}

interface Release {
  readonly model: Uint8Array;
  readonly config: Uint8Array;
  readonly digest: Uint8Array;
}

async function release(
  log: PackLog,
  version: string,
  settings: string,
  fill: number,
  confidence: string,
  [sensitivity, specificity]: readonly string[],
): Promise<Release> {
  const digest = new Uint8Array(32).fill(fill);
  const card = `# Triage ${version}\n\nTrained on notes of wards A and B.\nNot for children.\n\nSensitivity: ${sensitivity}\n`;
  const model = await log.add(
    engineer,
    {
      type: 'model',
      subject: 'model/triage',
      reason: `Version ${version} of the triage model, after the yearly review.`,
      name: 'triage',
      version,
      digest,
      change: version === '1.0' ? 'new' : 'finetune',
      parents: [],
      training_data: [{ name: `ward-notes-${version}`, provenance: 'Notes of wards A and B, anonymised.' }],
    },
    [
      attached('model-card.md', card, 'public', 'text/markdown'),
      attached('weights-licence.pdf', version, 'withheld', 'application/pdf'),
    ],
  );
  const yaml = `service: triage\nlanguage: en\nconfidence: ${confidence}\nfallback: nurse\nguardrails:\n  - no-diagnosis\n${settings === '3' ? '  - no-dosage\n' : ''}`;
  const config = await log.add(
    engineer,
    {
      type: 'config',
      subject: 'config/triage',
      reason: `Settings for version ${version}: what counts as urgent.`,
      name: 'triage',
      version: settings,
      files: [{ path: 'triage.yaml', digest: sha256(encodeUtf8(yaml)) }],
      parameters: { confidence, fallback: 'nurse' },
      ...(settings === '3' ? { guardrails: [{ id: 'no-dosage', setting: 'strict', action: 'refuse' }] } : {}),
    },
    [attached('triage.yaml', yaml, 'restricted', 'application/yaml')],
  );
  log.now += DAY;
  await log.add(engineer, {
    type: 'evaluation',
    subject: 'model/triage',
    reason: `The ward benchmark for version ${version}.`,
    model,
    config,
    suite: 'ward benchmark',
    dataset: new Uint8Array(32).fill(5),
    metrics: [
      { name: 'sensitivity', value: sensitivity, interval: ['0.88', '0.97'] },
      { name: 'specificity', value: specificity, slice: 'ward B' },
    ],
    verdict: Number(specificity) < 0.8 ? 'fail' : 'pass',
    tolerances: [
      { metric: 'sensitivity', min: '0.90' },
      { metric: 'specificity', min: '0.80' },
    ],
  });
  if (version === '1.1')
    await log.add(quality, {
      type: 'approval',
      subject: 'model/triage',
      reason: 'The specificity in ward B is below what was agreed.',
      target: model,
      decision: 'reject',
      role: 'approver',
    });
  log.now += 3600;
  if (version === '1.1')
    await log.add(quality, {
      type: 'approval',
      subject: 'model/triage',
      reason: 'For two months, with a nurse who reads every case of ward B.',
      target: model,
      decision: 'approve',
      role: 'approver',
    });
  await log.add(clinician, {
    type: 'approval',
    subject: 'model/triage',
    reason: `Version ${version} may be used in triage under supervision.`,
    target: model,
    decision: 'approve',
    role: 'approver',
  });
  return { model, config, digest };
}

function deploy(
  log: PackLog,
  { model, config, digest }: Release,
  phase: string,
  reason = 'The release was put on the servers of the ward.',
) {
  const content = recordOf(log, config) as RecordOf<'config'>;
  const state = stateDigest(digest, configDigest(content), undefined);
  const common = { subject: 'deploy/prod/triage', environment: 'prod', service: 'triage', approvals: [], reason };
  return log.add(engineer, { type: 'deployment', phase, model, config, state, ...common });
}

function recordOf(log: PackLog, leaf: Uint8Array) {
  const index = log.index.indexOf(hex(leaf)) as number;
  return decodeRecord(parseStatement(log.entries[index]).payload);
}

/** Three decisions, of which one is proved. */
async function decide(log: PackLog, deployment: Uint8Array): Promise<Extract<PackItem, { kind: 'decision' }>> {
  log.now += 10 * DAY;
  const decisions: Decision[] = ['case-2026-118', 'case-2026-119', 'case-2026-120'].map((id, i) => ({
    id,
    at: (log.now - 600 + i) * 1000,
    outcome: i === 1 ? 'urgent' : 'not urgent',
    salt: new Uint8Array(16).fill(i + 1),
  }));
  const index = log.entries.length;
  await log.add(engineer, {
    type: 'decision-batch',
    subject: 'decisions/triage',
    reason: 'The decisions of one day, by their digests.',
    deployment,
    state: (recordOf(log, deployment) as RecordOf<'deployment'>).state,
    root: decisionRoot(decisions),
    count: decisions.length,
    first_at: decisions[0].at,
    last_at: decisions[2].at,
  });
  return { kind: 'decision', index, position: 1, leaf: encodeDecision(decisions[1]), hashes: proveDecision(decisions, 1) };
}
