import { createPublicKey, verify } from 'node:crypto';
import { type Ed25519, portableEd25519 } from '@treering/note';
import { nodeEd25519, verifyEd25519OffThread } from '@treering/note/node';
import type { Benchmark, Figures, Subject } from './benchmark.js';
import { BatchEd25519 } from './experiments/batch-ed25519.js';
import type { SignedMessage } from './experiments/signed-message.js';
import { TableEd25519 } from './experiments/table-ed25519.js';

const MESSAGE_BYTES = 1024;
const SIGNATURES = 4096;
const QUICK_SIGNATURES = 64;
const NEW_KEYS = 2048;
/** A table takes a millisecond. */
const NEW_TABLES = 256;
/** Calls that wait for a thread of the pool at a time. */
const IN_FLIGHT = 64;
const NATIVE = 'node:crypto';
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
    { name: 'node:crypto, thread pool', rival: NATIVE, measure: (quick) => measure(quick, 10, offThread) },
    ...[1, 10, 100].map(
      (keys): Subject => ({
        name: `tables, ${keys === 1 ? '1 key' : `${keys} keys`}`,
        rival: NATIVE,
        measure: (quick) => measure(quick, keys, fromTables(keys, SIGNATURES)),
      }),
    ),
    { name: 'tables, 10 keys, singly', rival: NATIVE, measure: (quick) => measure(quick, 10, fromTables(10, 1)) },
    {
      name: 'tables, new keys',
      rival: NATIVE_NEW,
      measure: (quick) => measureNewKeys(quick, NEW_TABLES, (keys) => fromTables(keys, SIGNATURES)),
    },
    ...[64, 256, 1024].flatMap((size): Subject[] => [
      { name: `batches of ${size}, 1 key`, rival: NATIVE, measure: (quick) => measure(quick, 1, inBatches(1, size)) },
      { name: `batches of ${size}, 10 keys`, rival: NATIVE, measure: (quick) => measure(quick, 10, inBatches(10, size)) },
      {
        name: `batches of ${size}, new keys`,
        rival: NATIVE_NEW,
        measure: (quick) => measureNewKeys(quick, NEW_KEYS, (keys) => inBatches(keys, size)),
      },
    ]),
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

const offThread: Verify = async (items) => {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const { publicKey, message, signature } = items[next++];
      accept(await verifyEd25519OffThread(publicKey, message, signature));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
};

function fromTables(keys: number, batch: number): Verify {
  const verifier = new TableEd25519(keys);
  return async (items) => {
    for (let start = 0; start < items.length; start += batch) {
      for (const valid of verifier.verifyMany(items.slice(start, start + batch))) accept(valid);
    }
  };
}

function inBatches(keys: number, size: number): Verify {
  const verifier = new BatchEd25519(size, keys);
  return async (items) => {
    for (const valid of verifier.verifyMany(items)) accept(valid);
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
