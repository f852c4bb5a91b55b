import { AttestationError } from './errors.js';

/** Reads the structures of TPM 2.0 (Library, part 2): big-endian integers, and byte strings behind their length. */
export class TpmReader {
  #at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;

  /** @param what is read, for messages */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  uint8(what: string): number {
    return this.#view.getUint8(this.#take(1, what));
  }

  uint16(what: string): number {
    return this.#view.getUint16(this.#take(2, what));
  }

  uint32(what: string): number {
    return this.#view.getUint32(this.#take(4, what));
  }

  uint64(what: string): bigint {
    return this.#view.getBigUint64(this.#take(8, what));
  }

  /** A copy of the next bytes. */
  bytes(length: number, what: string): Uint8Array {
    const start = this.#take(length, what);
    return this.#bytes.slice(start, start + length);
  }

  /** A TPM2B: a length of two bytes, and as many bytes. */
  sized(most: number, what: string): Uint8Array {
    const length = this.uint16(`the length of ${what}`);
    if (length > most) throw malformed(`${what} has ${length} bytes, and may have ${most}`);
    return this.bytes(length, what);
  }

  /** @throws AttestationError when bytes are left */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw malformed(`there are ${left} bytes behind ${this.#what}`);
  }

  #take(length: number, what: string): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw malformed(`${this.#what} ends within ${what}`);
    this.#at = start + length;
    return start;
  }
}

/** What a structure is refused with. */
export function malformed(message: string): AttestationError {
  return new AttestationError('attestation/malformed', message);
}
