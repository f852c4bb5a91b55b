import { encodeCbor } from '@treering/statement';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  AttestationError,
  attestationNonce,
  decodeEvent,
  decodeEvidence,
  encodeEvent,
  encodeEvidence,
  parseQuote,
  parseTpmSignature,
  replayEvents,
} from '../src/index.js';
import { attestBytes, digestOf, event, evidenceOf, HOST, type Said } from './made-quote.js';

const SUPPORTED = [0, 0x18, 0, 0x0b];
const scalar = (fill: number, length = 32): number[] => [0, length, ...new Array(length).fill(fill)];

function refusal(work: () => unknown): [string, string] {
  try {
    work();
  } catch (error) {
    assert.instance(error, AttestationError);
    return [(error as AttestationError).code, (error as AttestationError).message];
  }
  throw new Error('it was taken');
}

test('what is no quote is refused, and says why', () => {
  const cases: [Said, string, RegExp][] = [
    [{ magic: 0xff544348 }, 'attestation/malformed', /begins with ff544347/],
    [{ type: 0x8019 }, 'attestation/unsupported', /attests the time, and not registers/],
    [{ type: 0x8017 }, 'attestation/unsupported', /that a key is loaded/],
    [{ type: 0x0018 }, 'attestation/malformed', /type 18 is not known/],
    [{ nonce: new Uint8Array(65) }, 'attestation/malformed', /the nonce has 65 bytes, and may have 64/],
    [{ digest: new Uint8Array(65) }, 'attestation/malformed', /digest of the registers has 65 bytes/],
    [{ safe: 2 }, 'attestation/malformed', /safe flag is 2/],
    [{ banks: [[0x000b, []]] }, 'attestation/malformed', /bitmap of 0 bytes/],
    [{ banks: [[0x000b, [1, 2, 3, 4, 5]]] }, 'attestation/malformed', /bitmap of 5 bytes/],
    [{ banks: new Array(17).fill([0x000b, [0, 0, 0]]) }, 'attestation/malformed', /17 banks/],
    [{ more: new Uint8Array(1) }, 'attestation/malformed', /1 bytes behind/],
    [{ more: new Uint8Array(600) }, 'attestation/malformed', /at most 512 bytes/],
  ];
  for (const [said, code, why] of cases) {
    const [got, message] = refusal(() => parseQuote(attestBytes(said)));
    assert.is(got, code, message);
    assert.match(message, why);
  }
});

test('property: what a TPM says comes out as it was put in', () => {
  const bitmap = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 0xffff }), bitmap), { maxLength: 16 }),
      (clock, resets, nonce, banks) => {
        const quote = parseQuote(attestBytes({ clock, resets, nonce, banks }));
        assert.equal([quote.clock, quote.resetCount, [...quote.extraData]], [clock, resets, [...nonce]]);
        assert.equal(
          quote.selection.map(({ pcrs }) => pcrs.reduce((sum, pcr) => sum + 2 ** pcr, 0)),
          banks.map(([, bits]) => bits.reduce((sum, byte, i) => sum + byte * 256 ** i, 0)),
        );
      },
    ),
  );
});

test('property: random bytes are no quote and no signature, and only AttestationError says so', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const parse of [parseQuote, parseTpmSignature, decodeEvidence, decodeEvent]) refusal(() => parse(bytes));
    }),
  );
});

test('a signature is r and s of 32 bytes, whatever zeros the TPM has left out', () => {
  assert.equal([...parseTpmSignature(Uint8Array.from([...SUPPORTED, ...scalar(1, 31), ...scalar(2)]))].slice(0, 2), [0, 1]);
  const [code, why] = refusal(() => parseTpmSignature(Uint8Array.from([...SUPPORTED, ...scalar(1, 33), ...scalar(2)])));
  assert.equal([code, why], ['attestation/malformed', 'r has 33 bytes, and may have 32']);
  assert.match(refusal(() => parseTpmSignature(Uint8Array.from([...SUPPORTED, 0, 0, ...scalar(2)])))[1], /has no r/);
});

test('other algorithms are refused by their names', () => {
  const cases: [number[], RegExp, string][] = [
    [[0, 0x14, 0, 0x0b], /RSASSA/, 'attestation/unsupported'],
    [[0, 0x16, 0, 0x0b], /RSAPSS/, 'attestation/unsupported'],
    [[0, 0x05, 0, 0x0b], /HMAC/, 'attestation/unsupported'],
    [[0, 0x1b, 0, 0x12], /SM2/, 'attestation/unsupported'],
    [[0, 0x18, 0, 0x04], /ECDSA with SHA-1/, 'attestation/unsupported'],
    [[0, 0x18, 0, 0x0c], /ECDSA with SHA-384/, 'attestation/unsupported'],
    [[0, 0x18, 0, 0x99], /algorithm 99 of the signature is not known/, 'attestation/malformed'],
    [[0, 0x10, 0, 0x0b], /algorithm 10 of the signature is not known/, 'attestation/malformed'],
  ];
  for (const [head, why, code] of cases) {
    const [got, message] = refusal(() => parseTpmSignature(Uint8Array.from([...head, ...scalar(1), ...scalar(2)])));
    assert.match(message, why);
    assert.is(got, code);
  }
});

