import { hex } from './manifest.js';
import type { ChangeRecord } from './record.js';

/** A record in plain language: a sentence, and the facts below it. */
export interface Rendering {
  readonly title: string;
  readonly facts: readonly { readonly label: string; readonly value: string }[];
}

const LABELS: Readonly<Record<string, string>> = {
  effective_from: 'effective from',
  training_data: 'training data',
  system_prompt: 'system prompt',
  aware_at: 'known since',
  due_at: 'due',
  reported_at: 'reported',
  first_at: 'first decision',
  last_at: 'last decision',
  valid_until: 'valid until',
  break_glass: 'break-glass',
  prev: 'previous record of the subject',
  log_keys: 'log keys',
  risk_class: 'risk class',
};
/** Milliseconds in the unit of each time, by the path of the member. */
const TIMES: Readonly<Record<string, number>> = {
  effective_from: 1,
  aware_at: 1,
  due_at: 1,
  reported_at: 1,
  first_at: 1,
  last_at: 1,
  expires: 1,
  'retention.until': 1,
  valid_until: 1000,
  until: 1000,
};

/** Renders a record for people. Everything that the record says is in the facts; texts are escaped where they could mislead. */
export function renderRecord(record: ChangeRecord): Rendering {
  const facts = Object.entries(record)
    .filter(([key, value]) => !['v', 'type', 'subject', 'reason'].includes(key) && value !== undefined)
    .map(([key, value]) => ({ label: LABELS[key] ?? key.replace(/_/g, ' '), value: renderValue(key, value) }));
  return {
    title: title(record),
    facts: [{ label: 'subject', value: record.subject }, { label: 'reason', value: printable(record.reason) }, ...facts],
  };
}

function title(record: ChangeRecord): string {
  switch (record.type) {
    case 'charter':
      return `The log ${printable(record.origin)} begins, with ${count(record.administrators.length, 'administrator')}`;
    case 'amendment':
      return `The charter is amended: ${['log_keys', 'administrators', 'threshold', 'witnesses']
        .filter((name) => (record as Record<string, unknown>)[name] !== undefined)
        .map((name) => LABELS[name] ?? name)
        .join(', ')}`;
    case 'identity':
      return record.action === 'enrol'
        ? `${record.kind === 'workload' ? 'Workload' : 'Person'} ${record.id} may sign as ${record.roles?.join(', ') || 'nobody in particular'}`
        : `A key of ${record.id} is revoked`;
    case 'policy':
      return `A policy with ${count(record.policy.rules.length, 'rule')}`;
    case 'system':
      return `System ${record.name} is described`;
    case 'model':
      return `Model ${record.name} version ${printable(record.version)} (${record.change})`;
    case 'config':
      return `Configuration ${record.name} version ${printable(record.version)}, ${count(record.files.length, 'file')}${record.git?.dirty ? ', with uncommitted changes' : ''}`;
    case 'evaluation':
      return `Evaluation ${printable(record.suite)}: ${record.verdict}`;
    case 'approval':
      return `${record.decision === 'approve' ? 'Approved' : 'Rejected'} as ${record.role}`;
    case 'deployment':
      return `Deployment of ${record.service} to ${record.environment}: ${record.phase}${record.break_glass ? ' (break-glass)' : ''}`;
    case 'attestation':
      return `Attestation (${printable(record.format)}): ${record.verdict}`;
    case 'verification':
      return `Verification of what runs: ${record.verdict}`;
    case 'incident':
      return `Incident of ${record.severity} severity${record.status === 'closed' ? ', closed' : ''}`;
    case 'decision-batch':
      return `${count(record.count, 'decision')} between ${utc(record.first_at)} and ${utc(record.last_at)}`;
    case 'change-plan':
      return `Change plan with ${count(record.modifications.length, 'allowed modification')}`;
    case 'assessment':
      return `Assessment: ${record.result}`;
    case 'correction':
      return 'An earlier entry is superseded';
    case 'freeze':
      return record.until === 0 ? `Freezes within ${record.on} are lifted` : `No more records on ${record.on}`;
    case 'map-head':
      return `Map head at size ${record.size}`;
  }
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

/** One value in words: digests as hex, times as UTC, lists and groups in brackets. */
export function renderValue(path: string, value: unknown): string {
  if (value instanceof Uint8Array) return hex(value);
  if (typeof value === 'number' && Object.hasOwn(TIMES, path)) return utc(value * TIMES[path]);
  if (typeof value === 'string') return printable(value);
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map((item) => renderValue('', item)).join('; ');
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, item]) => item !== undefined);
    return members.map(([name, item]) => `${printable(name)}: ${renderMember(`${path}.${name}`, item)}`).join(', ');
  }
  return String(value);
}

function renderMember(path: string, value: unknown): string {
  const grouped = typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
  return grouped ? `(${renderValue(path, value)})` : renderValue(path, value);
}

function utc(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? `${milliseconds} ms` : date.toISOString();
}

/** Escapes what a terminal or a page would not show as itself: control, format and surrogate characters. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${(c.codePointAt(0) as number).toString(16)}}`);
}
