import { matchesGlob } from '@treering/governance';
import { isSubject } from '@treering/record';
import * as z from 'zod';

/** Attachments that whoever makes a pack wanted to disclose: none, the public ones, or also those that only the enrolled may read. */
export const DISCLOSURES = ['none', 'public', 'restricted'] as const;

/** A subject, or a pattern of subjects as in policies: `*` within a segment, `**` as the last one. */
const subjects = z
  .string()
  .max(200)
  .refine((text) => isSubject(text.replaceAll('*', 'x')), 'must be a subject, with "*" and a last "**"');

const milliseconds = z.int().min(0);

/** What a pack answers. */
export const questionSchema = z
  .strictObject({
    /** Subjects or patterns; none when only decisions are asked for, or everything is. */
    subjects: z
      .array(subjects)
      .max(256)
      .refine((list) => list.every((one, i) => i === 0 || list[i - 1] < one), 'must be sorted, each once'),
    /** The period, by when statements were signed, both ends included; milliseconds since the epoch. */
    from: milliseconds.optional(),
    to: milliseconds.optional(),
    attachments: z.enum(DISCLOSURES),
    /** All entries of the log up to the head, so that the pack proves what is not there as well. */
    everything: z.literal(true).optional(),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from <= to, 'the period ends before it begins');

/** What a pack answers. */
export type Question = z.infer<typeof questionSchema>;

/** Whether a subject is one that is asked about; everything asks about each, unless it names some. */
export function asksAbout({ subjects: asked, everything }: Question, subject: string): boolean {
  return (everything === true && asked.length === 0) || asked.some((pattern) => matchesGlob(pattern, subject));
}

/**
 * Where a statement lies relative to the period. One that does not say when it was signed is within.
 * @param iat seconds since the epoch
 */
export function placeInPeriod({ from, to }: Question, iat: number | undefined): 'earlier' | 'within' | 'later' {
  if (iat === undefined) return 'within';
  // A second belongs to the period when any of its milliseconds does.
  if (from !== undefined && iat * 1000 + 999 < from) return 'earlier';
  return to !== undefined && iat * 1000 > to ? 'later' : 'within';
}

/** The question in words. */
export function describeQuestion({ subjects: asked, from, to, everything }: Question): string {
  const subjects = asked.join(', ');
  const all = asked.length === 0 ? 'everything in the log' : `${subjects}, with everything in the log`;
  const about = everything ? all : asked.length === 0 ? 'single decisions' : subjects;
  const start = from === undefined ? '' : ` from ${time(from)}`;
  const end = to === undefined ? '' : ` to ${time(to)}`;
  return `${about}${start}${end}`;
}

function time(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
