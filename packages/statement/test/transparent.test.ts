import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attachReceipts,
  type CborInput,
  CborTag,
  type CborValue,
  createStatementSigner,
  decodeCbor,
  encodeCbor,
  HEADER,
  issueReceipt,
  parseReceipt,
  parseSign1,
  parseStatement,
  readReceipts,
  signStatement,
  verifyReceipt,
} from '../src/index.js';
import { sha256 } from './ec-keys.js';
import { refuses } from './expect-error.js';

const seeded = (seed: number) => createStatementSigner(new Uint8Array(32).fill(seed), nodeEd25519);
const author = seeded(1);
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const claims = { iss: 'https://vendor.example', sub: 'model/wink', iat: 1_767_225_600, contentType: 'text/plain' };
const { entry } = await signStatement(claims, text('Wink 1.8.0 is released.'), author);
const leaf = sha256(Uint8Array.of(0), entry);

/** The receipt of a log in which the statement is the only entry. */
function receiptOf(log: number): Promise<Uint8Array> {
  const about = { iss: `log.test/${log}`, sub: claims.sub };
  return issueReceipt(about, { size: 1, index: 0, path: [] }, leaf, seeded(log));
}
const receipt = await receiptOf(2);

/** The statement with any unprotected header. */
function withHeader(header: CborInput): Uint8Array {
  const { protectedBytes, payload, signature } = parseSign1(entry);
  return encodeCbor(new CborTag(18, [protectedBytes, header, payload, signature]));
}
const carrying = (receipts: CborInput): Uint8Array => withHeader(new Map([[HEADER.receipts, receipts]]));
/** The four parts of a COSE_Sign1 without its tag. */
const partsOf = (bytes: Uint8Array): CborValue[] => (decodeCbor(bytes) as CborTag).value as CborValue[];

test('receipts stand in the unprotected header 394, each as a byte string, and nothing that was signed is touched', async () => {
  const others = [receipt, await receiptOf(3), await receiptOf(4)];
  const transparent = attachReceipts(entry, others);
  const [header, unprotected, payload, signature] = partsOf(transparent);
  assert.equal(
    [header, payload, signature],
    [0, 2, 3].map((i) => partsOf(entry)[i]),
  );
  assert.equal([...(unprotected as Map<number, CborValue>)], [[394, others]]);
  assert.equal(parseStatement(transparent).entry, entry, 'what is logged has no receipts');
});

test('the receipts of several logs are read in their order, and each holds under the key of its log', async () => {
  const logs = [2, 3, 4];
  const receipts = readReceipts(attachReceipts(entry, await Promise.all(logs.map(receiptOf))));
  assert.equal(
    receipts.map(({ iss }) => iss),
    logs.map((log) => `log.test/${log}`),
  );
  for (const [i, log] of logs.entries()) {
    assert.equal(verifyReceipt(receipts[i], leaf, seeded(log).key, { ed25519: nodeEd25519 }), leaf);
    const wrong = seeded(log + 1).key;
    refuses(() => verifyReceipt(receipts[i], leaf, wrong, { ed25519: nodeEd25519 }), 'cose/bad-signature', `log ${log}`);
  }
});

test('what is attached replaces what was there', async () => {
  const before = attachReceipts(entry, [receipt]);
  const other = await receiptOf(3);
  assert.equal(attachReceipts(before, [other]), attachReceipts(entry, [other]));
  assert.is(readReceipts(attachReceipts(before, [other])).length, 1);
});

test('receipts without the byte string around them are read as well', () => {
  assert.equal(readReceipts(carrying([partsOf(receipt)])), [parseReceipt(receipt)]);
});

test('a statement carries one to sixteen receipts', () => {
  assert.is(readReceipts(carrying(new Array(16).fill(receipt))).length, 16);
  for (const count of [0, 17, 100])
    refuses(() => readReceipts(carrying(new Array(count).fill(receipt))), 'receipt/malformed', `${count} receipts`);
});

test('a header that holds no receipts is refused', () => {
  const cases: Record<string, Uint8Array> = {
    'no header': entry,
    'another label': withHeader(new Map([[395, [receipt]]])),
    'the label in text': withHeader(new Map([['394', [receipt]]])),
    'a receipt outside a list': carrying(receipt),
    'a map': carrying(new Map([[0, receipt]])),
    nothing: carrying(null),
    'a number in the list': carrying([1]),
    'text in the list': carrying(['receipt']),
    'a map in the list': carrying([new Map([[1, receipt]])]),
    'nil beside a receipt': carrying([receipt, null]),
    'a list in the list': carrying([[receipt]]),
  };
  for (const [what, bytes] of Object.entries(cases))
    refuses(() => readReceipts(bytes), ['receipt/malformed', 'cose/malformed'], what);
});

test('one bad receipt among good ones is not passed over', () => {
  const cut = receipt.subarray(0, -1);
  const bare = partsOf(receipt);
  const bad: Record<string, CborInput> = {
    'no bytes': new Uint8Array(0),
    'cut off': cut,
    'more behind it': Uint8Array.of(...receipt, 0),
    'without its tag': encodeCbor(bare),
    'the statement itself': entry,
    'three parts': bare.slice(1),
    'a payload of its own': [bare[0], bare[1], leaf, bare[3]],
    'no proof': [bare[0], new Map(), null, bare[3]],
  };
  const codes = ['cbor/malformed', 'cose/malformed', 'cose/unsupported', 'receipt/malformed'] as const;
  for (const [what, item] of Object.entries(bad)) refuses(() => readReceipts(carrying([receipt, item])), codes, what);
});

test('what is no COSE_Sign1 gets no receipts and has none', () => {
  for (const bytes of [
    new Uint8Array(0),
    Uint8Array.of(0xd2),
    encodeCbor('text'),
    encodeCbor(partsOf(entry)),
    entry.subarray(1),
  ]) {
    refuses(() => attachReceipts(bytes, [receipt]), ['cbor/malformed', 'cose/malformed']);
    refuses(() => readReceipts(bytes), ['cbor/malformed', 'cose/malformed']);
  }
});

test.run();
