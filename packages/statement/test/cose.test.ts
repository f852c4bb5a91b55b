import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../../../test/vectors.js';
import {
  ALG,
  type CborInput,
  CborTag,
  type CborValue,
  type CoseKey,
  createCoseKey,
  encodeCbor,
  HEADER,
  parseSign1,
  sigStructure,
  verifySign1,
} from '../src/index.js';
import { fromHex, toHex } from './cbor-values.js';
import { generateTestKey, type TestKey } from './ec-keys.js';
import { refuses } from './expect-error.js';

type Header = [number | string, CborInput][];
const PAYLOAD = new TextEncoder().encode('This is the content.');
const KEYS = { Ed25519: generateTestKey('Ed25519'), 'P-256': generateTestKey('P-256'), 'P-384': generateTestKey('P-384') };

interface Parts {
  readonly protectedHeader?: Header;
  readonly unprotectedHeader?: Header;
  readonly payload?: CborInput;
  readonly signed?: Uint8Array;
  readonly external?: Uint8Array;
}

/** A COSE_Sign1 message signed by node:crypto; by default a plain one with the algorithm of the key. */
function signed(signer: TestKey, parts: Parts = {}): Uint8Array {
  const protectedBytes = encodeCbor(new Map(parts.protectedHeader ?? [[HEADER.algorithm, signer.algorithm]]));
  const toBeSigned = encodeCbor(['Signature1', protectedBytes, parts.external ?? new Uint8Array(0), parts.signed ?? PAYLOAD]);
  const payload = parts.payload === undefined ? PAYLOAD : parts.payload;
  return encodeCbor(
    new CborTag(18, [protectedBytes, new Map(parts.unprotectedHeader ?? []), payload, signer.sign(toBeSigned)] as CborValue),
  );
}

/** The COSE_Key of an example's JSON. */
function keyOf({ crv, x, y, x_hex }: { crv: CoseKey['curve']; x?: string; y?: string; x_hex?: string }): CoseKey {
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64url'));
  return createCoseKey(crv, x_hex === undefined ? bytes(x ?? '') : fromHex(x_hex), y === undefined ? undefined : bytes(y));
}

if (haveVectors) {
  const load = (name: string) => vectorJson(`cose-wg-examples/${name}.json`);
  const verify = (example: { input: { sign0: { key: never; external?: string } }; output: { cbor: string } }): void => {
    const { key, external } = example.input.sign0;
    verifySign1(parseSign1(fromHex(example.output.cbor), 'any'), keyOf(key), {
      externalData: external === undefined ? undefined : fromHex(external),
    });
  };

  for (const name of [
    'sign1-tests/sign-pass-01',
    'sign1-tests/sign-pass-02',
    'ecdsa-examples/ecdsa-sig-01',
    'eddsa-examples/eddsa-sig-01',
  ]) {
    test(`cose-wg ${name} is accepted`, () => verify(load(name)));
  }

  for (const [name, code] of [
    ['sign1-tests/sign-fail-01', 'cbor/not-in-profile'],
    ['sign1-tests/sign-fail-02', 'cose/bad-signature'],
    ['sign1-tests/sign-fail-03', 'cose/unknown-algorithm'],
  ] as const) {
    test(`cose-wg ${name} is refused`, () => refuses(() => verify(load(name)), code));
  }

  test('the bytes to be signed are those of the examples', () => {
    for (const name of ['sign1-tests/sign-pass-02', 'ecdsa-examples/ecdsa-sig-01', 'eddsa-examples/eddsa-sig-01']) {
      const { input, intermediates, output } = load(name);
      const { protectedBytes, payload } = parseSign1(fromHex(output.cbor), 'any');
      const external = input.sign0.external === undefined ? undefined : fromHex(input.sign0.external);
      assert.is(
        toHex(sigStructure(protectedBytes, payload as Uint8Array, external)).toUpperCase(),
        intermediates.ToBeSign_hex,
        name,
      );
    }
  });

  test('external data that is missing or different is refused', () => {
    const { input, output } = load('sign1-tests/sign-pass-02');
    const message = parseSign1(fromHex(output.cbor), 'any');
    const key = keyOf(input.sign0.key);
    refuses(() => verifySign1(message, key), 'cose/bad-signature', 'no external data');
    refuses(() => verifySign1(message, key, { externalData: fromHex('11aa') }), 'cose/bad-signature', 'other external data');
  });

  test('a COSE_Sign message (tag 98) is refused', () => {
    refuses(() => parseSign1(fromHex(load('RFC8152/Appendix_C_1_1').output.cbor), 'any'), 'cbor/not-in-profile');
  });

  test('every flipped bit of an example is refused', () => {
    const { input, output } = load('eddsa-examples/eddsa-sig-01');
    const bytes = fromHex(output.cbor);
    const key = keyOf(input.sign0.key);
    const unsigned = toHex(bytes).indexOf('a10442313154') / 2;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const at = bit >> 3;
      if (at >= unsigned && at < unsigned + 5) continue;
      const changed = bytes.slice();
      changed[at] ^= 1 << (bit & 7);
      refuses(
        () => verifySign1(parseSign1(changed, 'any'), key),
        [
          'cbor/malformed',
          'cbor/not-deterministic',
          'cbor/not-in-profile',
          'cose/malformed',
          'cose/unsupported',
          'cose/unknown-algorithm',
          'cose/bad-signature',
        ],
        `bit ${bit}`,
      );
    }
  });
}

