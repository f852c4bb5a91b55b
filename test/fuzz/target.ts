/** A class of errors, as `instanceof` takes it. */
type ErrorClass = abstract new (...args: never[]) => Error;

/** How an input is built, so that it can be changed where it means something. */
export type Form = 'bytes' | 'cbor' | 'json' | 'lines' | 'yaml';

/** A reader of bytes that somebody else made. */
export interface Target {
  /** Lower case words and hyphens: also the folder of its corpus. */
  readonly name: string;
  readonly form: Form;
  /** Reads an input; the value, or an error of one of `errors` with a stable code. */
  readonly parse: (bytes: Uint8Array) => unknown;
  /** Inputs that are accepted. */
  readonly seeds: readonly (Uint8Array | string)[];
  /** Inputs of third parties; whether they are accepted is tested elsewhere. */
  readonly foreign?: readonly Uint8Array[];
  /** What it is documented to throw. */
  readonly errors: readonly ErrorClass[];
  /** For a format with one spelling: what is accepted, written again, has the same bytes. */
  readonly format?: (value: never) => Uint8Array | string;
  /** Takes milliseconds for an input, and gets fewer of them where they are counted. */
  readonly slow?: boolean;
  /** Bytes of memory that any input may take. Default 8 MiB. */
  readonly memory?: number;
  /** Bytes to which inputs are blown up. Default 64 KiB. */
  readonly largest?: number;
}

/** Describes a target; `format` takes what `parse` gives. */
export function target<T>(
  parts: Omit<Target, 'parse' | 'format'> & {
    readonly parse: (bytes: Uint8Array) => T;
    readonly format?: (value: Awaited<T>) => Uint8Array | string;
  },
): Target {
  return parts as Target;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A parser of text, given bytes. */
export function ofText<T>(parse: (text: string) => T): (bytes: Uint8Array) => T {
  return (bytes) => parse(decoder.decode(bytes));
}

/** The bytes of a text, or bytes as they are. */
export function bytesOf(input: Uint8Array | string): Uint8Array {
  return typeof input === 'string' ? new TextEncoder().encode(input) : new Uint8Array(input);
}
