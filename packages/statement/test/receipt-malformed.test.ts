import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CborInput, CborTag, type CborValue, encodeCbor, parseReceipt } from '../src/index.js';
import { fromHex, toHex } from './cbor-values.js';
import { refuses } from './expect-error.js';

const HASH = new Uint8Array(32).fill(1);

/** A receipt with the given parts, not signed: parsing does not look at the signature. */
function receiptOf(
  parts: { header?: [number | string, CborInput][]; unprotected?: CborInput; payload?: CborInput } = {},
): Uint8Array {
  const {
    header = [
      [1, -8],
      [395, 1],
    ],
    unprotected = proofs(encodeCbor([1, 0, []])),
    payload = null,
  } = parts;
  return encodeCbor(new CborTag(18, [encodeCbor(new Map(header)), unprotected, payload, new Uint8Array(64)]));
}

function proofs(...inclusion: CborInput[]): CborInput {
  return new Map([[396, new Map([[-1, inclusion]])]]);
}

test('what the tests below change is otherwise valid', () => {
  assert.equal(parseReceipt(receiptOf()).proof, { size: 1, index: 0, path: [] });
});

test('a receipt or a proof of very many items is refused before they are read', () => {
  const many = (count: number): CborInput => Array.from({ length: count }, () => []);
  for (const [bytes, items] of [
    [receiptOf({ unprotected: new Map([[396, many(70_000)]]) }), 65_535],
    [receiptOf({ unprotected: proofs(encodeCbor([1, 0, many(100)])) }), 68],
  ] as const) {
    assert.throws(
      () => parseReceipt(bytes),
      (error: Error & { code?: string }) =>
        error.code === 'cbor/not-in-profile' && error.message.includes(`more than ${items} items`),
    );
  }
});

test('receipts over other data structures are refused', () => {
  for (const vds of [0, 2, 3, -1, '1', null, [1], Uint8Array.of(1)]) {
    refuses(
      () =>
        parseReceipt(
          receiptOf({
            header: [
              [1, -8],
              [395, vds],
            ],
          }),
        ),
      'cose/unsupported',
      `vds ${vds}`,
    );
  }
  refuses(() => parseReceipt(receiptOf({ header: [[1, -8]] })), 'cose/unsupported', 'none');
  const unprotected = new Map<number, CborInput>([
    [395, 1],
    [396, new Map([[-1, [encodeCbor([1, 0, []])]]])],
  ]);
  refuses(() => parseReceipt(receiptOf({ header: [[1, -8]], unprotected })), 'cose/unsupported', 'one that is not protected');
});

test('labels from before their registration are refused', () => {
  refuses(
    () =>
      parseReceipt(
        receiptOf({
          header: [
            [1, -8],
            [-111, 1],
          ],
        }),
      ),
    'cose/unsupported',
    '-111 for 395',
  );
  refuses(
    () => parseReceipt(receiptOf({ unprotected: new Map([[-222, new Map([[-1, [encodeCbor([1, 0, []])]]])]]) })),
    'receipt/malformed',
    '-222 for 396',
  );
});

test('a payload that is attached is refused', () => {
  for (const payload of [HASH, new Uint8Array(0)])
    refuses(() => parseReceipt(receiptOf({ payload })), 'receipt/malformed', `${payload.length} bytes`);
});

test('a receipt without exactly one inclusion proof is refused', () => {
  const good = encodeCbor([1, 0, []]);
  const cases: [string, CborInput][] = [
    ['no proofs', {}],
    ['proofs that are a list', new Map([[396, [good]]])],
    ['proofs in bytes', new Map([[396, encodeCbor(new Map([[-1, [good]]]))]])],
    ['a consistency proof alone', new Map([[396, new Map([[-2, [good]]])]])],
    ['an inclusion proof outside a list', new Map([[396, new Map([[-1, good]])]])],
    ['an empty list', proofs()],
    ['two proofs', proofs(good, good)],
    ['a proof that is not wrapped in bytes', proofs([1, 0, []])],
    ['a proof that is text', proofs('proof')],
  ];
  for (const [what, unprotected] of cases) refuses(() => parseReceipt(receiptOf({ unprotected })), 'receipt/malformed', what);
});

test('malformed proofs are refused', () => {
  const cases: [string, CborInput][] = [
    ['a map', {}],
    ['two members', [1, 0]],
    ['four members', [1, 0, [], 0]],
    ['a negative size', [-1, 0, []]],
    ['a negative index', [1, -1, []]],
    ['a size in text', ['1', 0, []]],
    ['an index of nil', [1, null, []]],
    ['a path that is a map', [1, 0, {}]],
    ['a path that is bytes', [2, 0, HASH]],
    ['a hash in text', [2, 0, [toHex(HASH)]]],
    ['a hash of 31 bytes', [2, 0, [HASH.subarray(1)]]],
    ['a hash of 33 bytes', [2, 0, [new Uint8Array(33)]]],
    ['an empty hash', [2, 0, [new Uint8Array(0)]]],
    ['a path of 64 hashes', [2 ** 53 - 1, 0, new Array(64).fill(HASH) as CborValue[]]],
  ];
  for (const [what, proof] of cases)
    refuses(() => parseReceipt(receiptOf({ unprotected: proofs(encodeCbor(proof)) })), 'receipt/malformed', what);
  const raw: [string, string][] = [
    ['nothing', ''],
    ['two items', '83010080 00'],
    ['a tag', 'd2 83010080'],
    ['a float size', '83 f93c00 00 80'],
    ['a size of 2^64 - 1', '83 1bffffffffffffffff 00 80'],
    ['an indefinite path', '83 01 00 9fff'],
  ];
  for (const [what, hex] of raw) {
    refuses(
      () => parseReceipt(receiptOf({ unprotected: proofs(fromHex(hex)) })),
      ['cbor/malformed', 'cbor/not-in-profile', 'cbor/not-deterministic'],
      what,
    );
  }
});

test('receipts that are no COSE_Sign1 are refused', () => {
  for (const hex of ['', 'd2', 'd280', 'a0', 'd28440a0f640', `d28443a10127a0f6`]) {
    refuses(() => parseReceipt(fromHex(hex)), ['cbor/malformed', 'cose/malformed', 'cose/unsupported'], hex);
  }
});

test.run();