test('messages of other implementations verify, each algorithm with its curve', () => {
  for (const signer of Object.values(KEYS)) {
    const message = parseSign1(signed(signer));
    verifySign1(message, signer.key);
    assert.equal(message.payload, PAYLOAD);
    assert.is(message.protectedHeader.get(HEADER.algorithm), signer.algorithm);
  }
  verifySign1(parseSign1(signed(KEYS.Ed25519, { protectedHeader: [[HEADER.algorithm, ALG.ed25519]] })), KEYS.Ed25519.key);
});

test('a message verifies under no other key', () => {
  for (const curve of ['Ed25519', 'P-256', 'P-384'] as const) {
    refuses(() => verifySign1(parseSign1(signed(KEYS[curve])), generateTestKey(curve).key), 'cose/bad-signature', curve);
  }
});

test('the algorithm must go with the key, even where the arithmetic would hold', () => {
  const algorithms = [-7, -8, -19, -35, -9, -36, -37, -257, 5, 0, 1];
  const fits: Record<string, readonly number[]> = { Ed25519: [-8, -19], 'P-256': [-7], 'P-384': [-35] };
  for (const [curve, signer] of Object.entries(KEYS)) {
    for (const algorithm of algorithms.filter((a) => !fits[curve].includes(a))) {
      const message = parseSign1(signed(signer, { protectedHeader: [[HEADER.algorithm, algorithm]] }));
      refuses(
        () => verifySign1(message, signer.key),
        ['cose/unsupported', 'cose/unknown-algorithm'],
        `${curve} with ${algorithm}`,
      );
    }
  }
});

test('an algorithm that is missing or no number is refused', () => {
  for (const value of ['ES256', null, Uint8Array.of(0x26), [-7]]) {
    const message = parseSign1(signed(KEYS['P-256'], { protectedHeader: [[HEADER.algorithm, value]] }));
    refuses(() => verifySign1(message, KEYS['P-256'].key), ['cose/malformed', 'cose/unsupported'], String(value));
  }
  const none = parseSign1(signed(KEYS['P-256'], { protectedHeader: [[HEADER.keyId, Uint8Array.of(1)]] }));
  refuses(() => verifySign1(none, KEYS['P-256'].key), 'cose/malformed', 'no algorithm');
});

const CRITICAL: readonly CborInput[] = [[HEADER.algorithm], [999], []];

test('critical headers are refused', () => {
  for (const critical of CRITICAL) {
    const protectedHeader: Header = [
      [HEADER.algorithm, ALG.eddsa],
      [HEADER.critical, critical],
    ];
    refuses(() => parseSign1(signed(KEYS.Ed25519, { protectedHeader })), 'cose/unsupported', `crit ${critical}`);
  }
});

test('critical headers outside the protected header, where RFC 9052 section 3.1 demands them, are refused', () => {
  for (const critical of CRITICAL) {
    const unprotectedHeader: Header = [[HEADER.critical, critical]];
    refuses(
      () => parseSign1(signed(KEYS.Ed25519, { unprotectedHeader })),
      ['cose/unsupported', 'cose/malformed'],
      `crit ${critical}`,
    );
  }
});

