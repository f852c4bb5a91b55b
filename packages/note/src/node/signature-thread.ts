import { Worker } from 'node:worker_threads';
import { TableMismatchError } from '../tables/index.js';
import { verifyEd25519OffThread } from './native-ed25519.js';
import { type PackedSignatures, packSignatures, type SignatureReply } from './packed-signatures.js';

/** Verifications before a thread is started: a command that ends soon does without. */
const START_AFTER = 200;
/** Signatures in one message to the thread: as many as tables verify together. */
const GROUP = 64;
/** Calls that may wait for the thread. The thread pool takes what comes on top. */
const MOST_WAITING = 512;
/** Longer messages are left to the thread pool: hashing them is most of the work, and others would wait behind it. */
const LONGEST = 65_536;

/** How a thread for signatures is used. */
export interface SignatureThreadOptions {
  /** Verifications before the thread is started; 200 unless told. */
  readonly startAfter?: number;
  /** Told once when the thread is lost; verification goes on without it. */
  readonly onLost?: (error: Error) => void;
  /** Starts the thread, for tests. */
  readonly start?: () => Worker;
}

interface Call {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  resolve(valid: boolean | Promise<boolean>): void;
  reject(error: Error): void;
}

/**
 * Verifies Ed25519 signatures on a thread of its own, from tables of the keys that recur (`@treering/note/tables`). The calls of one
 * turn of the event loop go there in groups; one alone is also answered sooner there than by a thread of the pool. What the thread does not take, or no longer answers, libuv's thread pool verifies.
 * The thread does not keep the process alive while nothing waits for it.
 */
export class SignatureThread {
  readonly #startAfter: number;
  readonly #start: () => Worker;
  readonly #onLost: ((error: Error) => void) | undefined;
  #worker: Worker | undefined;
  #state: 'not started' | 'starting' | 'ready' | 'gone' = 'not started';
  #asked = 0;
  #answered = 0;
  /** Calls that were not sent yet, and groups that were, in the order in which they will be answered. */
  #gathered: Call[] = [];
  readonly #sent: (readonly Call[])[] = [];
  #waiting = 0;

  constructor({ startAfter = START_AFTER, onLost, start = startWorker }: SignatureThreadOptions = {}) {
    this.#startAfter = startAfter;
    this.#start = start;
    this.#onLost = onLost;
  }

  /** How many signatures the thread has verified. */
  get answered(): number {
    return this.#answered;
  }

  /**
   * The same verdict as `nodeEd25519.verify`. The bytes must not change before the answer.
   * @throws TableMismatchError (by rejection) when two computations differ, which is no verdict
   */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (publicKey.length !== 32 || signature.length !== 64) return Promise.resolve(false);
    if (this.#state !== 'ready' || message.length > LONGEST || this.#waiting >= MOST_WAITING) {
      if (this.#state === 'not started' && this.#asked++ >= this.#startAfter) this.#begin();
      return verifyEd25519OffThread(publicKey, message, signature);
    }
    return new Promise((resolve, reject) => {
      this.#waiting++;
      // The first of a turn sees to it that all are sent at its end. A full group goes at once: the turn may be a long one.
      if (this.#gathered.push({ publicKey, message, signature, resolve, reject }) === GROUP) this.#send();
      else if (this.#gathered.length === 1) setImmediate(() => this.#send());
    });
  }

  /** Ends the thread. Calls that wait for it, and later ones, are answered by the thread pool. */
  async close(): Promise<void> {
    this.#giveUp();
    await this.#worker?.terminate();
  }

  #begin(): void {
    this.#state = 'starting';
    try {
      this.#worker = this.#start();
    } catch (error) {
      this.#lose(error as Error);
      return;
    }
    this.#worker.on('message', (reply: SignatureReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#lose(error as Error));
    this.#worker.on('exit', () => this.#lose(new Error('it has ended')));
    // Last: a listener for messages lets the thread keep the process alive.
    this.#worker.unref();
  }

  #send(): void {
    const calls = this.#gathered;
    this.#gathered = [];
    if (calls.length === 0) return;
    if (this.#sent.push(calls) === 1) this.#worker?.ref();
    const packed: PackedSignatures = packSignatures(calls);
    this.#worker?.postMessage(packed, [packed.bytes.buffer, packed.lengths.buffer]);
  }

  #settle(reply: SignatureReply): void {
    if (this.#state === 'gone') return;
    if (reply === 'ready') {
      this.#state = 'ready';
      // A thread that begins to run keeps the process alive again.
      if (this.#sent.length === 0) this.#worker?.unref();
      return;
    }
    const calls = this.#sent.shift() ?? [];
    if (this.#sent.length === 0) this.#worker?.unref();
    this.#waiting -= calls.length;
    if (reply === 'mismatch') {
      const error = new TableMismatchError();
      for (const { reject } of calls) reject(error);
      this.#lose(error);
      void this.#worker?.terminate();
      return;
    }
    this.#answered += calls.length;
    for (const [index, { resolve }] of calls.entries()) resolve(reply[index] === 1);
  }

  #lose(error: Error): void {
    if (this.#state === 'gone') return;
    this.#giveUp();
    this.#onLost?.(
      new Error(`signatures are verified without tables, their thread is lost: ${error.message}`, { cause: error }),
    );
  }

  #giveUp(): void {
    this.#state = 'gone';
    const calls = [...this.#sent.splice(0).flat(), ...this.#gathered];
    this.#gathered = [];
    this.#answerByPool(calls);
  }

  #answerByPool(calls: readonly Call[]): void {
    this.#waiting -= calls.length;
    for (const { publicKey, message, signature, resolve } of calls)
      resolve(verifyEd25519OffThread(publicKey, message, signature));
  }
}

function startWorker(): Worker {
  // Tests run the sources, but a thread cannot: it takes the worker that was built from them.
  const built = import.meta.url.endsWith('.ts') ? '../../dist/node/signature-worker.js' : './signature-worker.js';
  return new Worker(new URL(built, import.meta.url), { execArgv: [] });
}
