/** WebAssembly code: bytes, and code within code. An expression leaves one value on the stack, a statement none. */
export type Code = readonly (number | Code)[];

/** Types of parameters and local variables. */
export type ValueType = 'i32' | 'i64' | 'v128';

/** Value types in the binary format (WebAssembly core specification, section 5.3.1). */
export const TYPE_CODE: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, v128: 0x7b };

/** Code as plain bytes. */
export function bytesOf(code: Code, into: number[] = []): number[] {
  for (const part of code) {
    if (typeof part === 'number') into.push(part);
    else bytesOf(part, into);
  }
  return into;
}

/** Code behind its length in bytes. */
export function sized(content: Code): Code {
  const bytes = bytesOf(content);
  return [unsigned(bytes.length), bytes];
}

/** Items behind their number. */
export function vector(items: readonly Code[]): Code {
  return [unsigned(items.length), items];
}

/** A name in UTF-8, behind its length. */
export function text(name: string): Code {
  return sized([...new TextEncoder().encode(name)]);
}

/** Unsigned LEB128 of an integer below 2^53. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** Signed LEB128. */
export function signed(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest < -64n || rest > 63n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest & 0x7fn));
  return bytes;
}
