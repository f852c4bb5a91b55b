import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ALG, type CborInput, CborTag, encodeCbor, HEADER, parseStatement, RECORD_CONTENT_TYPE } from '../src/index.js';
import { fromHex, toHex } from './cbor-values.js';
import { errorOf, refuses } from './expect-error.js';

const kid = new Uint8Array(32).fill(5);
const CLAIMS = { iss: 'log.example/identity/ada', sub: 'model/credit-score', iat: 1_760_000_000 };
const PAYLOAD = encodeCbor({ v: 1, type: 'freeze', reason: 'the quarter is closed' });

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A statement with the given parts, signed or not: parsing does not look at the signature. */
function message(
  parts: { header?: [number | string, CborInput][]; unprotected?: CborInput; payload?: CborInput } = {},
): Uint8Array {
  const { header = validHeader(), unprotected = {}, payload = PAYLOAD } = parts;
  return encodeCbor(new CborTag(18, [encodeCbor(new Map(header)), unprotected, payload, new Uint8Array(64)]));
}

function validHeader(claims: [number | string, CborInput][] = validClaims()): [number | string, CborInput][] {
  return [
    [HEADER.algorithm, ALG.eddsa],
    [HEADER.contentType, RECORD_CONTENT_TYPE],
    [HEADER.keyId, kid],
    [HEADER.cwtClaims, new Map(claims)],
  ];
}

function validClaims(): [number | string, CborInput][] {
  return [
    [1, CLAIMS.iss],
    [2, CLAIMS.sub],
    [6, CLAIMS.iat],
  ];
}

/** The list with the pair of that label replaced, or left out when there is no value. */
function withPair(pairs: [number | string, CborInput][], label: number, value?: CborInput): [number | string, CborInput][] {
  return pairs.flatMap((pair): [number | string, CborInput][] =>
    pair[0] !== label ? [pair] : value === undefined ? [] : [[label, value]],
  );
}

test('a message that is large by its unprotected header alone is bounded too', () => {
  refuses(() => parseStatement(message({ unprotected: { text: 'x'.repeat(1_000_000) } })), 'statement/too-large');
});

test('the message for an entry that is too large names the limit', () => {
  const { code, message: text } = errorOf(() => parseStatement(message({ payload: new Uint8Array(70_000) })));
  assert.is(code, 'statement/too-large');
  assert.match(text, '65535');
});

test('what the tests below change is otherwise valid', () => {
  assert.is(parseStatement(message()).sub, CLAIMS.sub);
});

test('unknown headers are refused', () => {
  for (const label of [5, 16, 33, 34, 258, 259, 260, 394, 395, 396, 999, -1, 'x', '1']) {
    refuses(
      () => parseStatement(message({ header: [...validHeader(), [label, 'x']] })),
      'statement/malformed',
      `header ${label}`,
    );
  }
  refuses(() => parseStatement(message({ header: [...validHeader(), [HEADER.critical, [1]]] })), 'cose/unsupported', 'crit');
});

test('unknown claims are refused', () => {
  for (const claim of [3, 4, 5, 7, 8, 256, -1, 'iss', '1']) {
    refuses(
      () => parseStatement(message({ header: validHeader([...validClaims(), [claim, 1]]) })),
      'statement/malformed',
      `claim ${claim}`,
    );
  }
});

test('missing headers and claims are refused', () => {
  for (const label of [HEADER.keyId, HEADER.cwtClaims]) {
    refuses(
      () => parseStatement(message({ header: withPair(validHeader(), label) })),
      'statement/malformed',
      `no header ${label}`,
    );
  }
  for (const claim of [1, 2, 6]) {
    refuses(
      () => parseStatement(message({ header: validHeader(withPair(validClaims(), claim)) })),
      'statement/malformed',
      `no claim ${claim}`,
    );
  }
});

test('headers and claims of the wrong type are refused', () => {
  const headers: [number, CborInput][] = [
    [HEADER.contentType, 60],
    [HEADER.contentType, ''],
    [HEADER.contentType, 'x'.repeat(8193)],
    [HEADER.contentType, null],
    [HEADER.keyId, toHex(kid)],
    [HEADER.keyId, kid.subarray(1)],
    [HEADER.keyId, new Uint8Array(33)],
    [HEADER.keyId, null],
    [HEADER.cwtClaims, [1, 2]],
    [HEADER.cwtClaims, encodeCbor(new Map(validClaims()))],
    [HEADER.cwtClaims, null],
  ];
  for (const [label, value] of headers) {
    refuses(
      () => parseStatement(message({ header: withPair(validHeader(), label, value) })),
      'statement/malformed',
      `header ${label} = ${value}`,
    );
  }
  const claims: [number, CborInput][] = [
    [1, 1],
    [1, ''],
    [1, 'x'.repeat(8193)],
    [1, utf8('x')],
    [2, null],
    [2, ''],
    [2, ['model/x']],
    [6, '1760000000'],
    [6, -1],
    [6, null],
    [6, [1]],
  ];
  for (const [claim, value] of claims) {
    refuses(
      () => parseStatement(message({ header: validHeader(withPair(validClaims(), claim, value)) })),
      'statement/malformed',
      `claim ${claim} = ${value}`,
    );
  }
});

test('a detached payload is refused', () => {
  refuses(() => parseStatement(message({ payload: null })), 'statement/no-payload');
});

