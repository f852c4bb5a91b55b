import { hex } from '@treering/note';
import type { Claim } from '../claim.js';
import { type Examiner, isAdmitted, type PackEntry, plural } from './pack-entry.js';

/** Which records in the file a later one in the file supersedes. */
export class CorrectionExaminer implements Examiner {
  readonly #indices = new Map<string, number>();
  readonly #superseded: { readonly index: number; readonly by: number }[] = [];

  see(entry: PackEntry): void {
    const { index, leaf, record } = entry;
    if (record?.type === 'correction' && isAdmitted(entry)) {
      const target = this.#indices.get(hex(record.supersedes));
      if (target !== undefined) this.#superseded.push({ index: target, by: index });
    }
    this.#indices.set(hex(leaf), index);
  }

  claims(): Claim[] {
    if (this.#superseded.length === 0) return [];
    const details = this.#superseded.slice(0, 50).map(({ index, by }) => `entry ${index} is superseded by entry ${by}`);
    const text = `${plural(this.#superseded.length, 'record')} in the file ${this.#superseded.length === 1 ? 'is' : 'are'} superseded by a later correction in the file.`;
    return [{ name: 'corrected', verdict: 'proved', text, details }];
  }
}
