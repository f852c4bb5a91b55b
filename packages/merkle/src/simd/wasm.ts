/** WebAssembly code: bytes, and code within code. An expression leaves one value on the stack, a statement none. */
export type Code = readonly (number | Code)[];

/** Value types of the binary format (WebAssembly core specification, section 5.3.1). */
export const I32 = 0x7f;
export const V128 = 0x7b;

const [BLOCK, LOOP, END, BRANCH, BRANCH_IF, NOTHING] = [0x02, 0x03, 0x0b, 0x0c, 0x0d, 0x40];

/** A function of a module: its parameters are locals 0 to `parameters` - 1, all of type i32; it returns nothing. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  /** Types of the locals behind the parameters. */
  readonly locals: readonly number[];
  readonly body: Code;
}

/**
 * The bytes of a WebAssembly module with functions and one memory, both exported (core specification, chapter 5).
 * @param pages of memory, 65,536 bytes each; the memory never grows
 */
export function wasmModule(functions: readonly WasmFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const arities = [...new Set(functions.map(({ parameters }) => parameters))];
  const types = arities.map((arity) => [0x60, vector(Array<Code>(arity).fill([I32])), vector([])]);
  const exported = functions.map(({ name }, i) => [text(name), 0x00, unsigned(i)]);
  const bodies = functions.map(({ locals, body }) => sized([vector(locals.map((type) => [1, type])), body, END]));
  return Uint8Array.from(
    bytesOf([
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      [1, sized(vector(types))],
      [3, sized(vector(functions.map(({ parameters }) => unsigned(arities.indexOf(parameters)))))],
      [5, sized(vector([[0x01, unsigned(pages), unsigned(pages)]]))],
      [7, sized(vector([[text('memory'), 0x02, 0x00], ...exported]))],
      [10, sized(vector(bodies))],
    ]),
  );
}

function bytesOf(code: Code, into: number[] = []): number[] {
  for (const part of code) {
    if (typeof part === 'number') into.push(part);
    else bytesOf(part, into);
  }
  return into;
}

/** Behind its length in bytes. */
function sized(content: Code): Code {
  const bytes = bytesOf(content);
  return [unsigned(bytes.length), bytes];
}

function vector(items: readonly Code[]): Code {
  return [unsigned(items.length), items];
}

function text(name: string): Code {
  return vector([...new TextEncoder().encode(name)].map((byte) => [byte]));
}

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** Signed LEB128 of a 32-bit integer. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (; rest < -64 || rest > 63; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest & 0x7f);
  return bytes;
}

const instruction =
  (...opcode: Code) =>
  (...operands: readonly Code[]): Code => [operands, opcode];
const simd = (opcode: number) => instruction(0xfd, unsigned(opcode));
/** At a constant offset from an address; `align` is the exponent of the alignment, a hint. */
const access =
  (opcode: Code, align: number) =>
  (offset: number, address: Code, ...value: readonly Code[]) => [...[address, value], ...[opcode, align, unsigned(offset)]];
const shift =
  (opcode: number) =>
  (value: Code, bits: number): Code => [value, 0x41, signed(bits), 0xfd, unsigned(opcode)];

/** Instructions, each with its operands: an expression reads as it is computed. */
export const wasm = {
  get: (local: number): Code => [0x20, unsigned(local)],
  set: (local: number, value: Code): Code => [value, 0x21, unsigned(local)],
  i32: (value: number): Code => [0x41, signed(value)],
  i32Add: instruction(0x6a),
  i32Mul: instruction(0x6c),
  i32GreaterThanZero: (value: Code): Code => [value, 0x41, 0x00, 0x4a],
  /** Repeats the body while `condition` is not zero, tested before each turn. */
  while: (condition: Code, body: Code): Code => [
    ...[BLOCK, NOTHING, LOOP, NOTHING],
    ...[condition, 0x45, BRANCH_IF, 1],
    ...[body, BRANCH, 0, END, END],
  ],
  load: access([0xfd, 0x00], 4),
  store: access([0xfd, 0x0b], 4),
  /** One 32-bit word of memory, in all four lanes. */
  loadSplat: access([0xfd, 0x09], 2),
  /** 16 bytes chosen from those of two vectors: 0 to 15 are of the first, 16 to 31 of the second. */
  shuffle: (bytes: readonly number[], first: Code, second: Code): Code => [first, second, 0xfd, 0x0d, bytes],
  and: simd(0x4e),
  or: simd(0x50),
  xor: simd(0x51),
  add: simd(0xae),
  shl: shift(0xab),
  shrU: shift(0xad),
};
