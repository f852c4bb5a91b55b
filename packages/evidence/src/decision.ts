import { CompactRange, type Hasher, portableHasher } from '@treering/merkle';
import { type CborValue, decodeCbor, encodeCbor, StatementError } from '@treering/statement';
import { EvidenceError } from './errors.js';

/** Random bytes in each decision, so that nobody guesses one from its leaf hash. */
export const DECISION_SALT_SIZE = 16;

/** One decision of an AI system, as it stands in the tree of a batch (record `decision-batch`). */
export interface Decision {
  /** What the decision is known by to whom it concerns: an application's or a request's number. 1 to 200 characters. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** What was decided, in a word or a sentence; at most 500 characters. */
  readonly outcome?: string;
  /** 16 random bytes. */
  readonly salt: Uint8Array;
}

/**
 * The bytes of a decision's leaf in the tree of its batch: deterministic CBOR.
 * @throws EvidenceError when a member is out of bounds
 */
export function encodeDecision(decision: Decision): Uint8Array {
  const { id, at, outcome, salt } = decision;
  let leaf: Uint8Array;
  try {
    leaf = encodeCbor({ v: 1, id, at, salt, ...(outcome === undefined ? {} : { outcome }) });
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw malformed(error.message);
  }
  decodeDecision(leaf);
  return leaf;
}

/**
 * Reads a decision's leaf.
 * @throws EvidenceError
 */
export function decodeDecision(leaf: Uint8Array): Decision {
  const value = read(leaf);
  const get = (name: string): CborValue | undefined => value.get(name);
  const [id, at, outcome, salt] = ['id', 'at', 'outcome', 'salt'].map(get);
  const known = value.size === (outcome === undefined ? 4 : 5) && get('v') === 1;
  const good =
    known &&
    isText(id, 1, 200) &&
    typeof at === 'number' &&
    at >= 0 &&
    (outcome === undefined || isText(outcome, 1, 500)) &&
    salt instanceof Uint8Array &&
    salt.length === DECISION_SALT_SIZE;
  if (!good) throw malformed('it has not the members of one');
  return { id, at, salt: salt as Uint8Array, ...(outcome === undefined ? {} : { outcome: outcome as string }) };
}

function read(leaf: Uint8Array): Map<string | number, CborValue> {
  try {
    const value = decodeCbor(leaf, { tags: [], items: 16 });
    if (value instanceof Map) return value as Map<string | number, CborValue>;
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw malformed(error.message);
  }
  throw malformed('it is no map');
}

function isText(value: CborValue | undefined, least: number, most: number): value is string {
  return typeof value === 'string' && value.length >= least && value.length <= most;
}

function malformed(why: string): EvidenceError {
  return new EvidenceError('evidence/malformed', `this is no decision: ${why}`);
}

/** The root over the decisions of a batch, in their order, 32 bytes: RFC 6962 section 2.1 over their leaves. */
export function decisionRoot(decisions: readonly Decision[], hasher: Hasher = portableHasher): Uint8Array {
  const range = new CompactRange(hasher);
  for (const decision of decisions) range.append(hasher.hashLeaf(encodeDecision(decision)));
  return range.root();
}

/**
 * The inclusion proof of one decision of a batch: siblings from the leaf to the root, 32 bytes each (RFC 9162 section 2.1.3.1).
 * @throws EvidenceError when the batch has no such decision
 */
export function proveDecision(decisions: readonly Decision[], position: number, hasher: Hasher = portableHasher): Uint8Array[] {
  if (!(position >= 0 && position < decisions.length) || !Number.isInteger(position))
    throw new EvidenceError('evidence/malformed', `the batch has no decision ${position}`);
  const leaves = decisions.map((decision) => hasher.hashLeaf(encodeDecision(decision)));
  return path(leaves, position, hasher);
}

function path(leaves: readonly Uint8Array[], position: number, hasher: Hasher): Uint8Array[] {
  const out: Uint8Array[] = [];
  let level = [...leaves];
  let at = position;
  // A last node without a sibling goes up as it is, as in RFC 6962.
  while (level.length > 1) {
    const sibling = at % 2 === 0 ? at + 1 : at - 1;
    if (sibling < level.length) out.push(level[sibling]);
    const next: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2)
      next.push(i + 1 < level.length ? hasher.hashNode(level[i], level[i + 1]) : level[i]);
    level = next;
    at = Math.floor(at / 2);
  }
  return out;
}

/** The position of a decision by its id; undefined when there is none. @throws EvidenceError when there are several */
export function findDecision(decisions: readonly Decision[], id: string): number | undefined {
  const first = decisions.findIndex((decision) => decision.id === id);
  if (first < 0) return undefined;
  const twin = decisions.findIndex((decision, i) => i > first && decision.id === id);
  if (twin >= 0) throw new EvidenceError('evidence/malformed', `the batch has two decisions of the id ${JSON.stringify(id)}`);
  return first;
}
