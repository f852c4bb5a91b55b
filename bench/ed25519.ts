import { createPublicKey, hash, verify } from 'node:crypto';
import { type Ed25519, portableEd25519 } from '@treering/note';
import { nodeEd25519, SignatureThread, verifyEd25519OffThread } from '@treering/note/node';
import { createTableEd25519, type SignedMessage } from '@treering/note/tables';
import type { Benchmark, Figures, Subject } from './benchmark.js';

const MESSAGE_BYTES = 1024;
const SIGNATURES = 4096;
const QUICK_SIGNATURES = 64;
const NEW_KEYS = 2048;
/** A table takes a millisecond. */
const NEW_TABLES = 256;
/** Calls that wait for another thread at a time. */
const IN_FLIGHT = 64;
const NATIVE = 'node:crypto';
const POOL = 'node:crypto, thread pool';
const NATIVE_NEW = 'node:crypto, new keys as JWK';

/** Verifying Ed25519 signatures under the strict rule, on one core and on all. */
export const ed25519: Benchmark = {
  name: 'ed25519',
  title: 'strict Ed25519 verification of messages of 1 KiB',
  trials: 5,
  subjects: [
    { name: NATIVE, measure: (quick) => measure(quick, 10, oneByOne(nodeEd25519)) },
    { name: NATIVE_NEW, measure: (quick) => measureNewKeys(quick, NEW_KEYS, () => parsedFromJwk) },
    {
      name: 'node:crypto, new keys as DER',
      rival: NATIVE_NEW,
      measure: (quick) => measureNewKeys(quick, NEW_KEYS, () => oneByOne(nodeEd25519)),
    },
    { name: '@noble/ed25519', rival: NATIVE, measure: (quick) => measure(quick, 10, oneByOne(portableEd25519), 16) },
    { name: POOL, rival: NATIVE, measure: (quick) => measure(quick, 10, inFlight(verifyEd25519OffThread)) },
    { name: 'signature thread', rival: POOL, measure: measureThread },
    ...[1, 10, 64].map(
      (keys): Subject => ({
        name: `tables, ${keys === 1 ? '1 key' : `${keys} keys`}`,
        rival: NATIVE,
        measure: (quick) => measure(quick, keys, fromTables(keys, SIGNATURES)),
      }),
    ),
    { name: 'tables, 10 keys, singly', rival: NATIVE, measure: (quick) => measure(quick, 10, fromTables(10, 1)) },
    {
      name: 'a table for each new key',
      rival: NATIVE_NEW,
      measure: (quick) => measureNewKeys(quick, NEW_TABLES, (keys) => fromTables(keys, SIGNATURES)),
    },
  ],
};

type Verify = (items: readonly SignedMessage[]) => Promise<void>;

/** Measures the second pass over the signatures: what is compiled or computed once is there by then. */
async function measure(quick: boolean, keys: number, verify: Verify, lessWork = 1): Promise<Figures> {
  const items = signedMessages(Math.max(quick ? QUICK_SIGNATURES : SIGNATURES / lessWork, keys), keys);
  await verify(items);
  return timed(items.length, () => verify(items));
}

/** Signatures of one key each, by a verifier that has seen none of them; other keys have warmed the code up. */
async function measureNewKeys(quick: boolean, keys: number, verifierFor: (keys: number) => Verify): Promise<Figures> {
  const count = quick ? QUICK_SIGNATURES : keys;
  for (let pass = 1; pass <= (quick ? 1 : 4); pass++) await verifierFor(count)(signedMessages(count, count, pass * count));
  const items = signedMessages(count, count);
  const verify = verifierFor(count);
  return timed(count, () => verify(items));
}

async function timed(count: number, work: () => Promise<void>): Promise<Figures> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { 'signatures/s': count / seconds, 'CPU µs each': (user + system) / count };
}

function oneByOne(implementation: Ed25519): Verify {
  return async (items) => {
    for (const { publicKey, message, signature } of items) accept(implementation.verify(publicKey, message, signature));
  };
}

/** Parses the key for each signature, in the form that costs least. */
const parsedFromJwk: Verify = async (items) => {
  for (const { publicKey, message, signature } of items) {
    const x = Buffer.from(publicKey).toString('base64url');
    accept(verify(null, message, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }), signature));
  }
};

/** Keeps so many calls of an asynchronous verification waiting. */
function inFlight(verifyOne: (...item: Parameters<Ed25519['verify']>) => Promise<boolean>): Verify {
  return async (items) => {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < items.length) {
        const { publicKey, message, signature } = items[next++];
        accept(await verifyOne(publicKey, message, signature));
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  };
}

/** The thread from end to end, once it is running. */
async function measureThread(quick: boolean): Promise<Figures> {
  const fail = (error: Error): void => {
    throw error;
  };
  const thread = new SignatureThread({ startAfter: 0, onLost: fail });
  const verifyAll = inFlight((publicKey, message, signature) => thread.verify(publicKey, message, signature));
  try {
    const some = signedMessages(QUICK_SIGNATURES, 10);
    while (thread.answered === 0) await verifyAll(some);
    return await measure(quick, 10, verifyAll);
  } finally {
    await thread.close();
  }
}

/** Each key has a table from its first signature on. */
function fromTables(keys: number, batch: number): Verify {
  const sha512 = (message: Uint8Array): Uint8Array => hash('sha512', message, 'buffer');
  const verifier = createTableEd25519(nodeEd25519, { after: 0, tables: keys, sha512 });
  return async (items) => {
    for (let start = 0; start < items.length; start += batch) {
      for (const valid of verifier.verifyMany(items.slice(start, start + batch))) accept(valid);
    }
  };
}

/** What answers wrongly is not measured. */
function accept(valid: boolean): void {
  if (!valid) throw new Error('a valid signature was refused');
}

/** Messages signed in turns by so many keys, which differ for another `first`. */
function signedMessages(count: number, keys: number, first = 0): SignedMessage[] {
  const seeds = Array.from({ length: keys }, (_, index) => {
    const seed = new Uint8Array(32).fill(7);
    new DataView(seed.buffer).setUint32(0, first + index);
    return { seed, publicKey: nodeEd25519.publicKey(seed) };
  });
  return Array.from({ length: count }, (_, index) => {
    const { seed, publicKey } = seeds[index % keys];
    const message = new Uint8Array(MESSAGE_BYTES);
    new DataView(message.buffer).setUint32(0, index);
    return { publicKey, message, signature: nodeEd25519.sign(seed, message) };
  });
}
