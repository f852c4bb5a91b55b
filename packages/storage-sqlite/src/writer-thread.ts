import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { HeadConflictError, type Storage, StorageError, type StorageErrorCode } from '@treering/storage';
import { type PackedBatch, packBatch } from './packed-batch.js';
import { openSqliteStorage } from './sqlite-storage.js';

/** The methods of a store that write. A commit comes packed. */
export interface Writes {
  commit: [batch: PackedBatch, expected: Parameters<Storage['commit']>[1]];
  publish: Parameters<Storage['publish']>;
  putAttachment: Parameters<Storage['putAttachment']>;
  replaceAttachment: Parameters<Storage['replaceAttachment']>;
  removeAttachment: Parameters<Storage['removeAttachment']>;
  checkWritable: Parameters<Storage['checkWritable']>;
  close: [];
}

/** What the thread is asked. */
export interface WriteRequest<M extends keyof Writes = keyof Writes> {
  readonly id: number;
  readonly method: M;
  readonly args: Writes[M];
}

/** What it answers; the first answer, with the number 0, says that the store is open. */
export type WriteReply = { readonly id: number } & (
  | { readonly result: unknown }
  | { readonly error: { readonly code: StorageErrorCode; readonly message: string } }
);

/**
 * Opens a log's store like `openSqliteStorage` with the mode 'open', and writes to it on a thread of its own: while a commit waits
 * for the disk, the calling thread reads and goes on. Reads use a connection of the calling thread, and see every commit that was
 * answered.
 * @throws StorageError as `openSqliteStorage`
 */
export async function openThreadedSqliteStorage(path: string): Promise<Storage> {
  // This connection holds the lock of the log, and brings the schema up to date.
  const reads = openSqliteStorage(path, { mode: 'open' });
  const writer = new Writer(path);
  try {
    await writer.opened;
  } catch (error) {
    await writer.end();
    await reads.close();
    throw error;
  }
  let closed: Promise<void> | undefined;
  return {
    ...reads,
    name: `${reads.name}, written on a thread`,
    commit: (batch, expected) => writer.call('commit', packBatch(batch), expected) as Promise<void>,
    publish: (head, keep) => writer.call('publish', head, keep) as Promise<void>,
    putAttachment: (digest, blob) => writer.call('putAttachment', digest, blob) as Promise<boolean>,
    replaceAttachment: (digest, blob) => writer.call('replaceAttachment', digest, blob) as Promise<boolean>,
    async removeAttachment(digest, overwrite = true) {
      const removed = (await writer.call('removeAttachment', digest, false)) as boolean;
      if (overwrite) await overwriteRemoved(writer, digest);
      return removed;
    },
    checkWritable: () => writer.call('checkWritable') as Promise<void>,
    close() {
      closed ??= (async () => {
        try {
          await writer.call('close');
        } finally {
          await writer.end();
          await reads.close();
        }
      })();
      return closed;
    },
  };
}

/** How often what was removed is tried to be overwritten, and the milliseconds between: commits go on meanwhile. */
const ATTEMPTS = 5;
const PAUSE = 20;

/** A read of this process is over soon, even on a busy machine; one of a backup is not. @throws StorageError storage/busy */
async function overwriteRemoved(writer: Writer, digest: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await writer.call('removeAttachment', digest, true);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS || (error as StorageError).code !== 'storage/busy') throw error;
      await pause(PAUSE);
    }
  }
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** The calling side of the thread. */
class Writer {
  readonly opened: Promise<unknown>;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #next = 1;
  /** Why nothing can be written any more. */
  #gone: StorageError | undefined;

  constructor(path: string) {
    // Tests run the sources, but a thread cannot: it takes the worker that was built from them.
    const built = import.meta.url.endsWith('.ts') ? '../dist/writer-worker.js' : './writer-worker.js';
    this.#worker = new Worker(new URL(built, import.meta.url), { workerData: path, execArgv: [] });
    this.opened = this.#expect(0);
    this.#worker.on('message', (reply: WriteReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#lose(`the thread that writes to the store failed: ${(error as Error).message}`));
    this.#worker.on('messageerror', (error) =>
      this.#lose(`the thread that writes to the store is not understood: ${error.message}`),
    );
    this.#worker.on('exit', () => this.#lose('the thread that writes to the store has ended'));
  }

  call<M extends keyof Writes>(method: M, ...args: Writes[M]): Promise<unknown> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const id = this.#next++;
    const request: WriteRequest<M> = { id, method, args };
    const answer = this.#expect(id);
    this.#worker.postMessage(request, transferred(request));
    return answer;
  }

  async end(): Promise<void> {
    this.#worker.removeAllListeners('exit');
    await this.#worker.terminate();
    this.#lose('the store is closed');
  }

  #expect(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
  }

  #settle(reply: WriteReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ('result' in reply) pending?.resolve(reply.result);
    else pending?.reject(errorOf(reply.error));
  }

  /** Whether what was asked last was stored is open: the caller reads the head again. */
  #lose(message: string): void {
    this.#gone ??= new StorageError('storage/io', message);
    for (const { reject } of this.#pending.values()) reject(this.#gone);
    this.#pending.clear();
  }
}

/** The buffers of a packed batch are made for the thread. Everything else is copied: its owner goes on using it. */
function transferred({ method, args }: WriteRequest): ArrayBuffer[] {
  if (method !== 'commit') return [];
  const { bytes, lengths, leaves } = args[0] as PackedBatch;
  return [bytes.buffer, lengths.buffer, leaves.buffer];
}

function errorOf({ code, message }: { code: StorageErrorCode; message: string }): StorageError {
  return code === 'storage/conflict' ? new HeadConflictError(message) : new StorageError(code, message);
}
