import { clockSkew, type GovernanceState } from '@treering/governance';
import type { Claim } from '../claim.js';
import { timeText } from '../log-time.js';
import type { HeadSeen } from './head-seen.js';
import { type Examiner, listEntries, type PackEntry, plural } from './pack-entry.js';
import type { TreeWalk } from './tree-walk.js';

const MOST_DETAILS = 50;

/** Seconds by which a witness may cosign a head after the log went on: it is asked at once, and has to answer soon. */
const LAG = 600;

interface Waiting {
  readonly index: number;
  readonly asked: boolean;
  readonly iat: number | undefined;
  /** Seconds by which the log's clock and the signer's may differ. */
  readonly skew: number;
  /** Whether an enrolled key signed it: nothing else has to be recent. */
  readonly enrolled: boolean;
  readonly after: HeadSeen | undefined;
  /** Entries of the tree that its signer had seen, as the tree proves. */
  readonly anchor: number | undefined;
}

/** The time in which entries were recorded, and who says so. */
class Span {
  /** Entries, and those of which witnesses say when they were there at the latest. */
  count = 0;
  #dated = 0;
  #bracketed = 0;
  #first: number | undefined;
  #last: number | undefined;
  readonly #before = new Set<string>();
  readonly #after = new Set<string>();

  add(before: HeadSeen & { readonly by: number }, after: (HeadSeen & { readonly from: number }) | undefined): void {
    this.#dated++;
    for (const { witness, time } of before.sightings) if (time <= before.by) this.#before.add(witness);
    this.#last = Math.max(this.#last ?? before.by, before.by);
    if (after === undefined) return;
    this.#bracketed++;
    for (const { witness } of after.sightings) this.#after.add(witness);
    this.#first = Math.min(this.#first ?? after.from, after.from);
  }

