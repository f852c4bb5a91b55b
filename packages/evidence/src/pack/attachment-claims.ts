import { hex } from '@treering/note';
import { type AttachmentRef, openAttachment, printable, RecordError, SALT_SIZE } from '@treering/record';
import type { Claim } from '../claim.js';
import { type Absence, LARGEST_ATTACHMENT, malformed } from './format.js';
import { type Examiner, isAdmitted, listEntries, type PackEntry, plural } from './pack-entry.js';
import type { Question } from './question.js';

const MOST_DETAILS = 200;

const WHY: Readonly<Record<Absence, string>> = {
  'not-asked': 'was not asked for',
  withheld: 'was never sent to the log, only its digest',
  restricted: 'may be read by enrolled people only',
  erased: 'was erased from the log',
  unavailable: 'was not given out by the log',
  'too-large': 'is too large for the file',
};

interface Named {
  readonly ref: AttachmentRef;
  readonly index: number;
}

/** Whether the attachments in the file are those that its entries name, and which are not there. */
export class AttachmentExaminer implements Examiner {
  /** By digest in hex; the first entry that names it. */
  readonly #named = new Map<string, Named>();
  readonly #erased = new Map<string, number>();
  readonly #accounted = new Set<string>();
  readonly #wrong: string[] = [];
  readonly #absent: string[] = [];
  readonly #groundless: string[] = [];
  #disclosed = 0;
  #missing = 0;
  readonly #question: Question;

  constructor(question: Question) {
    this.#question = question;
  }

  see({ index, record, admission }: PackEntry): void {
    for (const ref of record?.attachments ?? []) {
      const id = hex(ref.digest);
      const known = this.#named.get(id);
      if (known === undefined) this.#named.set(id, { ref, index });
      else if (known.ref.size !== ref.size && this.#wrong.length < MOST_DETAILS)
        this.#wrong.push(
          `entry ${index}: ${printable(ref.name)} has another size than entry ${known.index} gives the same content`,
        );
    }
    if (record?.type === 'correction' && isAdmitted({ admission }))
      for (const digest of record.erased ?? []) this.#erased.set(hex(digest), index);
  }

  /**
   * The content of an attachment in the file, without its salt; undefined when it is not what the entry names.
   * @throws EvidenceError when no entry names it
   */
  disclosed(digest: Uint8Array, blob: Uint8Array): { readonly named: Named; readonly content: Uint8Array } | undefined {
    const named = this.#account(digest);
    try {
      const content = openAttachment(blob, named.ref);
      this.#disclosed++;
      return { named, content };
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.#wrong.push(`entry ${named.index}: ${error.message}`);
      return undefined;
    }
  }

  /** @throws EvidenceError when no entry names it */
  absent(digest: Uint8Array, why: Absence): void {
    const { ref, index } = this.#account(digest);
    const erased = this.#erased.get(hex(digest));
    const by = why === 'erased' && erased !== undefined ? `, as entry ${erased} says` : '';
    this.#missing++;
    if (this.#absent.length + this.#groundless.length >= MOST_DETAILS) return;
    this.#absent.push(`entry ${index}: ${printable(ref.name)} (${ref.size} bytes, ${ref.access}) ${WHY[why]}${by}`);
    if (this.#isGroundless(why, ref, erased))
      this.#groundless.push(`entry ${index}: nothing in the file says that ${printable(ref.name)} ${WHY[why]}`);
  }

  claims(): Claim[] {
    const name = 'attachments';
    const missing = [...this.#named].filter(([id]) => !this.#accounted.has(id));
    if (this.#named.size === 0) return [{ name, verdict: 'proved', text: 'No record in the file has an attachment.' }];
    if (this.#wrong.length > 0)
      return [
        { name, verdict: 'failed', text: 'An attachment in the file is not the one that was recorded.', details: this.#wrong },
      ];
    if (missing.length > 0) {
      const indices = [...new Set(missing.map(([, { index }]) => index))];
      const text = `The file neither holds nor mentions ${plural(missing.length, 'attachment')} of ${listEntries(indices)}.`;
      return [{ name, verdict: 'failed', text }];
    }
    const details = [...this.#absent, ...this.#groundless];
    const there = `${plural(this.#disclosed, 'attachment')} in the file ${this.#disclosed === 1 ? 'is' : 'are'} byte for byte what was recorded`;
    if (this.#missing === 0) return [{ name, verdict: 'proved', text: `All ${there}.` }];
    return [
      {
        name,
        verdict: 'not proved',
        text: `${this.#disclosed === 0 ? 'No attachment is in the file' : there}; ${plural(this.#missing, 'other')} ${this.#missing === 1 ? 'is' : 'are'} left out, of which only the digests are proved.`,
        details,
      },
    ];
  }

  /** Whether nothing in the file bears out why an attachment is not there. */
  #isGroundless(why: Absence, { access, size }: AttachmentRef, erased: number | undefined): boolean {
    switch (why) {
      case 'erased':
        return erased === undefined;
      case 'withheld':
      case 'restricted':
        return access !== why;
      case 'too-large':
        return size + SALT_SIZE <= LARGEST_ATTACHMENT;
      case 'not-asked':
        return this.#question.attachments !== 'none';
      default:
        return false;
    }
  }

  #account(digest: Uint8Array): Named {
    const id = hex(digest);
    const named = this.#named.get(id);
    if (named === undefined) throw malformed(`no entry in the file names the attachment ${id}`);
    this.#accounted.add(id);
    return named;
  }
}
