import { clockSkew, type GovernanceState } from '@treering/governance';
import type { Claim } from '../claim.js';
import { timeText } from '../log-time.js';
import type { HeadSeen } from './head-seen.js';
import { type Examiner, listEntries, type PackEntry, plural } from './pack-entry.js';
import type { TreeWalk } from './tree-walk.js';

const MOST_DETAILS = 50;

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
  count = 0;
  #bracketed = 0;
  #first: number | undefined;
  #last: number | undefined;
  readonly #witnesses = new Set<string>();

  add(before: HeadSeen, after: HeadSeen | undefined): void {
    if (before.by === undefined) return;
    this.count++;
    for (const { witness } of before.sightings) this.#witnesses.add(witness);
    this.#last = Math.max(this.#last ?? before.by, before.by);
    // Where one witness suffices, another may have been behind.
    if (after?.from === undefined || after.from > before.by) return;
    this.#bracketed++;
    this.#first = Math.min(this.#first ?? after.from, after.from);
  }

  text(): string | undefined {
    if (this.#last === undefined) return undefined;
    const start = this.#first === undefined ? '' : `after ${timeText(this.#first)} and `;
    const open = this.count - this.#bracketed;
    const each = open === 0 ? '' : `; for ${open} of them the file has no witnessed head before`;
    return `recorded ${start}before ${timeText(this.#last)}, according to ${[...this.#witnesses].sort().join(', ')}${each}.`;
  }
}

/**
 * Between which times each entry was recorded. A witness signs one growing history: an entry came after the heads before it, and is
 * as old as the first head that covers it. Whether the dates that the statements carry fit is judged by the same heads.
 */
export class TimeExaminer implements Examiner {
  readonly #walk: TreeWalk;
  #waiting: Waiting[] = [];
  readonly #lines: string[] = [];
  readonly #late: number[] = [];
  readonly #early: number[] = [];
  readonly #badAnchors: number[] = [];
  readonly #asked = new Span();
  readonly #all = new Span();
  #anchors = 0;
  #judged = 0;

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
    this.#waiting.push({ index, asked, iat: statement?.iat, skew, enrolled: signer !== undefined, after, anchor });
  }

  /** A head that covers all entries seen so far and not judged yet. */
  head(head: HeadSeen): void {
    if (head.by === undefined && head.signedAt === undefined) return;
    for (const entry of this.#waiting) this.#judge(entry, head);
    this.#waiting = [];
  }

  #judge({ index, asked, iat, skew, enrolled, after, anchor }: Waiting, before: HeadSeen): void {
    const latest = before.signedAt ?? before.by;
    if (latest !== undefined && iat !== undefined) {
      this.#judged++;
      // What somebody outside signed may be old.
      if (iat > latest + skew) this.#late.push(index);
      else if (enrolled && after?.signedAt !== undefined && iat < after.signedAt - skew) this.#early.push(index);
    }
    this.#all.add(before, after);
    if (!asked || before.by === undefined) return;
    this.#asked.add(before, after);
    if (this.#lines.length >= MOST_DETAILS) return;
    const names = before.sightings.map(({ witness, time }) => `${witness} at ${timeText(time)}`).join(', ');
    const start = after?.from === undefined || after.from > before.by ? '' : `after ${timeText(after.from)} and `;
    const anchored = anchor === undefined ? '' : `; its signer had seen the first ${anchor} entries`;
    this.#lines.push(`entry ${index}: ${start}before ${timeText(before.by)} (${names})${anchored}`);
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
    const many = asked ? `The ${count} records that were asked for were` : `The ${count} entries of the file were`;
    return { name, verdict: 'proved', text: `${count === 1 ? one : many} ${span}`, details: this.#lines };
  }

  #dates(): Claim {
    const name = 'dates';
    const wrong = [...this.#late, ...this.#early].sort((a, b) => a - b);
    if (wrong.length > 0) {
      const text = `The date of ${listEntries(wrong)} does not fit the heads around: when it was signed is not when it says.`;
      return { name, verdict: 'failed', text };
    }
    if (this.#judged === 0) return { name, verdict: 'not proved', text: 'The file has no head that says when it was signed.' };
    const text = `The dates of ${plural(this.#judged, 'statement')} fit the heads around them, within the minutes by which clocks may differ.`;
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
