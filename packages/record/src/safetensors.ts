import { RecordError } from './errors.js';

/** One tensor as a safetensors header describes it. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** First byte and the byte behind the last, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

/** A tensor with the SHA-256 of its bytes: enough to say which tensors differ between two versions. */
export interface TensorDigest {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** 32 bytes */
  readonly digest: Uint8Array;
}

/** Headers beyond this size are refused, as the format's own library does. */
const MAX_HEADER_SIZE = 100_000_000;

const DTYPE_BITS: Readonly<Record<string, number>> = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  F64: 64,
  I64: 64,
  U64: 64,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  C64: 64,
};

/**
 * The header's length from the first 8 bytes of a file (little-endian).
 * @throws RecordError (safetensors/invalid)
 */
export function headerLength(prefix: Uint8Array): number {
  if (prefix.length < 8) throw new RecordError('safetensors/invalid', 'the file is shorter than a safetensors header');
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_SIZE)) throw new RecordError('safetensors/invalid', `the header claims ${length} bytes`);
  return Number(length);
}

/**
 * Reads a safetensors header; tensors come in the order of their bytes and must fill the data without gaps.
 * @param header the JSON behind the first 8 bytes
 * @param dataSize bytes behind the header
 * @throws RecordError (safetensors/invalid)
 */
export function parseHeader(header: Uint8Array, dataSize: number): TensorInfo[] {
  const fail = (why: string): never => {
    throw new RecordError('safetensors/invalid', `the safetensors header ${why}`);
  };
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch {
    return fail('is no JSON');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return fail('is no JSON object');
  const tensors: TensorInfo[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') continue;
    const {
      dtype,
      shape,
      data_offsets: offsets,
    } = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
    if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BITS, dtype))
      return fail(`gives ${JSON.stringify(name)} an unknown dtype`);
    if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2)
      return fail(`describes ${JSON.stringify(name)} in a way that is not understood`);
    const bits = shape.reduce((product, n) => product * n, 1) * DTYPE_BITS[dtype];
    const [begin, end] = offsets;
    if (!Number.isSafeInteger(bits) || bits !== (end - begin) * 8)
      return fail(`gives ${JSON.stringify(name)} another size than its shape has`);
    tensors.push({ name, dtype, shape, begin, end });
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const tensor of tensors) {
    if (tensor.begin !== at) return fail(`leaves a gap or an overlap before ${JSON.stringify(tensor.name)}`);
    at = tensor.end;
  }
  if (at !== dataSize) return fail('does not account for all bytes of the file');
  return tensors;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** Which tensors differ between two versions. */
export interface TensorDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly same: number;
}

/** Compares two summaries by name, dtype, shape and digest. */
export function diffTensors(before: readonly TensorDigest[], after: readonly TensorDigest[]): TensorDiff {
  const id = (t: TensorDigest): string => JSON.stringify([t.dtype, t.shape, Array.from(t.digest)]);
  const old = new Map(before.map((t) => [t.name, id(t)]));
  const added = after.filter((t) => !old.has(t.name)).map((t) => t.name);
  const changed = after.filter((t) => old.has(t.name) && old.get(t.name) !== id(t)).map((t) => t.name);
  const names = new Set(after.map((t) => t.name));
  const removed = before.filter((t) => !names.has(t.name)).map((t) => t.name);
  return { added, removed, changed, same: after.length - added.length - changed.length };
}
