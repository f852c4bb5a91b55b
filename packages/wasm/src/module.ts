import { bytesOf, type Code, sized, TYPE_CODE, text, unsigned, type ValueType, vector } from './encoding.js';

/** A function under construction: parameters and local variables are numbered in the order in which they are asked for. */
export class FunctionBuilder {
  /** The numbers of the parameters, all of type i32. */
  readonly parameters: readonly number[];
  readonly #locals: ValueType[] = [];

  constructor(parameterCount: number) {
    this.parameters = Array.from({ length: parameterCount }, (_, index) => index);
  }

  /** A new local variable, by its number. It is zero at first. */
  local(type: ValueType): number {
    return this.parameters.length + this.#locals.push(type) - 1;
  }

  /** So many new local variables. */
  locals(type: ValueType, count: number): number[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** The function's entry of the code section. */
  encode(body: Code): Code {
    return sized([vector(this.#locals.map((type) => [1, TYPE_CODE[type]])), body, 0x0b]);
  }
}

/** The memory of a module, in pages of 65,536 bytes. Without a maximum it may grow up to what the engine allows. */
export interface MemoryLimits {
  readonly pages: number;
  readonly maximum?: number;
}

/** A module of functions without results over one memory. All are exported, under their names and as `memory`. */
export class ModuleBuilder {
  readonly #functions: { readonly name: string; readonly parameterCount: number; readonly code: Code }[] = [];

  /**
   * Adds a function.
   * @param parameterCount parameters, all of type i32
   * @param write receives the builder and returns the statements
   * @returns what encodes a call of the function, and throws an Error for another number of arguments
   */
  define(name: string, parameterCount: number, write: (f: FunctionBuilder) => Code): (...args: readonly Code[]) => Code {
    const f = new FunctionBuilder(parameterCount);
    const index = this.#functions.length;
    this.#functions.push({ name, parameterCount, code: f.encode(write(f)) });
    return (...args) => {
      if (args.length !== parameterCount) throw new Error(`${name} takes ${parameterCount} arguments`);
      return [args, 0x10, unsigned(index)];
    };
  }

  /** The module in the binary format (WebAssembly core specification, chapter 5). It imports nothing. */
  encode({ pages, maximum }: MemoryLimits): Uint8Array<ArrayBuffer> {
    const functions = this.#functions;
    const arities = [...new Set(functions.map(({ parameterCount }) => parameterCount))];
    const types = arities.map((arity) => [0x60, vector(Array<Code>(arity).fill([TYPE_CODE.i32])), vector([])]);
    const memory = maximum === undefined ? [0x00, unsigned(pages)] : [0x01, unsigned(pages), unsigned(maximum)];
    const exported = functions.map(({ name }, index) => [text(name), 0x00, unsigned(index)]);
    return Uint8Array.from(
      bytesOf([
        [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
        [1, sized(vector(types))],
        [3, sized(vector(functions.map(({ parameterCount }) => unsigned(arities.indexOf(parameterCount)))))],
        [5, sized(vector([memory]))],
        [7, sized(vector([[text('memory'), 0x02, 0x00], ...exported]))],
        [10, sized(vector(functions.map(({ code }) => code)))],
      ]),
    );
  }
}
