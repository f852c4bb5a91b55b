import { equalBytes } from '@treering/merkle';
import type { Claim } from '../claim.js';
import { type Examiner, listEntries, type PackEntry, plural } from './pack-entry.js';

interface Chain {
  readonly leaf: Uint8Array;
  readonly length: number;
}

/**
 * Whether each record on a subject that was asked about names the one before it. The log enforces that what is named is the newest,
 * so nothing on the subject lies between two records of which one names the other.
 */
export class ChainExaminer implements Examiner {
  readonly #asked: (subject: string) => boolean;
  readonly #chains = new Map<string, Chain>();
  readonly #broken: number[] = [];
  readonly #open: number[] = [];

  constructor(asked: (subject: string) => boolean) {
    this.#asked = asked;
  }

  see({ index, leaf, statement, record }: PackEntry): void {
    if (statement === undefined || !this.#asked(statement.sub)) return;
    const before = this.#chains.get(statement.sub);
    this.#chains.set(statement.sub, { leaf, length: (before?.length ?? 0) + 1 });
    const prev = record?.prev;
    if (prev === undefined) {
      if (before !== undefined) this.#open.push(index);
    } else if (before === undefined || !equalBytes(before.leaf, prev)) this.#broken.push(index);
  }

  claims(): Claim[] {
    const name = 'chain';
    const subjects = [...this.#chains.keys()].sort();
    if (subjects.length === 0) return [];
    const details = subjects
      .slice(0, 50)
      .map((subject) => `${subject}: ${plural(this.#chains.get(subject)?.length ?? 0, 'record')}`);
    if (this.#broken.length > 0)
      return [
        {
          name,
          verdict: 'failed',
          text: `What ${listEntries(this.#broken)} name${this.#broken.length === 1 ? 's' : ''} as the record before is not the one in the file: something was left out between.`,
          details,
        },
      ];
    if (this.#open.length > 0)
      return [
        {
          name,
          verdict: 'not proved',
          text: `Between records on ${subjects.length === 1 ? subjects[0] : 'the subjects'} something may have been left out: ${listEntries(this.#open)} name${this.#open.length === 1 ? 's' : ''} no record before.`,
          details,
        },
      ];
    return [
      {
        name,
        verdict: 'proved',
        text: 'Each record names the one before it on its subject, so that none is missing between the first and the last in the file, if the log kept its own rules.',
        details,
      },
    ];
  }
}
