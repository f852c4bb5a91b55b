import type { Claim } from '../claim.js';
import type { HeadSeen } from './head-seen.js';
import { plural } from './pack-entry.js';

/** Whether the heads among the entries are all of the one history that the last head stands for. */
export class HistoryExaminer {
  #passed = 0;
  #unknown = 0;
  #signatures = 0;
  #unchecked = 0;
  readonly #wrong: string[] = [];

  /** A head that is of the entries before it. */
  passed({ opened: { note } }: HeadSeen): void {
    this.#passed++;
    this.#signatures += note.verified.length;
    this.#unchecked += note.unverified.length;
  }

  /** A head that no key of the reader signed. */
  unknown(): void {
    this.#unknown++;
  }

  wrong(why: string): void {
    this.#wrong.push(why);
  }

  claims(): Claim[] {
    const name = 'heads-agree';
    if (this.#wrong.length > 0) {
      const text = `Earlier heads in the file are not of this history: ${this.#wrong[0]}.`;
      return [{ name, verdict: 'failed', text, details: this.#wrong.slice(0, 50) }];
    }
    if (this.#passed + this.#unknown === 0) return [];
    const unknown = this.#unknown === 0 ? '' : `; ${this.#unknown} are signed with keys that you did not name, and say nothing`;
    const text = `${plural(this.#passed, 'earlier head')} in the file ${this.#passed === 1 ? 'is' : 'are'} of the same history${unknown}.`;
    const details = [
      `${plural(this.#signatures, 'signature')} of log and witnesses hold; ${plural(this.#unchecked, 'line')} of keys that you did not name were not checked`,
    ];
    return [{ name, verdict: this.#passed === 0 ? 'not proved' : 'proved', text, details }];
  }
}
