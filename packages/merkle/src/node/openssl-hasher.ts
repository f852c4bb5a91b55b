import * as crypto from 'node:crypto';
import { checkBatch, checkHash, checkOutput, HASH_SIZE, type Hasher } from '../hasher.js';

type OneShot = (algorithm: string, data: Uint8Array, encoding: 'buffer') => Uint8Array;

/** `crypto.hash` (Node 20.12) saves the hash object; older runtimes take the long way. */
const oneShot: OneShot =
  (crypto as unknown as { hash?: OneShot }).hash ?? ((algorithm, data) => crypto.createHash(algorithm).update(data).digest());

function createOpensslHasher(): Hasher {
  const node = new Uint8Array(65);
  node[0] = 0x01;
  let leaf = new Uint8Array(1024);
  const leafBytes = (entry: Uint8Array): Uint8Array => {
    if (leaf.length <= entry.length) leaf = new Uint8Array(Math.max(entry.length + 1, leaf.length * 2));
    leaf.set(entry, 1);
    return leaf.subarray(0, entry.length + 1);
  };
  const sha = (bytes: Uint8Array): Uint8Array => oneShot('sha256', bytes, 'buffer');
  return {
    name: 'node:crypto',
    hashLeaf: (entry) => new Uint8Array(sha(leafBytes(entry))),
    hashNode(left, right) {
      checkHash(left, 'left hash');
      checkHash(right, 'right hash');
      node.set(left, 1);
      node.set(right, 33);
      return new Uint8Array(sha(node));
    },
    hashLeaves(entries, output) {
      checkOutput(entries.length, output);
      for (let i = 0; i < entries.length; i++) output.set(sha(leafBytes(entries[i])), i * HASH_SIZE);
    },
    hashNodes(input, count, output) {
      checkBatch(input, count, output);
      for (let i = 0; i < count; i++) {
        node.set(input.subarray(i * 64, i * 64 + 64), 1);
        output.set(sha(node), i * HASH_SIZE);
      }
    },
  };
}

/** SHA-256 by OpenSSL, as the runtime brings it. */
export const opensslHasher: Hasher = createOpensslHasher();
