import type { RecordType } from '@treering/record';
import { type PackContent, type ReportEntry, signedAt } from './content.js';
import { type Service, servicesIn } from './services.js';

/** A row of marks: records of some types. */
interface MarkLane {
  readonly label: string;
  readonly entries: readonly ReportEntry[];
}

/** What happened when. */
export interface Timeline {
  /** Seconds since the epoch; the end is that of the newest record, or of the head of the file. */
  readonly from: number;
  readonly to: number;
  readonly services: readonly Service[];
  /** Rows without marks are left out. */
  readonly lanes: readonly MarkLane[];
  /** Everything that is marked, by time. */
  readonly events: readonly ReportEntry[];
}

const LANES: readonly (readonly [label: string, types: readonly RecordType[]])[] = [
  ['Models', ['model']],
  ['Configurations', ['config']],
  ['Approvals', ['approval']],
  ['Evaluations', ['evaluation']],
  ['Deployments', ['deployment']],
  ['Verifications', ['verification', 'attestation']],
  ['Incidents', ['incident']],
  ['Corrections', ['correction', 'freeze']],
];

/** What happened when, from the records that the rules admit; undefined when nothing of it is in the file. */
export function timelineOf(content: PackContent): Timeline | undefined {
  const lanes = LANES.map(([label, types]) => ({
    label,
    entries: types.flatMap((type): readonly ReportEntry[] => content.of(type)).filter((entry) => signedAt(entry) !== undefined),
  })).filter(({ entries }) => entries.length > 0);
  if (lanes.length === 0) return undefined;
  const time = (entry: ReportEntry): number => signedAt(entry) ?? 0;
  const events = lanes.flatMap(({ entries }) => entries).sort((a, b) => time(a) - time(b) || a.index - b.index);
  const last = content.entries[content.entries.length - 1]?.before;
  const from = time(events[0]);
  const to = Math.max(time(events[events.length - 1]), last?.by ?? last?.signedAt ?? 0);
  return { from, to: Math.max(to, from + 1), services: servicesIn(content), lanes, events };
}

/** Marks that would lie on each other, as one: each with its place and the entries that it stands for. */
export function clusters(
  entries: readonly ReportEntry[],
  place: (at: number) => number,
  width: number,
): { readonly x: number; readonly entries: readonly ReportEntry[] }[] {
  const placed = entries.map((entry) => ({ x: place(signedAt(entry) ?? 0), entry })).sort((a, b) => a.x - b.x);
  const out: { x: number; entries: ReportEntry[] }[] = [];
  for (const { x, entry } of placed) {
    const last = out[out.length - 1];
    if (last !== undefined && x - last.x < width) last.entries.push(entry);
    else out.push({ x, entries: [entry] });
  }
  return out;
}