  text(): string | undefined {
    if (this.#last === undefined) return undefined;
    const some = this.#dated === this.count ? '' : `${this.#dated} of them `;
    const before = `${some}recorded before ${timeText(this.#last)}, according to ${names(this.#before)}`;
    if (this.#first === undefined) return `${before}; the file has no witnessed head before them.`;
    const open =
      this.#dated === this.#bracketed ? '' : `; of ${this.#dated - this.#bracketed} of them the file has no such head`;
    return `${before}. Until ${timeText(this.#first)}, ${names(this.#after)} had been shown the log without them${open}.`;
  }
}

function names(witnesses: ReadonlySet<string>): string {
  return [...witnesses].sort().join(', ');
}

/**
 * Between which times each entry was recorded. A witness signs one growing history: an entry came after the heads before it, and is
 * as old as the first head that covers it. Whether the dates that the statements carry fit is judged by the same heads.
 */
export class TimeExaminer implements Examiner {
  readonly #walk: TreeWalk;
  /** Entries that no witnessed head covers yet, and those that no head with any time does. */
  #unseen: Waiting[] = [];
  #undated: Waiting[] = [];
  readonly #lines: string[] = [];
  readonly #late: number[] = [];
  readonly #early: number[] = [];
  readonly #badAnchors: number[] = [];
  readonly #asked = new Span();
  readonly #all = new Span();
  #anchors = 0;
  #judged = 0;
  /** Statements of which no head before says that they are not older, and the widest time between two heads, in seconds. */
  #open = 0;
  #widest = 0;

  constructor(walk: TreeWalk) {
    this.#walk = walk;
  }

  see({ index, asked, statement, record, signer, after }: PackEntry, state: GovernanceState): void {
    let anchor: number | undefined;
    if (record?.anchor !== undefined) {
      const { size, root } = record.anchor;
      const had = size <= index ? this.#walk.hadRoot(size, root) : false;
      if (had === false) this.#badAnchors.push(index);
      if (had === true) {
        this.#anchors++;
        anchor = size;
      }
    }
    const skew = clockSkew(state);
    const entry: Waiting = { index, asked, iat: statement?.iat, skew, enrolled: signer !== undefined, after, anchor };
    this.#all.count++;
    if (asked) this.#asked.count++;
    this.#unseen.push(entry);
    this.#undated.push(entry);
  }

  /** A head that covers all entries seen so far. */
  head(head: HeadSeen): void {
    const { by, signedAt } = head;
    if (by !== undefined || signedAt !== undefined) {
      const latest = Math.min(by ?? Number.POSITIVE_INFINITY, signedAt ?? Number.POSITIVE_INFINITY);
      for (const entry of this.#undated) this.#judge(entry, latest);
      this.#undated = [];
    }
    if (by === undefined) return;
    for (const entry of this.#unseen) this.#bracket(entry, { ...head, by });
    this.#unseen = [];
  }

  /** @param latest when log or witnesses had it, seconds since the epoch */
  #judge({ index, iat, skew, enrolled, after }: Waiting, latest: number): void {
    if (iat === undefined) return;
    this.#judged++;
    if (iat > latest + skew) {
      this.#late.push(index);
      return;
    }
    // What somebody outside signed may be old.
    if (!enrolled) return;
    const earliest = Math.max(after?.signedAt ?? 0, (after?.from ?? 0) - LAG);
    if (iat < earliest - skew) this.#early.push(index);
    if (earliest <= 0) this.#open++;
    else this.#widest = Math.max(this.#widest, latest - earliest);
  }

  #bracket({ index, asked, after, anchor }: Waiting, before: HeadSeen & { readonly by: number }): void {
    // Where one witness suffices, another may have been behind.
    const from = after?.from !== undefined && after.from <= before.by ? after.from : undefined;
    const start = after === undefined || from === undefined ? undefined : { ...after, from };
    this.#all.add(before, start);
    if (!asked) return;
    this.#asked.add(before, start);
    if (this.#lines.length >= MOST_DETAILS) return;
    const seen = before.sightings.map(({ witness, time }) => `${witness} at ${timeText(time)}`).join(', ');
    const shown = start?.sightings.map(({ witness, time }) => `${witness} until ${timeText(time)}`).join(', ');
    const without = shown === undefined ? '' : `; shown the log without it: ${shown}`;
    const anchored = anchor === undefined ? '' : `; its signer had seen the first ${anchor} entries`;
    this.#lines.push(`entry ${index}: before ${timeText(before.by)} (${seen})${without}${anchored}`);
  }

  claims(): Claim[] {
    return [this.#recorded(), this.#dates(), ...this.#anchored()];
  }

  #recorded(): Claim {
    const name = 'time';
    const asked = this.#asked.count > 0;
    const span = (asked ? this.#asked : this.#all).text();
    if (span === undefined) {
      const text =
        'No witness that you named says when: that the records are as old as they say is the word of log and signers.';
      return { name, verdict: 'not proved', text };
    }
    const { count } = asked ? this.#asked : this.#all;
    const one = asked ? 'The record that was asked for was' : 'The entry of the file was';
    const many = asked ? `Of the ${count} records that were asked for` : `Of the ${count} entries of the file`;
    const text =
      count === 1
        ? `${one} ${span}`
        : `${many}, ${/^\d/.test(span) ? span.replace('recorded', 'were recorded') : `all were ${span}`}`;
    return { name, verdict: 'proved', text, details: this.#lines };
  }

  #dates(): Claim {
    const name = 'dates';
    const wrong = [...new Set([...this.#late, ...this.#early])].sort((a, b) => a - b);
    if (wrong.length > 0) {
      const text = `The date of ${listEntries(wrong)} does not fit the heads around: when it was signed is not when it says.`;
      return { name, verdict: 'failed', text };
    }
    if (this.#judged === 0) return { name, verdict: 'not proved', text: 'The file has no head that says when it was signed.' };
    const apart = this.#widest > 7200 ? `, which are up to ${Math.ceil(this.#widest / 86_400)} days apart` : '';
    const open = this.#open === 0 ? '' : `; of ${this.#open} it is only known that they are not later`;
    const text = `The dates of ${plural(this.#judged, 'statement')} lie between the heads around them${apart}${open}, but for the minutes by which clocks may differ.`;
    return { name, verdict: 'proved', text };
  }

  #anchored(): Claim[] {
    const name = 'anchors';
    if (this.#badAnchors.length > 0)
      return [{ name, verdict: 'failed', text: `The tree that ${listEntries(this.#badAnchors)} names was never the log's.` }];
    if (this.#anchors === 0) return [];
    const text = `${plural(this.#anchors, 'record')} name${this.#anchors === 1 ? 's' : ''} a tree that the signer had seen, and it is a part of this one.`;
    return [{ name, verdict: 'proved', text }];
  }
}
