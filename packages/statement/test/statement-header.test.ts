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
  for (const label of [HEADER.contentType, HEADER.keyId, HEADER.cwtClaims]) {
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
  refuses(() => parseStatement(message({ payload: null })), 'statement/malformed');
});

test('a statement whose maps are in another order is refused', () => {
  const protectedBytes = fromHex('a2 0441aa 0127');
  refuses(
    () => parseStatement(encodeCbor(new CborTag(18, [protectedBytes, {}, PAYLOAD, new Uint8Array(64)]))),
    'cbor/not-deterministic',
  );
});

test.run();