test('the nonce is a hash of the context, root, leaf and state, in this order', () => {
  const nonce = attestationNonce(digestOf(1), digestOf(2), digestOf(3));
  // SHA-256 of the 23 bytes of the context and of 96 bytes, by another implementation.
  assert.is(Buffer.from(nonce).toString('hex'), '6e62e2681eaf1cdbffe1b3e9a99a773b2e1e0934c81dbab434d484293800d6fe');
  for (const parts of [
    [digestOf(2), digestOf(1), digestOf(3)],
    [digestOf(1), digestOf(3), digestOf(2)],
  ] as const)
    assert.not.equal(attestationNonce(...parts), nonce);
  assert.throws(() => attestationNonce(new Uint8Array(31), digestOf(2), digestOf(3)), /each part of a nonce is 32 bytes/);
});

test('an event is read as it was written, and nothing else is an event', () => {
  const one = event('model', 4);
  assert.equal(decodeEvent(encodeEvent(one)), one);
  const wrong: [object, RegExp][] = [
    [{ pcr: 24 }, /number from 0 to 23/],
    [{ pcr: -1 }, /number from 0 to 23/],
    [{ digest: new Uint8Array(31) }, /has 32 bytes/],
    [{ kind: 'weights' }, /one of model, config, image, file/],
    [{ name: '' }, /one line/],
    [{ name: 'a\nb' }, /one line/],
    [{ name: 'a\u200fb' }, /one line/],
    [{ name: 'x'.repeat(201) }, /one line/],
    [{ more: 1 }, /no member "more"/],
    [{ name: undefined }, /lacks its member name/],
  ];
  for (const [members, why] of wrong) {
    assert.match(refusal(() => decodeEvent(encodeCbor({ ...one, ...members })))[1], why);
    if (!('more' in members)) refusal(() => encodeEvent({ ...one, ...members }));
  }
});

test('replay begins with zeros, and depends on the order', () => {
  assert.equal(replayEvents([]), digestOf(0));
  assert.not.equal(
    replayEvents([event('model', 1), event('config', 2)]),
    replayEvents([event('config', 2), event('model', 1)]),
  );
});

test('evidence is read as it was written', () => {
  const evidence = evidenceOf();
  assert.equal(decodeEvidence(encodeEvidence(evidence)), evidence);
});

test('with any byte changed, evidence is refused or another', () => {
  const bytes = encodeEvidence(evidenceOf());
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at] ^= 0x21;
    try {
      assert.equal(encodeEvidence(decodeEvidence(changed)), changed, `byte ${at}`);
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error;
    }
  }
});

test('what is no evidence is refused, and says why', () => {
  const evidence = evidenceOf();
  const plain = (changed: object): Uint8Array => {
    const { key, events, ...rest } = evidence;
    const cose = new Map<number, number | Uint8Array>([
      [1, 2],
      [-1, 1],
      [-2, HOST.key.x],
      [-3, HOST.key.y as Uint8Array],
    ]);
    const list = events.map((one) => ({ ...one }));
    return encodeCbor({ v: 1, format: 'tpm2-quote', ...rest, key: encodeCbor(cose), events: list, ...changed });
  };
  assert.equal(decodeEvidence(plain({})), evidence);
  const ed25519 = encodeCbor(
    new Map<number, number | Uint8Array>([
      [1, 1],
      [-1, 6],
      [-2, Uint8Array.from([0x58, ...new Array(31).fill(0x66)])],
    ]),
  );
  const cases: [object, string, RegExp][] = [
    [{ v: 2 }, 'attestation/unsupported', /version 1/],
    [{ format: 'sev-snp' }, 'attestation/unsupported', /format tpm2-quote/],
    [{ more: 1 }, 'attestation/malformed', /no member "more"/],
    [{ value: undefined }, 'attestation/malformed', /lacks its member value/],
    [{ pcr: 24 }, 'attestation/malformed', /0 to 23/],
    [{ events: 1 }, 'attestation/malformed', /list of at most/],
    [{ events: [{}] }, 'attestation/malformed', /an event lacks/],
    [{ quote: new Uint8Array(513) }, 'attestation/malformed', /quote has at most 512/],
    [{ quote: 'x' }, 'attestation/malformed', /quote has at most 512/],
    [{ signature: new Uint8Array(1200) }, 'attestation/malformed', /signature has at most/],
    [{ checkpoint: new Uint8Array(600 * 1024) }, 'attestation/malformed', /checkpoint has at most/],
    [{ deployment: new Uint8Array(31) }, 'attestation/malformed', /leaf hash of the deployment has 32/],
    [{ state: new Uint8Array(33) }, 'attestation/malformed', /state digest has 32/],
    [{ key: new Uint8Array(3) }, 'attestation/malformed', /key cannot be read/],
    [{ key: 1 }, 'attestation/malformed', /is a COSE_Key/],
    [{ key: ed25519 }, 'attestation/unsupported', /on P-256, not Ed25519/],
  ];
  for (const [changed, code, why] of cases) {
    const [got, message] = refusal(() => decodeEvidence(plain(changed)));
    assert.match(message, why);
    assert.is(got, code, message);
  }
  assert.is(refusal(() => decodeEvidence(new Uint8Array(17 * 1024 * 1024)))[0], 'attestation/too-large');
});

test.run();