test('a label in both headers is refused', () => {
  for (const label of [HEADER.algorithm, HEADER.keyId, 'text', -65_537]) {
    const protectedHeader: Header = [[HEADER.algorithm, ALG.eddsa]];
    if (label !== HEADER.algorithm) protectedHeader.push([label, Uint8Array.of(1)]);
    refuses(
      () => parseSign1(signed(KEYS.Ed25519, { protectedHeader, unprotectedHeader: [[label, Uint8Array.of(2)]] })),
      'cose/malformed',
      `label ${label}`,
    );
  }
});

test('a detached payload must be given, an attached one must not', () => {
  const { key } = KEYS['P-256'];
  const detached = parseSign1(signed(KEYS['P-256'], { payload: null }));
  assert.is(detached.payload, null);
  verifySign1(detached, key, { detached: PAYLOAD });
  refuses(() => verifySign1(detached, key), 'cose/malformed', 'a detached payload that is not given');
  refuses(() => verifySign1(detached, key, { detached: Uint8Array.of(1) }), 'cose/bad-signature', 'another payload');
  refuses(() => verifySign1(detached, key, { detached: new Uint8Array(0) }), 'cose/bad-signature', 'an empty payload');
  const attached = parseSign1(signed(KEYS['P-256']));
  refuses(() => verifySign1(attached, key, { detached: PAYLOAD }), 'cose/malformed', 'both');
  const empty = parseSign1(signed(KEYS['P-256'], { payload: new Uint8Array(0), signed: new Uint8Array(0) }));
  verifySign1(empty, key);
  refuses(
    () => verifySign1(empty, key, { detached: new Uint8Array(0) }),
    'cose/malformed',
    'an empty payload and a detached one',
  );
});

test('external data is signed', () => {
  const externalData = Uint8Array.of(1, 2, 3);
  const message = parseSign1(signed(KEYS['P-384'], { external: externalData }));
  verifySign1(message, KEYS['P-384'].key, { externalData });
  refuses(() => verifySign1(message, KEYS['P-384'].key), 'cose/bad-signature');
});

test('the protected bytes are verified as received, in whatever order they are', () => {
  const protectedBytes = fromHex('a2 0441aa 0126');
  const toBeSigned = encodeCbor(['Signature1', protectedBytes, new Uint8Array(0), PAYLOAD]);
  const bytes = encodeCbor(new CborTag(18, [protectedBytes, {}, PAYLOAD, KEYS['P-256'].sign(toBeSigned)]));
  refuses(() => parseSign1(bytes), 'cbor/not-deterministic', 'a foreign order where ours is asked for');
  const message = parseSign1(bytes, 'any');
  assert.equal(message.protectedBytes, protectedBytes);
  verifySign1(message, KEYS['P-256'].key);
});

test('messages of another shape are refused', () => {
  const p = encodeCbor(new Map([[1, -7]]));
  const bytes = new Uint8Array(64);
  const shapes: readonly [string, CborInput][] = [
    ['no tag', [p, {}, PAYLOAD, bytes]],
    ['three items', new CborTag(18, [p, {}, PAYLOAD])],
    ['five items', new CborTag(18, [p, {}, PAYLOAD, bytes, bytes])],
    ['a map', new CborTag(18, {})],
    ['a protected header that is a map', new CborTag(18, [{}, {}, PAYLOAD, bytes])],
    ['a protected header that holds an array', new CborTag(18, [encodeCbor([]), {}, PAYLOAD, bytes])],
    ['a protected header that holds two items', new CborTag(18, [Uint8Array.of(0xa0, 0xa0), {}, PAYLOAD, bytes])],
    ['a protected header with a tag', new CborTag(18, [Uint8Array.of(0xd2, 0xa0), {}, PAYLOAD, bytes])],
    ['an unprotected header that is bytes', new CborTag(18, [p, encodeCbor({}), PAYLOAD, bytes])],
    ['a payload that is text', new CborTag(18, [p, {}, 'text', bytes])],
    ['a payload that is false', new CborTag(18, [p, {}, false, bytes])],
    ['a signature that is nil', new CborTag(18, [p, {}, PAYLOAD, null])],
    ['a signature that is a list', new CborTag(18, [p, {}, PAYLOAD, [bytes]])],
  ];
  for (const [what, shape] of shapes) {
    for (const order of ['deterministic', 'any'] as const) {
      refuses(() => parseSign1(encodeCbor(shape), order), ['cose/malformed', 'cbor/malformed', 'cbor/not-in-profile'], what);
    }
  }
});

test.run();
