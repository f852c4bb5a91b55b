import type { Candidate } from '@treering/governance';
import { hex } from '@treering/note';
import { type ChangeRecord, configDigest } from '@treering/record';
import { asksAbout, placeInPeriod, type Question } from './question.js';

/** Types by which a log governs itself: whatever is decided rests on all of them. */
const GOVERNING: readonly string[] = ['charter', 'amendment', 'policy', 'freeze'];

/** Types that say something about a model, a configuration or a deployment, and are read with it. */
const ABOUT: readonly string[] = ['approval', 'evaluation', 'verification', 'attestation', 'incident', 'assessment'];

/** Types that decide whether something is deployed, by approvals and gates of the policy. */
const DECIDING: readonly string[] = ['approval', 'evaluation', 'assessment', 'incident'];

/** What is known of an entry: enough to tell which others it needs. */
interface Known {
  readonly index: number;
  readonly leaf: string;
  readonly subject: string;
  /** A record type, or `foreign`. */
  readonly type: string;
  readonly iat: number | undefined;
  /** Whose key signed it, if it says so. */
  readonly signer: string | undefined;
  /** Leaf hashes of the entries that it names, in hex. */
  readonly links: readonly string[];
  /** What a model or a configuration is, whatever it is called. */
  readonly made: string | undefined;
  /** Attachments that a correction erases, in hex. */
  readonly erased: readonly string[];
}

/** Which entries answer a question, with all that they refer to. */
export interface Selection {
  /** Ascending; none when nothing answers the question. */
  readonly entries: readonly number[];
  /** Records on the subjects before and after the period, and later ones about what is taken: not taken. */
  readonly leftOut: { readonly earlier: number; readonly later: number; readonly about: number };
  /** Sizes of trees that the entries name as anchors; ascending. */
  readonly anchors: readonly number[];
}

/**
 * What the entries of a log refer to, collected while it is read once from the beginning: which of them an evidence pack needs
 * can be told then. It takes some hundred bytes an entry.
 */
export class PackIndex {
  readonly #known = new Map<number, Known>();
  readonly #anchors = new Map<number, number>();
  readonly #byLeaf = new Map<string, number>();
  readonly #bySubject = new Map<string, number[]>();
  /** Entries about another, by the leaf hash of the other. */
  readonly #about = new Map<string, number[]>();
  readonly #madeBy = new Map<string, number[]>();
  readonly #attachedBy = new Map<string, number>();
  readonly #origin: string;
  #size = 0;

  /** @param origin of the log: its identities are named below it */
  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Entries seen so far. */
  get size(): number {
    return this.#size;
  }

  /** The leaf hash of an entry that could be read, 64 hex digits. */
  leafOf(index: number): string | undefined {
    return this.#known.get(index)?.leaf;
  }

  /** The entry with this leaf hash (64 hex digits). */
  indexOf(leaf: string): number | undefined {
    return this.#byLeaf.get(leaf);
  }