/** A message whose protected header has its members in the opposite order. */
function reordered(header: [number | string, CborInput][]): Uint8Array {
  const parts = header.map(([label, value]) => toHex(encodeCbor(new Map([[label, value]]))).slice(2));
  const protectedBytes = fromHex(`a${header.length}${parts.reverse().join('')}`);
  return encodeCbor(new CborTag(18, [protectedBytes, {}, PAYLOAD, new Uint8Array(64)]));
}

test('a statement of a content type of our own whose maps are in another order is refused', () => {
  for (const type of [RECORD_CONTENT_TYPE, 'application/vnd.treering.other+json', `${RECORD_CONTENT_TYPE}; v=1`]) {
    const bytes = reordered(withPair(validHeader(), HEADER.contentType, type));
    refuses(() => parseStatement(bytes), 'cbor/not-deterministic', type);
  }
});

const FOREIGN = 'application/vnd.in-toto+json';
const foreign = (...more: [number | string, CborInput][]): [number | string, CborInput][] => [
  ...withPair(validHeader(), HEADER.contentType, FOREIGN),
  ...more,
];

test('the maps of a foreign statement may be in any order, and its bytes stay as they came', () => {
  const bytes = reordered(foreign());
  const read = parseStatement(bytes);
  assert.equal(read.entry, bytes);
  const { iss, sub, iat, contentType } = read;
  assert.equal({ iss, sub, iat, contentType }, { ...CLAIMS, contentType: FOREIGN });
  assert.equal(parseStatement(read.entry), read);
});

test('a foreign statement says when it was signed or does not, and what it is or does not', () => {
  const silent = parseStatement(
    message({
      header: withPair(withPair(foreign(), HEADER.cwtClaims, new Map(withPair(validClaims(), 6))), HEADER.contentType),
    }),
  );
  assert.is(silent.iat, undefined);
  assert.is(silent.contentType, undefined);
  assert.is(silent.envelope, undefined);
  for (const iat of ['1760000000', -1, null]) {
    const header = withPair(foreign(), HEADER.cwtClaims, new Map(withPair(validClaims(), 6, iat)));
    refuses(() => parseStatement(message({ header })), 'statement/malformed', `iat ${iat}`);
  }
});

test('a foreign statement names its key by any id, by certificates or by both', () => {
  const der = Uint8Array.of(0x30, 0);
  const certified = (value: CborInput) => parseStatement(message({ header: withPair(foreign([33, value]), HEADER.keyId) }));
  assert.equal(certified(der).certificates, [der]);
  assert.equal(certified([der, der]).certificates, [der, der]);
  assert.is(certified(der).kid, undefined);
  const named = parseStatement(message({ header: withPair(foreign(), HEADER.keyId, utf8('key-1')) }));
  assert.equal([named.kid, named.certificates], [utf8('key-1'), []]);
  for (const value of [[], 'x', 7, [der, 'x'], new Array(9).fill(der)]) {
    refuses(() => certified(value as CborInput), 'statement/malformed', `x5chain ${JSON.stringify(value)}`);
  }
  refuses(() => parseStatement(message({ header: withPair(foreign(), HEADER.keyId) })), 'statement/malformed', 'no key');
  refuses(() => parseStatement(message({ header: withPair(foreign(), HEADER.keyId, 'key-1') })), 'statement/malformed', 'text');
});

test('a hash envelope says of what its payload is the digest', () => {
  const header = (...more: [number, CborInput][]) => withPair(foreign(...more), HEADER.contentType);
  for (const [algorithm, length] of [
    [-16, 32],
    [-43, 48],
    [-44, 64],
  ]) {
    const all: [number, CborInput][] = [
      [258, algorithm],
      [259, FOREIGN],
      [260, 'https://example.com/bom'],
    ];
    const payload = new Uint8Array(length);
    const read = parseStatement(message({ header: header(...all), payload }));
    assert.equal(read.envelope, { algorithm, contentType: FOREIGN, location: 'https://example.com/bom' });
    assert.is(read.contentType, undefined);
    const bare = parseStatement(message({ header: header([258, algorithm]), payload }));
    assert.equal(bare.envelope, { algorithm, contentType: undefined, location: undefined });
    const wrong = { header: header(...all), payload: new Uint8Array(length - 1) };
    refuses(() => parseStatement(message(wrong)), 'statement/malformed', `${length - 1} bytes`);
    refuses(() => parseStatement(message({ header: foreign(...all), payload })), 'statement/malformed', '3 beside 258');
  }
  const payload = new Uint8Array(32);
  for (const pairs of [
    [[258, -17]],
    [[258, 'sha-256']],
    [[259, FOREIGN]],
    [[260, 'x']],
    [
      [258, -16],
      [259, 7],
    ],
  ] as const) {
    const bytes = message({ header: header(...(pairs as unknown as [number, CborInput][])), payload });
    refuses(() => parseStatement(bytes), 'statement/malformed', JSON.stringify(pairs));
  }
});

test('a foreign statement has no other headers, and claims of any kind', () => {
  for (const label of [5, 394, 395, 396, 999, -1, 'x']) {
    refuses(() => parseStatement(message({ header: foreign([label, 'x']) })), 'statement/malformed', `header ${label}`);
  }
  assert.is(parseStatement(message({ header: foreign([16, 'application/cose']) })).sub, CLAIMS.sub);
  const claims = new Map<number | string, CborInput>([...validClaims(), [3, 'x'], ['more', [1]]]);
  assert.is(parseStatement(message({ header: withPair(foreign(), HEADER.cwtClaims, claims) })).iss, CLAIMS.iss);
});

test.run();
