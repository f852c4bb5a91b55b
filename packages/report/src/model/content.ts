import type {
  Absence,
  DisclosedAttachment,
  HeadSeen,
  PackEntry,
  PackHeader,
  PackListener,
  ProvedDecision,
} from '@treering/evidence';
import { hex } from '@treering/note';
import type { AttachmentRef, ChangeRecord, RecordOf, RecordType } from '@treering/record';

/** An entry of the file, and the first head that covers it. */
export interface ReportEntry extends PackEntry {
  before: HeadSeen | undefined;
}

/** An entry that the rules admit, with a record of one type. */
export interface EntryOf<T extends RecordType> extends ReportEntry {
  readonly record: RecordOf<T>;
}

/** An attachment that is not in the file. */
export interface LeftOut {
  readonly ref: AttachmentRef;
  /** The first entry that names it. */
  readonly index: number;
  readonly why: Absence;
}

/** Everything that is in a pack, as it was examined. It is worth what the claims about it are worth. */
export class PackContent implements PackListener {
  header: PackHeader | undefined;
  readonly entries: ReportEntry[] = [];
  readonly attachments: DisclosedAttachment[] = [];
  readonly leftOut: LeftOut[] = [];
  readonly decisions: ProvedDecision[] = [];
  /** Indices of the corrections, by index of what they supersede. */
  readonly superseded = new Map<number, number>();
  readonly #byLeaf = new Map<string, ReportEntry>();
  readonly #byType = new Map<RecordType, ReportEntry[]>();
  readonly #byDigest = new Map<string, DisclosedAttachment>();
  readonly #named = new Map<string, { readonly ref: AttachmentRef; readonly index: number }>();
  #covered = 0;

  readonly onHeader = (header: PackHeader): void => {
    this.header = header;
  };

  readonly onEntry = (seen: PackEntry): void => {
    const entry: ReportEntry = { ...seen, before: undefined };
    this.entries.push(entry);
    this.#byLeaf.set(hex(entry.leaf), entry);
    for (const ref of entry.record?.attachments ?? []) {
      const digest = hex(ref.digest);
      if (!this.#named.has(digest)) this.#named.set(digest, { ref, index: entry.index });
    }
    if (entry.record === undefined || !isAdmitted(entry)) return;
    const { type } = entry.record;
    const alike = this.#byType.get(type);
    if (alike === undefined) this.#byType.set(type, [entry]);
    else alike.push(entry);
    if (entry.record.type !== 'correction') return;
    const target = this.byLeaf(entry.record.supersedes);
    if (target !== undefined) this.superseded.set(target.index, entry.index);
  };

  /** A head covers every entry before it that no earlier one did. */
  readonly onHead = (head: HeadSeen): void => {
    for (; this.#covered < this.entries.length; this.#covered++) this.entries[this.#covered].before = head;
  };

  readonly onAttachment = (attachment: DisclosedAttachment): void => {
    this.attachments.push(attachment);
    this.#byDigest.set(hex(attachment.ref.digest), attachment);
  };

  readonly onAbsent = (digest: Uint8Array, why: Absence): void => {
    const named = this.#named.get(hex(digest));
    if (named !== undefined) this.leftOut.push({ ...named, why });
  };

  readonly onDecision = (decision: ProvedDecision): void => {
    this.decisions.push(decision);
  };

  /** The entry with this leaf hash, if it is in the file. */
  byLeaf(leaf: Uint8Array): ReportEntry | undefined {
    return this.byLeafHex(hex(leaf));
  }

  /** The entry with this leaf hash in hex. */
  byLeafHex(leaf: string): ReportEntry | undefined {
    return this.#byLeaf.get(leaf);
  }

  /** Entries with a record of one type that the rules admit, in the order of the log. */
  of<T extends RecordType>(type: T): readonly EntryOf<T>[] {
    return (this.#byType.get(type) ?? []) as EntryOf<T>[];
  }

  /** The entry with this leaf hash, if it holds a record of this type that the rules admit. */
  find<T extends RecordType>(type: T, leaf: Uint8Array): EntryOf<T> | undefined {
    const entry = this.byLeaf(leaf);
    return entry?.record?.type === type && isAdmitted(entry) ? (entry as EntryOf<T>) : undefined;
  }

  /** Records that the rules admit. */
  *records(): Generator<{ readonly index: number; readonly record: ChangeRecord }> {
    for (const entry of this.entries)
      if (entry.record !== undefined && isAdmitted(entry)) yield { index: entry.index, record: entry.record };
  }

  /** The disclosed attachment with a digest. */
  attachment(digest: Uint8Array): DisclosedAttachment | undefined {
    return this.#byDigest.get(hex(digest));
  }
}

/** True when the rules admit an entry. */
export function isAdmitted({ admission }: Pick<PackEntry, 'admission'>): boolean {
  return 'rule' in admission;
}

/** When an entry was signed, as its signer says, in seconds since the epoch; undefined when he does not say. */
export function signedAt({ statement }: PackEntry): number | undefined {
  return statement?.iat;
}
