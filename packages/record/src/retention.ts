import type { RecordOf } from './record.js';

/**
 * What one rule says about how long something is kept: a fact about a regulation, and a reading of which records it is about. It
 * has years or months.
 */
export interface RetentionPreset {
  /** Short and stable, for flags and for `retention.rule` of a record. */
  readonly rule: string;
  /** Where it is written, for people. */
  readonly source: string;
  /** Record types whose attachments it is about; a type that is not known yet does no harm. */
  readonly types: readonly string[];
  readonly years?: number;
  readonly months?: number;
  /** The event that the rule counts from. The log does not know it: `retentionOf` counts from the signing instead. */
  readonly from: string;
  /** What is kept, in one sentence. */
  readonly about: string;
}

/** Rules that are often asked about. Which of them apply to whom, and when, is for their users to know. */
export const retentionPresets: readonly RetentionPreset[] = [
  {
    rule: 'eu-ai-act-18',
    source: 'EU AI Act Art. 18(1)',
    types: ['system', 'model', 'config', 'evaluation', 'approval', 'change-plan', 'assessment'],
    years: 10,
    from: 'the placing on the market or putting into service',
    about: 'Technical and quality documentation, what a notified body approved or decided, and the declaration of conformity.',
  },
  {
    rule: 'eu-ai-act-19',
    source: 'EU AI Act Art. 19 and 26(6)',
    types: ['deployment', 'attestation', 'verification', 'incident', 'decision-batch'],
    months: 6,
    from: 'the making of the logs',
    about: 'Logs that a high-risk system makes automatically, kept by provider and deployer for at least this long.',
  },
  {
    rule: 'reg-b-1002-12',
    source: 'ECOA Regulation B, 12 CFR 1002.12(b)',
    types: ['model', 'config', 'deployment', 'decision-batch'],
    months: 25,
    from: 'the notice to the applicant',
    about: 'What was used in evaluating an application for credit, and the notice of adverse action.',
  },
  {
    rule: 'reg-b-1002-12-business',
    source: 'ECOA Regulation B, 12 CFR 1002.12(b)',
    types: ['model', 'config', 'deployment', 'decision-batch'],
    months: 12,
    from: 'the notice to the applicant',
    about: 'The same for business credit.',
  },
  {
    rule: 'sec-17a-4-3-years',
    source: 'SEC Rule 17a-4',
    types: ['identity', 'model', 'config', 'approval', 'deployment', 'correction', 'decision-batch'],
    years: 3,
    from: 'the making of the record',
    about: 'Records of broker-dealers of the kinds for which the rule asks for three years.',
  },
  {
    rule: 'sec-17a-4-6-years',
    source: 'SEC Rule 17a-4',
    types: ['identity', 'model', 'config', 'approval', 'deployment', 'correction', 'decision-batch'],
    years: 6,
    from: 'the making of the record',
    about: 'Records of broker-dealers of the kinds for which the rule asks for six years.',
  },
  {
    rule: 'iso-13485-4-2-5',
    source: 'ISO 13485 4.2.5, for FDA change control plans',
    types: ['system', 'model', 'config', 'evaluation', 'approval', 'deployment', 'verification', 'change-plan', 'assessment'],
    years: 2,
    from: 'the release of the device',
    about:
      'Records of the quality system, for the lifetime of the device, which the log does not know; at least for these two years.',
  },
  {
    rule: 'ny-raise',
    source: 'NY RAISE Act, General Business Law 1421',
    types: ['system', 'model', 'evaluation', 'change-plan', 'assessment'],
    years: 5,
    from: 'a date to be read in the law',
    about: 'Unredacted versions of what developers of frontier models publish.',
  },
];

/** One rule that holds the attachments of a record, and until when. */
export interface Hold {
  readonly rule: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** For a preset, the event that it counts from where `until` was counted from the signing: an assumption. */
  readonly from?: string;
}

/** Until when the attachments of a record have to be kept. */
export interface Retention {
  /** Milliseconds since the epoch; undefined when no rule is about the record. */
  readonly until: number | undefined;
  /** All rules that are about the record, the one that holds longest first. */
  readonly holds: readonly Hold[];
}

/**
 * Until when the attachments of a record have to be kept, by what the record says itself and by what the presets say: the latest
 * decides. Entries are not meant; they are never erased.
 * @param signedAt milliseconds since the epoch; all presets are counted from here
 */
export function retentionOf(
  record: { readonly type: string; readonly retention?: RecordOf<'model'>['retention'] },
  signedAt: number,
  presets: readonly RetentionPreset[] = retentionPresets,
): Retention {
  const { retention } = record;
  const own: Hold[] = retention === undefined ? [] : [{ rule: retention.rule, until: retention.until }];
  const others = presets
    .filter(({ types }) => types.includes(record.type))
    .map(({ rule, from, years = 0, months = 0 }) => ({ rule, until: monthsAfter(signedAt, years * 12 + months), from }));
  const holds = [...own, ...others].sort((a, b) => b.until - a.until);
  return { until: holds[0]?.until, holds };
}

/**
 * The same time of the same day of the month (UTC), or of the last day of a month that has no such day. What the calendar does not
 * reach is held for ever: whoever signs chooses the date.
 */
function monthsAfter(start: number, months: number): number {
  const date = new Date(start);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  const end = date.setUTCDate(Math.min(day, lastDay));
  return Number.isNaN(end) ? Number.MAX_SAFE_INTEGER : end;
}
