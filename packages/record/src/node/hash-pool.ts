import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { RecordError, type RecordErrorCode } from '../errors.js';
import { type FileHash, hashFile } from './hash-file.js';

/** A file to hash, as sent to a worker. */
export interface HashJob {
  readonly id: number;
  readonly path: string;
  readonly tensors: boolean;
}

/** What a worker sends back. */
export type HashReply = { readonly id: number } & (
  | { readonly progress: number }
  | { readonly hash: FileHash }
  | { readonly error: { readonly code: RecordErrorCode | undefined; readonly message: string } }
);

/** Below this many bytes the threads cost more than they bring. */
const WORTH_THREADS = 16 * 1024 * 1024;

/**
 * Hashes files, the largest first, on as many threads as the machine has cores.
 * @param progress told of bytes as they are read
 */
export async function hashFiles(
  files: readonly { readonly path: string; readonly size: number; readonly tensors: boolean }[],
  progress: (bytes: number) => void,
): Promise<FileHash[]> {
  const results = new Array<FileHash>(files.length);
  const order = files.map((_, i) => i).sort((a, b) => files[b].size - files[a].size);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const threads = Math.min(availableParallelism(), files.length);
  if (threads < 2 || total < WORTH_THREADS) {
    for (const i of order) results[i] = await hashFile(files[i].path, files[i].tensors, progress);
    return results;
  }
  // Tests run the sources, but a thread cannot: it takes the worker that was built from them.
  const built = import.meta.url.endsWith('.ts') ? '../../dist/node/hash-worker.js' : './hash-worker.js';
  const entry = new URL(built, import.meta.url);
  await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(entry, { execArgv: [] });
      try {
        for (let i = order.shift(); i !== undefined; i = order.shift()) {
          results[i] = await hashOn(worker, { id: i, path: files[i].path, tensors: files[i].tensors }, progress);
        }
      } catch (error) {
        order.length = 0;
        throw error;
      } finally {
        await worker.terminate();
      }
    }),
  );
  return results;
}

function errorOf({ code, message }: { code: RecordErrorCode | undefined; message: string }): Error {
  return code === undefined ? new Error(message) : new RecordError(code, message);
}

function hashOn(worker: Worker, job: HashJob, progress: (bytes: number) => void): Promise<FileHash> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      worker.off('message', onMessage);
      worker.off('error', onError);
      then();
    };
    const onError = (error: Error): void => settle(() => reject(error));
    const onMessage = (reply: HashReply): void => {
      try {
        if ('progress' in reply) progress(reply.progress);
        else if ('hash' in reply) settle(() => resolve(reply.hash));
        else settle(() => reject(errorOf(reply.error)));
      } catch (error) {
        // The caller's own progress function threw.
        settle(() => reject(error));
      }
    };
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.postMessage(job);
  });
}
