import { hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { createTableEd25519, TableMismatchError } from '../tables/index.js';
import { nodeEd25519 } from './native-ed25519.js';
import { type PackedSignatures, type SignatureReply, unpackSignatures } from './packed-signatures.js';

const port = parentPort;
if (port === null) throw new Error('this module is the entry of a worker thread');

const reply = (message: SignatureReply, transferred: ArrayBuffer[] = []): void => port.postMessage(message, transferred);

const verifier = createTableEd25519(nodeEd25519, { sha512: (message) => hash('sha512', message, 'buffer') });

port.on('message', (packed: PackedSignatures) => {
  try {
    const verdicts = Uint8Array.from(verifier.verifyMany(unpackSignatures(packed)), Number);
    reply(verdicts, [verdicts.buffer]);
  } catch (error) {
    // Anything else ends the thread, and what waits for it is verified elsewhere.
    if (!(error instanceof TableMismatchError)) throw error;
    reply('mismatch');
  }
});
reply('ready');
