import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CompactRange } from '../compact-range.js';
import { MerkleInputError } from '../errors.js';
import { HASH_SIZE, type Hasher } from '../hasher.js';
import { type TreeReply, work } from './tree-work.js';

/** Leaves of a job for a thread: some milliseconds of work, so that handing it over costs next to nothing. */
const JOB_HEIGHT = 14;
/** Below this many leaves the calling thread is done before the others have heard of it (docs/performance.md). */
const WORTH_THREADS = 2 ** 15;

/** Hashes large trees on threads, as many as the machine has cores; small ones on the calling thread. */
export class TreePool {
  readonly #hasher: Hasher;
  readonly #threads: number;
  /** How many jobs each thread has; one that has none does not keep the process alive. */
  readonly #busy = new Map<Worker, number>();
  #jobs = 0;

  /** @param threads 1 keeps everything on the calling thread */
  constructor(hasher: Hasher, threads: number = availableParallelism()) {
    this.#hasher = hasher;
    this.#threads = threads;
  }

  /**
   * The hashes of the complete subtrees of 2^height leaves, flat.
   * @param leaves leaf hashes, 32 bytes each, a multiple of 2^height; in a SharedArrayBuffer they are not copied
   * @throws MerkleInputError for any other number of bytes
   */
  async subtreeRoots(leaves: Uint8Array, height: number): Promise<Uint8Array> {
    const width = 2 ** height * HASH_SIZE;
    if (!Number.isInteger(height) || height < 0 || height > 24 || leaves.length % width !== 0)
      throw new MerkleInputError(`${leaves.length} bytes are no subtrees of 2^${height} leaves`);
    const count = leaves.length / width;
    if (this.#threads < 2 || leaves.length < WORTH_THREADS * HASH_SIZE) {
      const roots = new Uint8Array(count * HASH_SIZE);
      work({ height, leaves, roots }, this.#hasher);
      return roots;
    }
    const input = shared(leaves);
    const roots = new Uint8Array(new SharedArrayBuffer(count * HASH_SIZE));
    const perJob = 2 ** Math.max(0, JOB_HEIGHT - height);
    let next = 0;
    await Promise.all(
      this.#started().map(async (worker) => {
        for (let first = next; first < count; first = next) {
          const end = Math.min(first + perJob, count);
          next = end;
          await this.#run(worker, {
            height,
            leaves: input.subarray(first * width, end * width),
            roots: roots.subarray(first * HASH_SIZE, end * HASH_SIZE),
          });
        }
      }),
    );
    return roots.slice();
  }

  /**
   * The tree hash (RFC 6962 section 2.1) over any number of leaf hashes, 32 bytes each, flat.
   * @throws MerkleInputError when the bytes are no multiple of 32
   */
  async root(leaves: Uint8Array): Promise<Uint8Array> {
    const whole = Math.floor(leaves.length / HASH_SIZE / 2 ** JOB_HEIGHT) * 2 ** JOB_HEIGHT * HASH_SIZE;
    const range = new CompactRange(this.#hasher);
    const roots = await this.subtreeRoots(leaves.subarray(0, whole), JOB_HEIGHT);
    for (let at = 0; at < roots.length; at += HASH_SIZE) range.appendSubtree(JOB_HEIGHT, roots.subarray(at, at + HASH_SIZE));
    range.appendMany(leaves.subarray(whole));
    return range.root();
  }

  /** Ends the threads. The pool may be used again afterwards. */
  async close(): Promise<void> {
    const workers = [...this.#busy.keys()];
    this.#busy.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #started(): readonly Worker[] {
    // Tests run the sources, but a thread cannot: it takes the worker that was built from them.
    const built = import.meta.url.endsWith('.ts') ? '../../dist/node/tree-worker.js' : './tree-worker.js';
    while (this.#busy.size < this.#threads) {
      const worker = new Worker(new URL(built, import.meta.url), { execArgv: [] });
      worker.setMaxListeners(0);
      // A thread that is gone makes room for another.
      const forget = (): void => void this.#busy.delete(worker);
      worker.on('error', forget).on('exit', forget);
      worker.unref();
      this.#busy.set(worker, 0);
    }
    return [...this.#busy.keys()];
  }

  #count(worker: Worker, change: number): void {
    const jobs = this.#busy.get(worker);
    // A closed pool has forgotten its threads.
    if (jobs === undefined) return;
    this.#busy.set(worker, jobs + change);
    if (jobs + change > 0) worker.ref();
    else worker.unref();
  }

  #run(worker: Worker, job: { height: number; leaves: Uint8Array; roots: Uint8Array }): Promise<void> {
    const id = this.#jobs++;
    return new Promise((resolve, reject) => {
      const settle = (then: () => void): void => {
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
        this.#count(worker, -1);
        then();
      };
      const onError = (error: Error): void => settle(() => reject(error));
      const onExit = (): void => settle(() => reject(new Error('the thread ended before its work was done')));
      const onMessage = (reply: TreeReply): void => {
        if (reply.id !== id) return;
        settle(() => (reply.error === undefined ? resolve() : reject(new Error(reply.error))));
      };
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
      this.#count(worker, 1);
      worker.postMessage({ id, ...job });
    });
  }
}

/** The same bytes where threads can see them. */
function shared(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
