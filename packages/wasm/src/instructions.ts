import { type Code, signed, unsigned } from './encoding.js';

// Instructions of the WebAssembly core specification (section 5.4), each with its operands: an expression reads as it is computed.

const [BLOCK, LOOP, IF, ELSE, END, BRANCH, BRANCH_IF, NOTHING] = [0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x40];

type Binary = (left: Code, right: Code) => Code;
type Load = (address: Code, offset?: number) => Code;
type Store = (address: Code, value: Code, offset?: number) => Code;
type Shift = (value: Code, bits: number) => Code;

const binary =
  (...opcode: Code): Binary =>
  (left, right) => [left, right, opcode];
/** `align` is the exponent of the alignment, a hint. */
const load =
  (opcode: Code, align: number): Load =>
  (address, offset = 0) => [address, opcode, align, unsigned(offset)];
const store =
  (opcode: Code, align: number): Store =>
  (address, value, offset = 0) => [address, value, opcode, align, unsigned(offset)];
const i64Shift =
  (opcode: number): Shift =>
  (value, bits) => [value, i64.const(BigInt(bits)), opcode];
const laneShift =
  (opcode: number): Shift =>
  (value, bits) => [value, i32.const(bits), 0xfd, unsigned(opcode)];
const lanes = (opcode: number): Binary => binary(0xfd, unsigned(opcode));

/** Joins statements, or pushes operands in front of an operation. */
export function seq(...parts: readonly Code[]): Code {
  return parts;
}

/** The value of a local variable or parameter. */
export const get = (local: number): Code => [0x20, unsigned(local)];

/** Sets a local variable or parameter to a value. */
export const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)];

/** Operations on 32-bit integers. Addresses are of this type; loads and stores take a constant offset in bytes. */
export const i32 = {
  const: (value: number): Code => [0x41, signed(BigInt(value | 0))],
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  shl: binary(0x74),
  /** 1 when left > right, otherwise 0; both signed. */
  gtS: binary(0x4a),
  /** 1 when left < right, otherwise 0; both signed. */
  ltS: binary(0x48),
  /** 16 bits of memory with their sign. */
  load16S: load([0x2e], 1),
};

/** Operations on 64-bit integers. `load32` extends the sign, `store32` keeps the low half. */
export const i64 = {
  const: (value: bigint): Code => [0x42, signed(value)],
  add: binary(0x7c),
  sub: binary(0x7d),
  mul: binary(0x7e),
  and: binary(0x83),
  or: binary(0x84),
  shl: i64Shift(0x86),
  shrS: i64Shift(0x87),
  shrU: i64Shift(0x88),
  load32: load([0x34], 2),
  store32: store([0x3e], 2),
  store: store([0x37], 3),
};

/** Operations on vectors of four 32-bit words. */
export const v128 = {
  load: load([0xfd, 0x00], 4),
  store: store([0xfd, 0x0b], 4),
  /** One word of memory, in all four lanes. */
  loadSplat: load([0xfd, 0x09], 2),
  /** 16 bytes chosen from those of two vectors: 0 to 15 are of the first, 16 to 31 of the second. */
  shuffle: (bytes: readonly number[], first: Code, second: Code): Code => [first, second, 0xfd, 0x0d, bytes],
  and: lanes(0x4e),
  or: lanes(0x50),
  xor: lanes(0x51),
  add: lanes(0xae),
  shl: laneShift(0xab),
  shrU: laneShift(0xad),
};

/** Runs one of two statements; zero counts as false. */
export function when(condition: Code, then: Code, otherwise: Code = []): Code {
  return [condition, IF, NOTHING, then, otherwise.length > 0 ? [ELSE, otherwise] : [], END];
}

/** Repeats a statement, at least once, while the condition behind it is not zero. */
export function doWhile(body: Code, condition: Code): Code {
  return [LOOP, NOTHING, body, condition, BRANCH_IF, 0, END];
}

/** Repeats a statement while the condition, tested before each turn, is not zero. */
export function whileLoop(condition: Code, body: Code): Code {
  return [...[BLOCK, NOTHING, LOOP, NOTHING], ...[condition, 0x45, BRANCH_IF, 1], ...[body, BRANCH, 0, END, END]];
}
