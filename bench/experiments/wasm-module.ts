/** Encoded WebAssembly instructions: an expression leaves one value on the stack, a statement none. */
export type Code = readonly number[];

/** A local variable or a parameter: its index and its type. */
export interface Local {
  readonly index: number;
  readonly type: ValueType;
}

type ValueType = 'i32' | 'i64';

const TYPE_CODE: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e };

/** Joins statements, or pushes operands in front of an operation. */
export function seq(...parts: readonly Code[]): Code {
  return parts.flat();
}

/** The value of a local. */
export const get = (local: Local): Code => [0x20, ...unsigned(local.index)];

/** Sets a local to a value. */
export const set = (local: Local, value: Code): Code => seq(value, [0x21, ...unsigned(local.index)]);

const binary =
  (opcode: number) =>
  (left: Code, right: Code): Code =>
    seq(left, right, [opcode]);

/** Operations on 32-bit integers. Addresses are of this type; a load takes a constant offset in bytes. */
export const i32 = {
  const: (value: number): Code => [0x41, ...signed(BigInt(value))],
  add: binary(0x6a),
  sub: binary(0x6b),
  shl: binary(0x74),
  gtS: binary(0x4a),
  ltS: binary(0x48),
  load16S: (address: Code, offset = 0): Code => seq(address, [0x2e, 1, ...unsigned(offset)]),
};

/** Operations on 64-bit integers; `load32` sign-extends, `store32` keeps the low half. */
export const i64 = {
  const: (value: bigint): Code => [0x42, ...signed(value)],
  add: binary(0x7c),
  sub: binary(0x7d),
  mul: binary(0x7e),
  and: binary(0x83),
  or: binary(0x84),
  shl: (value: Code, bits: number): Code => seq(value, i64.const(BigInt(bits)), [0x86]),
  shrS: (value: Code, bits: number): Code => seq(value, i64.const(BigInt(bits)), [0x87]),
  shrU: (value: Code, bits: number): Code => seq(value, i64.const(BigInt(bits)), [0x88]),
  load32: (address: Code, offset = 0): Code => seq(address, [0x34, 2, ...unsigned(offset)]),
  store32: (address: Code, value: Code, offset = 0): Code => seq(address, value, [0x3e, 2, ...unsigned(offset)]),
  store: (address: Code, value: Code, offset = 0): Code => seq(address, value, [0x37, 3, ...unsigned(offset)]),
};

/** Runs one of two statements; zero counts as false. */
export function when(condition: Code, then: Code, otherwise: Code = []): Code {
  return seq(condition, [0x04, 0x40], then, otherwise.length > 0 ? seq([0x05], otherwise) : [], [0x0b]);
}

/** Repeats a statement, at least once, while the condition behind it holds. */
export function repeat(body: Code, condition: Code): Code {
  return seq([0x03, 0x40], body, condition, [0x0d, 0x00, 0x0b]);
}

/** A function under construction: parameters and locals are numbered in the order in which they are asked for. */
export class FunctionBuilder {
  readonly parameters: readonly Local[];
  readonly #locals: ValueType[] = [];

  constructor(parameterCount: number) {
    this.parameters = Array.from({ length: parameterCount }, (_, index): Local => ({ index, type: 'i32' }));
  }

  local(type: ValueType): Local {
    return { index: this.parameters.length + this.#locals.push(type) - 1, type };
  }

  /** The encoded function body, without its length. */
  encode(body: Code): Code {
    const locals = this.#locals.map((type) => [1, TYPE_CODE[type]]);
    return seq(vector(locals), body, [0x0b]);
  }
}

/** A module of functions without results over one memory. All parameters are i32. */
export class ModuleBuilder {
  readonly #functions: { readonly name: string; readonly parameterCount: number; readonly body: Code }[] = [];

  /**
   * Adds a function and exports it.
   * @param write receives the builder and returns the statements
   * @returns what encodes a call with these arguments
   */
  define(name: string, parameterCount: number, write: (f: FunctionBuilder) => Code): (...args: readonly Code[]) => Code {
    const f = new FunctionBuilder(parameterCount);
    const index = this.#functions.length;
    this.#functions.push({ name, parameterCount, body: f.encode(write(f)) });
    return (...args) => {
      if (args.length !== parameterCount) throw new Error(`${name} takes ${parameterCount} arguments`);
      return seq(...args, [0x10, ...unsigned(index)]);
    };
  }

  /** The module in the binary format; it imports its memory as `env.memory`. */
  encode(): Uint8Array<ArrayBuffer> {
    const functions = this.#functions;
    const types = functions.map(({ parameterCount }) =>
      seq([0x60], vector(Array.from({ length: parameterCount }, () => [TYPE_CODE.i32])), [0]),
    );
    const memory = seq(name('env'), name('memory'), [2, 0, 1]);
    const exported = functions.map((f, index) => seq(name(f.name), [0, ...unsigned(index)]));
    const bodies = functions.map(({ body }) => seq(unsigned(body.length), body));
    return Uint8Array.from(
      seq(
        [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        section(1, types),
        section(2, [memory]),
        section(
          3,
          functions.map((_, index) => unsigned(index)),
        ),
        section(7, exported),
        section(10, bodies),
      ),
    );
  }
}

function section(id: number, items: readonly Code[]): Code {
  const content = vector(items);
  return seq([id], unsigned(content.length), content);
}

function vector(items: readonly Code[]): Code {
  return seq(unsigned(items.length), ...items);
}

function name(text: string): Code {
  const bytes = [...new TextEncoder().encode(text)];
  return seq(unsigned(bytes.length), bytes);
}

/** LEB128 without a sign. */
function unsigned(value: number): Code {
  const bytes: number[] = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  bytes.push(value);
  return bytes;
}

/** LEB128 with a sign. */
function signed(value: bigint): Code {
  const bytes: number[] = [];
  for (;;) {
    const low = Number(value & 0x7fn);
    value >>= 7n;
    const done = (value === 0n && low < 0x40) || (value === -1n && low >= 0x40);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}
