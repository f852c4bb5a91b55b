import { createPublicKey } from 'node:crypto';
import { sha256 } from '@noble/hashes/sha2.js';
import { hex } from '@treering/note';
import { ALG, checkSignature, createCoseKey } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes } from '../../../test/vectors.js';
import { AttestationError, parseQuote, parseTpmSignature, replayEvents } from '../src/index.js';

// A quote that swtpm made, over registers 0 and 23.

if (haveVectors) {
  const bytes = (name: string): Uint8Array => vectorBytes(`tpm2-quote/${name}`);
  const text = (name: string): string => Buffer.from(bytes(name)).toString('utf8').trim();
  const jwk = createPublicKey(text('ak.pem')).export({ format: 'jwk' });
  const coordinate = (value: string | undefined): Uint8Array => new Uint8Array(Buffer.from(value ?? '', 'base64url'));
  const key = createCoseKey('P-256', coordinate(jwk.x), coordinate(jwk.y));
  const [message, signature] = [bytes('quote.msg'), bytes('quote.sig')];
  const holds = (quote: Uint8Array, signed: Uint8Array): boolean =>
    checkSignature({ algorithm: ALG.es256, key, message: quote, signature: parseTpmSignature(signed) });

  test('a quote of swtpm is read, and is what was asked for', () => {
    const quote = parseQuote(message);
    assert.is(hex(quote.extraData), text('nonce.hex'));
    assert.equal(quote.selection, [{ hash: 0x000b, pcrs: [0, 23] }]);
    assert.is(hex(quote.pcrDigest), hex(sha256(bytes('quote.pcrs'))));
    assert.equal([quote.resetCount, quote.restartCount, quote.safe], [1, 0, true]);
    assert.is(quote.clock, 0x7dbdn);
    assert.is(quote.firmware, 0x2019102300163636n);
    assert.is(hex(quote.signer).slice(0, 4), '000b');
  });

  test('its signature holds under the attestation key, and its register is the replay of what was extended', () => {
    assert.ok(holds(message, signature));
    const digest = new Uint8Array(Buffer.from(text('mh'), 'hex'));
    assert.is(hex(replayEvents([{ digest }])), hex(bytes('quote.pcrs').slice(32)));
  });

  test('with any byte of quote or signature changed, it cannot be read or its signature does not hold', () => {
    for (let at = 0; at < message.length + signature.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const [quote, signed] = [message.slice(), signature.slice()];
        if (at < quote.length) quote[at] ^= flip;
        else signed[at - quote.length] ^= flip;
        let held = false;
        try {
          parseQuote(quote);
          held = holds(quote, signed);
        } catch (error) {
          assert.instance(error, AttestationError);
        }
        assert.not(held, `byte ${at} xor ${flip}`);
      }
    }
  });

  test('cut or longer, it is no quote', () => {
    for (let length = 0; length < message.length; length++)
      assert.throws(() => parseQuote(message.slice(0, length)), /ends within/);
    for (let length = 0; length < signature.length; length++)
      assert.throws(() => parseTpmSignature(signature.slice(0, length)), /ends within/);
    assert.throws(() => parseQuote(Uint8Array.from([...message, 0])), /1 bytes behind the quote/);
    assert.throws(() => parseTpmSignature(Uint8Array.from([...signature, 0])), /1 bytes behind the signature/);
  });
}

test.run();
