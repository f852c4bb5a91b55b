import { parentPort, workerData } from 'node:worker_threads';
import { type Storage, StorageError } from '@treering/storage';
import { unpackBatch } from './packed-batch.js';
import { openSqliteStorage } from './sqlite-storage.js';
import type { WriteReply, WriteRequest, Writes } from './writer-thread.js';

const port = parentPort;
if (port === null) throw new Error('this module is the entry of a worker thread');

const reply = (message: WriteReply): void => port.postMessage(message);

function fail(id: number, error: unknown): void {
  const { message } = error as Error;
  reply({ id, error: { code: error instanceof StorageError ? error.code : 'storage/io', message } });
}

/** The writing methods of the store, as they are asked for. */
function writes(storage: Storage): { readonly [M in keyof Writes]: (...args: Writes[M]) => Promise<unknown> } {
  return {
    commit: (batch, expected) => storage.commit(unpackBatch(batch), expected),
    publish: (head, keep) => storage.publish(head, keep),
    putAttachment: (digest, blob) => storage.putAttachment(digest, blob),
    replaceAttachment: (digest, blob) => storage.replaceAttachment(digest, blob),
    removeAttachment: (digest, overwrite) => storage.removeAttachment(digest, overwrite),
    checkWritable: () => storage.checkWritable(),
    close: () => storage.close(),
  };
}

try {
  const methods = writes(openSqliteStorage(workerData as string, { mode: 'join' }));
  // Each request is done before the next is taken: the driver works without pauses.
  port.on('message', ({ id, method, args }: WriteRequest) => {
    (methods[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args).then(
      (result) => reply({ id, result }),
      (error) => fail(id, error),
    );
  });
  reply({ id: 0, result: undefined });
} catch (error) {
  fail(0, error);
}
