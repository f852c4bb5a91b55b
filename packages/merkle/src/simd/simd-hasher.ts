import { get, ModuleBuilder, set, v128 } from '@treering/wasm';
import { checkBatch, checkOutput, HASH_SIZE, type Hasher } from '../hasher.js';
import { FREE, instantiateKernel, type Kernel, ROOM } from './kernel.js';

/** Bytes of a block of SHA-256. */
const BLOCK = 64;
/** The prefix of a leaf, the end mark and the length of a message need this many bytes of its blocks. */
const OVERHEAD = 1 + 1 + 8;
/** Pairs that are hashed at once: they and their hashes stay in the processor's second cache. */
const PAIRS = 1024;
/** Leaves of up to this many blocks are hashed here; native code is as fast for longer ones. */
const LONGEST = 12;
/** Leaves of one length in blocks that are hashed at once. */
const LEAVES = 64;
/** Below this many hashes the base is as fast. */
const WORTH_LANES = 2;

/** Whether this runtime has WebAssembly with SIMD, and may use it: a page's content security policy can forbid it. */
export function isSimdAvailable(): boolean {
  try {
    const probe = new ModuleBuilder();
    probe.define('probe', 0, (f) => {
      const local = f.local('v128');
      return set(local, v128.xor(get(local), get(local)));
    });
    return new WebAssembly.Module(probe.encode({ pages: 1 })) !== undefined;
  } catch {
    return false;
  }
}

/**
 * A hasher that hashes batches by WebAssembly SIMD, four hashes at a time, and single hashes and long leaves by `base`. Its code is
 * made when the first batch comes; where that fails, `base` hashes everything, and the name says so. Not safe to be shared by threads; each makes its own.
 */
export function createSimdHasher(base: Hasher): Hasher {
  /** null where the kernel could not be made: no room for its memory, for example. */
  let lanes: Lanes | null | undefined;
  const kernel = (): Lanes | null => {
    if (lanes === undefined) {
      try {
        lanes = new Lanes(instantiateKernel());
      } catch {
        lanes = null;
      }
    }
    return lanes;
  };
  return {
    get name() {
      return lanes === null ? base.name : `WebAssembly SIMD, ${base.name}`;
    },
    hashLeaf: base.hashLeaf,
    hashNode: base.hashNode,
    hashLeaves(entries, output) {
      const own = entries.length < WORTH_LANES ? null : kernel();
      if (own === null) return base.hashLeaves(entries, output);
      checkOutput(entries.length, output);
      own.hashLeaves(entries, output, base);
    },
    hashNodes(input, count, output) {
      const own = count < WORTH_LANES ? null : kernel();
      if (own === null) return base.hashNodes(input, count, output);
      checkBatch(input, count, output);
      own.hashNodes(input, count, output);
    },
  };
}

/** The kernel with a plan of its memory: for each length of leaves a place where they gather, and behind them what is hashed. */
class Lanes {
  readonly #kernel: Kernel;
  readonly #memory: Uint8Array;
  /** By length in blocks: where leaves gather, how many there are, and which entries they are. */
  readonly #waiting: { readonly at: number; count: number; readonly entries: Int32Array }[] = [];
  readonly #hashes: number;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#memory = new Uint8Array(kernel.memory.buffer);
    let at = FREE;
    for (let blocks = 0; blocks <= LONGEST; blocks++) {
      this.#waiting.push({ at, count: 0, entries: new Int32Array(LEAVES) });
      at += blocks * BLOCK * LEAVES;
    }
    this.#hashes = at;
    const room = at - FREE + PAIRS * (BLOCK + HASH_SIZE);
    if (room > ROOM) throw new RangeError(`the kernel has ${ROOM} bytes of memory, and ${room} are planned`);
  }

  hashNodes(input: Uint8Array, count: number, output: Uint8Array): void {
    const memory = this.#memory;
    const pairs = this.#hashes;
    const hashes = pairs + PAIRS * BLOCK;
    for (let first = 0; first < count; first += PAIRS) {
      const some = Math.min(PAIRS, count - first);
      memory.set(input.subarray(first * BLOCK, (first + some) * BLOCK), pairs);
      this.#kernel.nodes(pairs, hashes, some, 0);
      output.set(memory.subarray(hashes, hashes + some * HASH_SIZE), first * HASH_SIZE);
    }
  }

  hashLeaves(entries: readonly Uint8Array[], output: Uint8Array, base: Hasher): void {
    for (const waiting of this.#waiting) waiting.count = 0;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i];
      const blocks = Math.ceil((entry.length + OVERHEAD) / BLOCK);
      if (blocks > LONGEST) {
        output.set(base.hashLeaf(entry), i * HASH_SIZE);
        continue;
      }
      const waiting = this.#waiting[blocks];
      this.#pad(entry, waiting.at + waiting.count * blocks * BLOCK, blocks);
      waiting.entries[waiting.count++] = i;
      if (waiting.count === LEAVES) this.#flush(blocks, output);
    }
    for (let blocks = 1; blocks <= LONGEST; blocks++) this.#flush(blocks, output);
  }

  /** 0x00, the entry, and the padding of FIPS 180-4 section 5.1.1. */
  #pad(entry: Uint8Array, at: number, blocks: number): void {
    const memory = this.#memory;
    const end = at + blocks * BLOCK;
    const bits = (entry.length + 1) * 8;
    memory[at] = 0x00;
    memory.set(entry, at + 1);
    memory[at + 1 + entry.length] = 0x80;
    memory.fill(0, at + OVERHEAD - 8 + entry.length, end - 4);
    memory[end - 4] = bits >>> 24;
    memory[end - 3] = bits >>> 16;
    memory[end - 2] = bits >>> 8;
    memory[end - 1] = bits;
  }

  #flush(blocks: number, output: Uint8Array): void {
    const waiting = this.#waiting[blocks];
    if (waiting.count === 0) return;
    this.#kernel.messages(waiting.at, this.#hashes, waiting.count, blocks);
    for (let i = 0; i < waiting.count; i++) {
      const at = this.#hashes + i * HASH_SIZE;
      output.set(this.#memory.subarray(at, at + HASH_SIZE), waiting.entries[i] * HASH_SIZE);
    }
    waiting.count = 0;
  }
}
