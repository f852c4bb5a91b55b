import { type Code, type FunctionBuilder, get, i32, ModuleBuilder, set, v128, whileLoop } from '@treering/wasm';
import { INITIAL_HASH, ROUND_CONSTANTS, SIGMA_0, SIGMA_1, type Sigma } from './sha256-words.js';

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

const { load, loadSplat, store, shuffle, and, or, xor, add, shl, shrU } = v128;

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
  const module = new ModuleBuilder();
  module.define('nodes', 4, nodes);
  module.define('messages', 4, messages);
  return module.encode({ pages: PAGES, maximum: PAGES });
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

const rotate = (value: Code, bits: number): Code => or(shrU(value, bits), shl(value, 32 - bits));
const bigSigma = (value: Code, [a, b, c]: readonly number[]): Code =>
  xor(xor(rotate(value, a), rotate(value, b)), rotate(value, c));
const smallSigma = (value: Code, [a, b, c]: Sigma): Code => xor(xor(rotate(value, a), rotate(value, b)), shrU(value, c));
/** Constant i of a table, in all lanes. */
const splat = (table: number, i: number): Code => loadSplat(i32.const(0), table + 4 * i);

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

function registers(f: FunctionBuilder): Registers {
  return {
    working: f.locals('v128', STATE),
    state: f.locals('v128', STATE),
    words: f.locals('v128', 16),
    sum: f.local('v128'),
    differs: f.locals('v128', 2),
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
      columns.map((local, lane) => store(output, swapBytes(get(local)), lane * 32 + first * 4)),
    ];
  });
}

const advance = (local: number, by: Code): Code => set(local, i32.add(get(local), by));

/** 16 words of each lane into `into`, from four addresses. */
function loadBlock(
  addresses: readonly { base: Code; offset: number }[],
  into: readonly number[],
  spare: readonly number[],
): Code {
  return [0, 4, 8, 12].map((first) => {
    const rows = into.slice(first, first + 4);
    return [
      rows.map((local, lane) => set(local, swapBytes(load(addresses[lane].base, addresses[lane].offset + first * 4)))),
      transpose(rows, rows, spare),
    ];
  });
}

/** The variables of both functions, behind the four parameters; node hashing takes no notice of the last of these. */
interface Variables {
  readonly input: number;
  readonly output: number;
  readonly count: number;
  readonly blocks: number;
  readonly registers: Registers;
  readonly pairs: readonly number[];
  readonly starts: readonly number[];
  readonly left: number;
  readonly length: number;
}

function variables(f: FunctionBuilder): Variables {
  const [input, output, count, blocks] = f.parameters;
  return {
    ...{ input, output, count, blocks },
    registers: registers(f),
    pairs: f.locals('v128', 16),
    starts: f.locals('i32', LANES),
    left: f.local('i32'),
    length: f.local('i32'),
  };
}

/** Repeats for every four messages: their words, block by block, and what is left of them at the end. */
function perGroup({ input, output, count, left, registers }: Variables, begin: Code, perBlock: Code, size: Code): Code {
  return whileLoop(isPositive(count), [
    begin,
    registers.state.map((local, i) => set(local, splat(AT.initial, i))),
    whileLoop(isPositive(left), [perBlock, advance(left, i32.const(-1))]),
    storeState(registers, get(output)),
    advance(input, i32.mul(size, i32.const(LANES))),
    advance(output, i32.const(LANES * 32)),
    advance(count, i32.const(-LANES)),
  ]);
}

const isPositive = (local: number): Code => i32.gtS(get(local), i32.const(0));

function nodes(f: FunctionBuilder): Code {
  const v = variables(f);
  const { words } = v.registers;
  // 0x01 in front moves everything by one byte: each word takes the last byte of the word before.
  const firstBlock = [
    loadBlock(
      v.starts.map((_, lane) => ({ base: get(v.input), offset: lane * 64 })),
      v.pairs,
      words.slice(0, 4),
    ),
    words.map((local, i) =>
      set(local, or(i === 0 ? splat(AT.prefix, 0) : shl(get(v.pairs[i - 1]), 24), shrU(get(v.pairs[i]), 8))),
    ),
  ];
  // The last byte, the bit that ends the message, and its length in bits.
  const secondBlock = [
    words.map((local, i) => set(local, splat(AT.tail, i))),
    set(words[0], or(get(words[0]), shl(get(v.pairs[15]), 24))),
  ];
  return perGroup(v, [firstBlock, set(v.left, i32.const(2))], [compress(v.registers), secondBlock], i32.const(64));
}

function messages(f: FunctionBuilder): Code {
  const v = variables(f);
  const nextBlock = [
    loadBlock(
      v.starts.map((local) => ({ base: get(local), offset: 0 })),
      v.registers.words,
      v.registers.working.slice(0, 4),
    ),
    v.starts.map((local) => advance(local, i32.const(64))),
  ];
  const begin = [
    v.starts.map((local, lane) => set(local, i32.add(get(v.input), i32.mul(get(v.length), i32.const(lane))))),
    set(v.left, get(v.blocks)),
  ];
  return [
    set(v.length, i32.mul(get(v.blocks), i32.const(64))),
    perGroup(v, begin, [nextBlock, compress(v.registers)], get(v.length)),
  ];
}
