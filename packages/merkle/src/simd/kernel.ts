import { INITIAL_HASH, ROUND_CONSTANTS, SIGMA_0, SIGMA_1, type Sigma } from './sha256-words.js';
import { type Code, I32, V128, type WasmFunction, wasm, wasmModule } from './wasm.js';

/*
 * SHA-256 (FIPS 180-4) of four messages at once: lane l of every vector belongs to message l. The module is written here, instruction
 * by instruction, by functions that read like the standard, whenever a kernel is made: no generated file can differ from this one.
 */

/** Where the constants lie in the memory, in bytes: of the rounds, of the state, a node's second block, and its prefix. */
const AT = { rounds: 0, initial: 256, tail: 288, prefix: 352 };
/** The first byte that is free for messages and hashes. */
export const FREE = 1024;
/** 65,536 bytes each. */
const PAGES = 12;
/** Bytes of memory that are free. */
export const ROOM = PAGES * 65_536 - FREE;

const { get, set, i32, i32Add, i32Mul, i32GreaterThanZero, load, loadSplat, store, shuffle, and, or, xor, add, shl, shrU } =
  wasm;

const LANES = 4;
const STATE = 8;

/** What the module exports. */
export interface Kernel {
  readonly memory: WebAssembly.Memory;
  /**
   * Node hashes: `count` x 64 bytes at `input` become `count` x 32 at `output`, which may be `input`. Works in groups of four: up
   * to three more hashes are written behind.
   */
  nodes(input: number, output: number, count: number, unused: 0): void;
  /**
   * Hashes of `count` padded messages of `blocks` x 64 bytes each, one behind the other from `input`; written to `output` as 32 bytes
   * each, in groups of four as well.
   */
  messages(input: number, output: number, count: number, blocks: number): void;
}

/** The bytes of the module. The same on every machine. */
export function kernelModule(): Uint8Array<ArrayBuffer> {
  return wasmModule(kernelFunctions(), PAGES);
}

/**
 * Makes a kernel with a memory of its own.
 * @throws WebAssembly.CompileError where there is no SIMD, or where a page may not compile
 */
export function instantiateKernel(): Kernel {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(kernelModule()));
  const kernel = exports as unknown as Kernel;
  const constants = (at: number, words: readonly number[]): void =>
    new Uint32Array(kernel.memory.buffer, at, words.length).set(words);
  constants(AT.rounds, ROUND_CONSTANTS);
  constants(AT.initial, INITIAL_HASH);
  constants(AT.prefix, [0x0100_0000]);
  constants(AT.tail, [0x80_0000, ...Array<number>(14).fill(0), 65 * 8]);
  return kernel;
}

/** The locals of a function, numbered as they are asked for. */
class Locals {
  readonly types: number[] = [];
  readonly #parameters: number;

  constructor(parameters: number) {
    this.#parameters = parameters;
  }

  one(type: number): number {
    this.types.push(type);
    return this.#parameters + this.types.length - 1;
  }

  many(type: number, count: number): number[] {
    return Array.from({ length: count }, () => this.one(type));
  }
}

const rotate = (value: Code, bits: number): Code => or(shrU(value, bits), shl(value, 32 - bits));
const bigSigma = (value: Code, [a, b, c]: readonly number[]): Code =>
  xor(xor(rotate(value, a), rotate(value, b)), rotate(value, c));
const smallSigma = (value: Code, [a, b, c]: Sigma): Code => xor(xor(rotate(value, a), rotate(value, b)), shrU(value, c));
/** Constant i of a table, in all lanes. */
const splat = (table: number, i: number): Code => loadSplat(table + 4 * i, i32(0));

/** Words between big-endian memory and lanes. */
const swapBytes = (value: Code): Code => shuffle([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12], value, value);

/** Rows of a 4 x 4 matrix of words become its columns. `rows` and `columns` may be the same locals, `spare` are four others. */
function transpose(rows: readonly number[], columns: readonly number[], spare: readonly number[]): Code {
  const [r0, r1, r2, r3] = rows.map(get);
  const [s0, s1, s2, s3] = spare.map(get);
  const low = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
  const high = low.map((byte) => byte + 8);
  const lowHalves = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
  const highHalves = lowHalves.map((byte) => byte + 8);
  return [
    set(spare[0], shuffle(low, r0, r1)),
    set(spare[1], shuffle(low, r2, r3)),
    set(spare[2], shuffle(high, r0, r1)),
    set(spare[3], shuffle(high, r2, r3)),
    set(columns[0], shuffle(lowHalves, s0, s1)),
    set(columns[1], shuffle(highHalves, s0, s1)),
    set(columns[2], shuffle(lowHalves, s2, s3)),
    set(columns[3], shuffle(highHalves, s2, s3)),
  ];
}

/** The locals of the compression function. */
interface Registers {
  /** a to h, and what they were at the beginning of the block. */
  readonly working: readonly number[];
  readonly state: readonly number[];
  /** The last 16 words of the schedule. */
  readonly words: readonly number[];
  readonly sum: number;
  /** In turns a xor b of this round, and b xor c, which is that of the round before. */
  readonly differs: readonly number[];
}

function registers(locals: Locals): Registers {
  return {
    working: locals.many(V128, STATE),
    state: locals.many(V128, STATE),
    words: locals.many(V128, 16),
    sum: locals.one(V128),
    differs: locals.many(V128, 2),
  };
}

