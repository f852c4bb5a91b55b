import { parentPort } from 'node:worker_threads';
import { createSimdHasher, isSimdAvailable } from '../simd/index.js';
import { opensslHasher } from './openssl-hasher.js';
import { type TreeJob, type TreeReply, work } from './tree-work.js';

const port = parentPort;
if (port === null) throw new Error('this module is the entry of a worker thread');
const hasher = isSimdAvailable() ? createSimdHasher(opensslHasher) : opensslHasher;

port.on('message', (job: TreeJob) => {
  let reply: TreeReply;
  try {
    work(job, hasher);
    reply = { id: job.id };
  } catch (error) {
    reply = { id: job.id, error: (error as Error).message };
  }
  port.postMessage(reply);
});
