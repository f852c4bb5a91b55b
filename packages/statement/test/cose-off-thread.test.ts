import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSignature, type SignatureCheck } from '../src/index.js';
import { checkSignatureOffThread } from '../src/node/index.js';
import { fromHex } from './cbor-values.js';
import { generateTestKey } from './ec-keys.js';

const CURVES = ['Ed25519', 'P-256', 'P-384'] as const;
const ORDER = {
  'P-256': 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  'P-384': 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
};

function flip(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const out = bytes.slice();
  out[at % out.length] ^= mask;
  return out;
}

function bigintOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function bytesOf(value: bigint, size: number): Uint8Array {
  return fromHex(value.toString(16).padStart(size * 2, '0'));
}

/** The verdict of both, which must be one. */
async function verdict(check: SignatureCheck, what: string): Promise<boolean> {
  const here = checkSignature(check);
  assert.is(await checkSignatureOffThread(check), here, what);
  return here;
}

for (const curve of CURVES) {
  const signer = generateTestKey(curve);
  const { key, algorithm } = signer;
  const message = new TextEncoder().encode('what is signed');
  const good: SignatureCheck = { algorithm, key, message, signature: signer.sign(message) };

  test(`${curve}: a good signature holds in both places`, async () => {
    assert.is(await verdict(good, 'good'), true);
    assert.is(await verdict({ ...good, message: new Uint8Array(0), signature: signer.sign(new Uint8Array(0)) }, 'empty'), true);
  });

  test(`${curve}: no changed signature, message or key holds in either place`, async () => {
    const change = fc.tuple(fc.constantFrom('signature', 'message', 'x', 'y'), fc.nat(), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(change, async ([part, at, mask]) => {
        const check =
          part === 'signature' || part === 'message'
            ? { ...good, [part]: flip(good[part], at, mask) }
            : {
                ...good,
                key: {
                  ...key,
                  ...(part === 'y' && key.y !== undefined ? { y: flip(key.y, at, mask) } : { x: flip(key.x, at, mask) }),
                },
              };
        assert.is(await verdict(check, `${part} ${at} ${mask}`), false);
      }),
      { seed: 42, numRuns: 60 },
    );
  });

  test(`${curve}: signatures of another length do not hold`, async () => {
    const { signature } = good;
    const size = signature.length;
    const lengthened = new Uint8Array(size + 1);
    lengthened.set(signature);
    for (const wrong of [
      new Uint8Array(0),
      signature.subarray(1),
      signature.subarray(0, size - 1),
      lengthened,
      new Uint8Array(size),
      new Uint8Array(size * 2),
    ]) {
      assert.is(await verdict({ ...good, signature: wrong }, `${wrong.length} bytes`), false);
    }
  });

  if (curve !== 'Ed25519') {
    test(`${curve}: both values of s hold, values out of range do not`, async () => {
      const n = ORDER[curve];
      const size = key.x.length;
      const r = bigintOf(good.signature.subarray(0, size));
      const s = bigintOf(good.signature.subarray(size));
      const withParts = (a: bigint, b: bigint): SignatureCheck => ({
        ...good,
        signature: fromHex(Buffer.concat([bytesOf(a, size), bytesOf(b, size)]).toString('hex')),
      });
      assert.is(await verdict(withParts(r, n - s), 'n - s'), true);
      for (const [a, b] of [
        [0n, s],
        [r, 0n],
        [n, s],
        [r, n],
        [0n, 0n],
        [n - 1n, n - 1n],
        [s, r],
      ]) {
        assert.is(await verdict(withParts(a, b), `${a} ${b}`), false);
      }
    });

    test(`${curve}: a signature in DER does not hold`, async () => {
      const { privateKey } = signer;
      const { sign } = await import('node:crypto');
      const der = new Uint8Array(sign(curve === 'P-256' ? 'sha256' : 'sha384', message, privateKey));
      assert.is(await verdict({ ...good, signature: der }, 'DER'), false);
    });
  }
}

test.run();