/**
 * The 64 rounds of FIPS 180-4 section 6.2.2 over the block whose words lie in `words`, and the addition to the state. All are written
 * out once, and every block of a message comes through the same code, so that it fits into the processor's first cache: a second copy
 * that knows what padding holds saves a sixth of the operations, and takes a third longer.
 */
function compress(r: Registers): Code {
  const rounds: Code[] = [];
  let roles = [...r.working];
  for (let t = 0; t < 64; t++) {
    const [a, b, c, d, e, f, g, h] = roles;
    const [differs, differed] = t % 2 === 0 ? r.differs : [...r.differs].reverse();
    const word = (back: number): number => r.words[(t - back) & 15];
    if (t >= 16) {
      const sum = add(add(get(word(16)), get(word(7))), smallSigma(get(word(15)), SIGMA_0));
      rounds.push(set(word(0), add(sum, smallSigma(get(word(2)), SIGMA_1))));
    }
    const choice = xor(get(g), and(get(e), xor(get(f), get(g))));
    rounds.push(
      set(r.sum, add(add(add(get(h), add(get(word(0)), splat(AT.rounds, t))), choice), bigSigma(get(e), [6, 11, 25]))),
      set(d, add(get(d), get(r.sum))),
      // Majority is b where a and b agree, and a where b and c differ: one operation less than by its definition.
      set(differs, xor(get(a), get(b))),
      set(h, add(add(get(r.sum), bigSigma(get(a), [2, 13, 22])), xor(get(b), and(get(differs), get(differed))))),
    );
    roles = [h, a, b, c, d, e, f, g];
  }
  const [, b, c] = r.working;
  return [
    r.state.map((local, i) => set(r.working[i], get(local))),
    set(r.differs[1], xor(get(b), get(c))),
    rounds,
    r.state.map((local, i) => set(local, add(get(local), get(r.working[i])))),
  ];
}

/** The state into 32 bytes for each lane, from `output` on. `words` are free by then. */
function storeState({ state, words }: Registers, output: Code): Code {
  return [0, 4].map((first) => {
    const columns = words.slice(0, LANES);
    return [
      transpose(state.slice(first, first + 4), columns, words.slice(4, 8)),
      columns.map((local, lane) => store(lane * 32 + first * 4, output, swapBytes(get(local)))),
    ];
  });
}

const advance = (local: number, by: Code): Code => set(local, i32Add(get(local), by));

/** 16 words of each lane into `into`, from four addresses. */
function loadBlock(
  addresses: readonly { base: Code; offset: number }[],
  into: readonly number[],
  spare: readonly number[],
): Code {
  return [0, 4, 8, 12].map((first) => {
    const rows = into.slice(first, first + 4);
    return [
      rows.map((local, lane) => set(local, swapBytes(load(addresses[lane].offset + first * 4, addresses[lane].base)))),
      transpose(rows, rows, spare),
    ];
  });
}

/** The parameters of both functions; node hashing takes no notice of the last. */
const [INPUT, OUTPUT, COUNT, BLOCKS] = [0, 1, 2, 3];

function kernelFunctions(): WasmFunction[] {
  const locals = new Locals(4);
  const r = registers(locals);
  const pairs = locals.many(V128, 16);
  const starts = locals.many(I32, LANES);
  const [left, length] = locals.many(I32, 2);
  const block = compress(r);

  /** Repeats for every four messages: their words, block by block, and what is left of them at the end. */
  const perGroup = (begin: Code, perBlock: Code, size: Code): Code =>
    wasm.while(i32GreaterThanZero(get(COUNT)), [
      begin,
      r.state.map((local, i) => set(local, splat(AT.initial, i))),
      wasm.while(i32GreaterThanZero(get(left)), [perBlock, advance(left, i32(-1))]),
      storeState(r, get(OUTPUT)),
      advance(INPUT, i32Mul(size, i32(LANES))),
      advance(OUTPUT, i32(LANES * 32)),
      advance(COUNT, i32(-LANES)),
    ]);

  // 0x01 in front moves everything by one byte: each word takes the last byte of the word before.
  const firstBlock = [
    loadBlock(
      starts.map((_, lane) => ({ base: get(INPUT), offset: lane * 64 })),
      pairs,
      r.words.slice(0, 4),
    ),
    r.words.map((local, i) =>
      set(local, or(i === 0 ? splat(AT.prefix, 0) : shl(get(pairs[i - 1]), 24), shrU(get(pairs[i]), 8))),
    ),
  ];
  // The last byte, the bit that ends the message, and its length in bits.
  const secondBlock = [
    r.words.map((local, i) => set(local, splat(AT.tail, i))),
    set(r.words[0], or(get(r.words[0]), shl(get(pairs[15]), 24))),
  ];
  const nodes = perGroup([firstBlock, set(left, i32(2))], [block, secondBlock], i32(64));

  const nextBlock = [
    loadBlock(
      starts.map((local) => ({ base: get(local), offset: 0 })),
      r.words,
      r.working.slice(0, 4),
    ),
    starts.map((local) => advance(local, i32(64))),
  ];
  const begin = [
    starts.map((local, lane) => set(local, i32Add(get(INPUT), i32Mul(get(length), i32(lane))))),
    set(left, get(BLOCKS)),
  ];
  const messages = [set(length, i32Mul(get(BLOCKS), i32(64))), perGroup(begin, [nextBlock, block], get(length))];
  return [
    { name: 'nodes', parameters: 4, locals: locals.types, body: nodes },
    { name: 'messages', parameters: 4, locals: locals.types, body: messages },
  ];
}
