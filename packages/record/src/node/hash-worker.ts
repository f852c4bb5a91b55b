import { parentPort } from 'node:worker_threads';
import { RecordError } from '../errors.js';
import { hashFile } from './hash-file.js';
import type { HashJob, HashReply } from './hash-pool.js';

const port = parentPort;
if (port === null) throw new Error('this module is the entry of a worker thread');
const reply = (message: HashReply): void => port.postMessage(message);

port.on('message', ({ id, path, tensors }: HashJob) => {
  hashFile(path, tensors, (bytes) => reply({ id, progress: bytes })).then(
    (hash) => reply({ id, hash }),
    (error: Error) =>
      reply({ id, error: { code: error instanceof RecordError ? error.code : undefined, message: error.message } }),
  );
});
