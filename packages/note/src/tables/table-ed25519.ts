import { Point } from '@noble/ed25519';
import { sha512 as portableSha512 } from '@noble/hashes/sha2.js';
import { checkEd25519PublicKey, type Ed25519, hasCanonicalS, L } from '../ed25519.js';
import { concatBytes } from '../text.js';
import { PointTables, SUMS } from './point-tables.js';
import { RecurringKeys } from './recurring-keys.js';
import { littleEndian, scalarBytes } from './scalar.js';

/** Of those that tables find valid, one in some 64 signatures is also verified without them, and nobody can foresee which. */
function unforeseeable(): number {
  return 1 + (crypto.getRandomValues(new Uint8Array(1))[0] & 127);
}

/** A signature to verify: 32 bytes of public key, the message, 64 bytes of signature. */
export interface SignedMessage {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** How tables are used. */
export interface TableOptions {
  /** Valid signatures of a key before it gets a table, which costs as much as some twenty signatures; 24 unless told. */
  readonly after?: number;
  /** Tables that are kept, of 172 KiB each; 64 unless told, at least 1. */
  readonly tables?: number;
  /** SHA-512 of a message, by the fastest means of the runtime; portable unless told. */
  readonly sha512?: (message: Uint8Array) => Uint8Array;
  /** How many signatures that tables find valid until one is also verified without them; 1 to 128 at random unless told. */
  readonly nextCheck?: () => number;
}

/** Ed25519 that verifies many signatures of the same keys quickly. */
export interface TableEd25519 extends Ed25519 {
  /**
   * The verdict on each signature, in order: those of `verify`, at less cost.
   * @throws TableMismatchError
   */
  verifyMany(items: readonly SignedMessage[]): boolean[];
  /** Bytes of memory that the tables take now. */
  readonly tableBytes: number;
}

/** The tables and the implementation behind them do not agree. It is no verdict: nothing that this machine computes counts. */
export class TableMismatchError extends Error {
  override readonly name = 'TableMismatchError';
  readonly code = 'note/table-mismatch';

  constructor() {
    super('two computations of a signature differ: the machine cannot be trusted');
  }
}

/**
 * Verification from tables of the multiples of keys, in WebAssembly, for keys whose signatures recur; `base` does everything else.
 * The result S·B - k·A is encoded and compared with R, and R is never decoded: this is the one rule itself, for every input. What
 * the tables find invalid, and a part of what they find valid, is asked of `base` as well.
 *
 * The first table costs some 15 ms and 0.6 MiB more than the others. Not for secrets: time depends on the input.
 * @throws WebAssembly.CompileError or RangeError, from the verification that would make a table where none can be made
 */
export function createTableEd25519(base: Ed25519, options: TableOptions = {}): TableEd25519 {
  const verifier = new TableVerifier(base, options);
  return {
    name: `tables in WebAssembly, ${base.name}`,
    publicKey: base.publicKey,
    sign: base.sign,
    verify: (publicKey, message, signature) => verifier.verifyMany([{ publicKey, message, signature }])[0],
    verifyMany: (items) => verifier.verifyMany(items),
    get tableBytes() {
      return verifier.tableBytes;
    },
  };
}

/** A sum that waits to be compared, at the place of its index. */
interface Waiting {
  readonly index: number;
  readonly item: SignedMessage;
}

class TableVerifier {
  readonly #base: Ed25519;
  readonly #keys: RecurringKeys;
  readonly #sha512: (message: Uint8Array) => Uint8Array;
  #tables: PointTables | undefined;
  readonly #nextCheck: () => number;
  /** Signatures that tables find valid until one is also verified without them. */
  #unchecked: number;

  constructor(base: Ed25519, { after = 24, tables = 64, sha512 = portableSha512, nextCheck = unforeseeable }: TableOptions) {
    this.#base = base;
    this.#nextCheck = nextCheck;
    this.#unchecked = nextCheck();
    this.#keys = new RecurringKeys(tables, after);
    this.#sha512 = sha512;
  }

  get tableBytes(): number {
    return this.#tables?.size ?? 0;
  }

  verifyMany(items: readonly SignedMessage[]): boolean[] {
    const verdicts = new Array<boolean>(items.length);
    let waiting: Waiting[] = [];
    items.forEach((item, index) => {
      const slot = this.#slotFor(item);
      if (slot === undefined) verdicts[index] = this.#byBase(item);
      else if (!hasCanonicalS(item.signature)) verdicts[index] = this.#checked(item, false);
      else {
        // The sum is computed now: the slot may belong to another key before the batch is full.
        this.#sum(waiting.length, item, slot);
        waiting.push({ index, item });
        if (waiting.length === SUMS) {
          this.#compare(waiting, verdicts);
          waiting = [];
        }
      }
    });
    this.#compare(waiting, verdicts);
    return verdicts;
  }

  /** The table of the item's key, which is made when it is due. */
  #slotFor({ publicKey }: SignedMessage): number | undefined {
    if (publicKey.length !== 32) return undefined;
    const key = idOf(publicKey);
    const known = this.#keys.slotOf(key);
    if (known !== undefined || !this.#keys.hasEarned(key)) return known;
    const point = acceptablePoint(publicKey);
    if (point === undefined) return undefined;
    this.#tables ??= new PointTables();
    const tables = this.#tables;
    return this.#keys.assign(key, (slot) => tables.setKey(slot, point));
  }

  #byBase(item: SignedMessage): boolean {
    const valid = this.#verifyByBase(item);
    // Only what holds counts: others cannot make tables for a key that is not theirs.
    if (valid) this.#keys.count(idOf(item.publicKey));
    return valid;
  }

  #verifyByBase({ publicKey, message, signature }: SignedMessage): boolean {
    return this.#base.verify(publicKey, message, signature);
  }

  #sum(place: number, { publicKey, message, signature }: SignedMessage, slot: number): void {
    const digest = this.#sha512(concatBytes(signature.subarray(0, 32), publicKey, message));
    this.#tables?.sum(place, signature.subarray(32), scalarBytes(littleEndian(digest) % L), slot);
  }

  #compare(waiting: readonly Waiting[], verdicts: boolean[]): void {
    const tables = this.#tables;
    if (tables === undefined || waiting.length === 0) return;
    tables.normalise(waiting.length);
    const held = waiting.map(({ item }, place) => tables.encodesTo(place, item.signature));
    waiting.forEach(({ index, item }, place) => {
      verdicts[index] = this.#checked(item, held[place]);
    });
  }

  /** What the tables found, after asking `base` where that has to be done. */
  #checked(item: SignedMessage, holds: boolean): boolean {
    const due = holds && --this.#unchecked <= 0;
    if (due) this.#unchecked = this.#nextCheck();
    if ((due || !holds) && this.#verifyByBase(item) !== holds) throw new TableMismatchError();
    return holds;
  }
}

/** The point of an acceptable key. */
function acceptablePoint(publicKey: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(checkEd25519PublicKey(publicKey));
  } catch {
    return undefined;
  }
}

/** The bytes of a key as the key of a map. */
function idOf(publicKey: Uint8Array): string {
  return String.fromCharCode(...publicKey);
}