  /** Takes in the next entry. @param candidate undefined for bytes that are no statement */
  see(candidate: Candidate | undefined): void {
    const index = this.#size++;
    if (candidate === undefined) return;
    const { record, statement, leaf } = candidate;
    const prefix = `${this.#origin}/identity/`;
    const known: Known = {
      index,
      leaf: hex(leaf),
      subject: statement.sub,
      type: record?.type ?? 'foreign',
      iat: statement.iat,
      signer: statement.iss.startsWith(prefix) ? statement.iss.slice(prefix.length) : undefined,
      links: record === undefined ? [] : linksOf(record),
      made: record === undefined ? undefined : madeOf(record),
      erased: record?.type === 'correction' ? (record.erased ?? []).map(hex) : [],
    };
    this.#known.set(index, known);
    this.#byLeaf.set(known.leaf, index);
    push(this.#bySubject, known.subject, index);
    if (known.made !== undefined) push(this.#madeBy, known.made, index);
    if (record?.anchor !== undefined && record.anchor.size <= index) this.#anchors.set(index, record.anchor.size);
    for (const { digest } of record?.attachments ?? [])
      if (!this.#attachedBy.has(hex(digest))) this.#attachedBy.set(hex(digest), index);
    if (ABOUT.includes(known.type) || known.type === 'correction')
      for (const link of known.links) push(this.#about, link, index);
  }

  /**
   * The entries for a question.
   * @param also further entries that are wanted: batches of decisions
   */
  select(question: Question, also: readonly number[] = []): Selection {
    const chosen = question.everything
      ? new Set(Array.from({ length: this.#size }, (_, i) => i))
      : this.#closure(question, also);
    const entries = [...chosen].sort((a, b) => a - b);
    const anchors = entries.flatMap((index) => this.#anchors.get(index) ?? []);
    return {
      entries,
      leftOut: this.#leftOut(question, chosen),
      anchors: [...new Set(anchors)].sort((a, b) => a - b),
    };
  }

  #closure(question: Question, also: readonly number[]): Set<number> {
    const chosen = new Set<number>();
    const open: number[] = [];
    const take = (index: number | undefined): void => {
      if (index === undefined || chosen.has(index) || !this.#known.has(index)) return;
      chosen.add(index);
      open.push(index);
    };
    const needs = (): void => {
      for (let index = open.pop(); index !== undefined; index = open.pop())
        this.#needs(this.#known.get(index) as Known, question, take);
    };
    for (const index of also) take(index);
    for (const [subject, indices] of this.#bySubject)
      if (asksAbout(question, subject)) for (const index of this.#answers(indices, question)) take(index);
    if (chosen.size === 0) return chosen;
    needs();
    // What governs does not reach further than the entries that it decides about, and may need others, later ones too.
    for (let size = 0; size < chosen.size; ) {
      size = chosen.size;
      let last = 0;
      for (const index of chosen) last = Math.max(last, index);
      this.#takeGoverning(last, take);
      needs();
    }
    return chosen;
  }

  /** Whatever makes the rules up to an entry, and all that ever changed the charter: its keys sign the head. */
  #takeGoverning(last: number, take: (index: number) => void): void {
    for (const { index, type, subject } of this.#known.values()) {
      const ofCharter = type === 'amendment' || (type === 'approval' && subject === 'charter');
      const decides = type === 'approval' && (subject === 'policy' || subject.startsWith('freeze/'));
      if (ofCharter || (index <= last && (GOVERNING.includes(type) || decides))) take(index);
    }
  }

  /** Those of one subject that lie in the period, and what was the newest of each type when it began. */
  #answers(indices: readonly number[], question: Question): number[] {
    const newest = new Map<string, number>();
    const within: number[] = [];
    for (const index of indices) {
      const { type, iat } = this.#known.get(index) as Known;
      const place = placeInPeriod(question, iat);
      if (place === 'earlier') newest.set(type, index);
      else if (place === 'within') within.push(index);
    }
    return [...newest.values(), ...within];
  }

  /** All that an entry cannot be understood or decided about without. */
  #needs(known: Known, question: Question, take: (index: number | undefined) => void): void {
    const { index, type, leaf, subject, signer, links, made, erased } = known;
    take(0);
    for (const link of links) take(this.#byLeaf.get(link));
    for (const digest of erased) take(this.#attachedBy.get(digest));
    // Also what came later: that a key was revoked is part of what it signed.
    for (const one of signer === undefined ? [] : (this.#bySubject.get(`identity/${signer}`) ?? [])) take(one);
    // Whose it is, and what was found of it under another name.
    if (made !== undefined) for (const one of this.#madeBy.get(made) ?? []) take(one);
    if (type === 'deployment') this.#needsOfDeployment(known, take);
    if (type === 'attestation') this.#needsOfAttestation(links, take);
    // What is revoked was enrolled, and whoever enrols further keys did so before.
    if (type === 'identity') for (const one of this.#bySubject.get(subject) ?? []) if (one < index) take(one);
    // An incident is over when a later record of its subject says so, whenever that was signed.
    if (type === 'incident') for (const one of this.#bySubject.get(subject) ?? []) take(one);
    // What had replaced a deployment decides whether a decision was its own.
    if (type === 'decision-batch') for (const one of this.#deploymentsLike(links, index)) take(one);
    if (type === 'model' || type === 'config')
      for (const one of this.#bySubject.get(subject) ?? [])
        if (this.#known.get(one)?.type === 'foreign' && this.#isUntilEnd(one, question)) take(one);
    for (const one of this.#about.get(leaf) ?? []) if (this.#isUntilEnd(one, question)) take(one);
  }

  /** The deployment before, and every decision that was there when it was recorded, whenever it was signed. */
  #needsOfDeployment({ index, subject, links }: Known, take: (index: number | undefined) => void): void {
    const before = this.#before(subject, 'deployment', index);
    take(before);
    const decided = before === undefined ? links : [...links, (this.#known.get(before) as Known).leaf];
    for (const link of decided)
      for (const one of this.#about.get(link) ?? [])
        if (one < index && DECIDING.includes(this.#known.get(one)?.type ?? '')) take(one);
  }

  /** Whether the key of a TPM was revoked: all that is said of the identity that it names. */
  #needsOfAttestation(links: readonly string[], take: (index: number) => void): void {
    for (const link of links) {
      const named = this.#known.get(this.#byLeaf.get(link) ?? -1);
      if (named?.type === 'identity') for (const one of this.#bySubject.get(named.subject) ?? []) take(one);
    }
  }

  #isUntilEnd(index: number, question: Question): boolean {
    const known = this.#known.get(index) as Known;
    // A correction changes what is read, whenever it came.
    return known.type === 'correction' || placeInPeriod({ ...question, from: undefined }, known.iat) === 'within';
  }

  /** The deployments before an entry that are about the same service as one that it names. */
  #deploymentsLike(links: readonly string[], before: number): number[] {
    const named = links
      .map((link) => this.#known.get(this.#byLeaf.get(link) ?? -1))
      .filter((one) => one?.type === 'deployment');
    return named
      .flatMap((one) => this.#bySubject.get(one?.subject ?? '') ?? [])
      .filter((index) => index < before && this.#known.get(index)?.type === 'deployment');
  }

  #before(subject: string, type: string, index: number): number | undefined {
    const indices = this.#bySubject.get(subject) ?? [];
    for (let i = indices.length - 1; i >= 0; i--)
      if (indices[i] < index && this.#known.get(indices[i])?.type === type) return indices[i];
    return undefined;
  }

  #leftOut(question: Question, chosen: ReadonlySet<number>): Selection['leftOut'] {
    let [earlier, later, about] = [0, 0, 0];
    for (const [index, { subject, iat, links, type }] of this.#known) {
      if (chosen.has(index)) continue;
      if (asksAbout(question, subject)) {
        if (placeInPeriod(question, iat) === 'earlier') earlier++;
        else later++;
      } else if (ABOUT.includes(type) && links.some((link) => chosen.has(this.#byLeaf.get(link) ?? -1))) about++;
    }
    return { earlier, later, about };
  }
}

/** The entries that a record names, by leaf hash in hex. */
function linksOf(record: ChangeRecord): string[] {
  const links: (Uint8Array | undefined)[] = [record.prev, ...(record.refs ?? []).map(({ leaf }) => leaf)];
  switch (record.type) {
    case 'model':
      links.push(...record.parents.map(({ leaf }) => leaf));
      break;
    case 'evaluation':
      links.push(record.model, record.config);
      break;
    case 'approval':
      links.push(record.target);
      break;
    case 'deployment':
      links.push(record.model, record.config, record.replaces, ...record.approvals);
      break;
    case 'attestation':
    case 'decision-batch':
      links.push(record.deployment);
      break;
    case 'verification':
      links.push(record.deployment, record.baseline);
      break;
    case 'incident':
      links.push(...record.affected);
      break;
    case 'assessment':
      links.push(record.target, record.plan);
      break;
    case 'correction':
      links.push(record.supersedes);
  }
  return links.flatMap((link) => (link === undefined ? [] : [hex(link)]));
}

function madeOf(record: ChangeRecord): string | undefined {
  if (record.type === 'model') return `model ${hex(record.digest)}`;
  return record.type === 'config' ? `config ${hex(configDigest(record))}` : undefined;
}

function push(map: Map<string, number[]>, key: string, index: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [index]);
  else list.push(index);
}
