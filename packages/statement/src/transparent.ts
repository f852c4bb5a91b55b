import { encodeCbor } from './cbor.js';
import { CborTag, type CborValue } from './cbor-value.js';
import { StatementError } from './errors.js';
import { parseReceipt, type Receipt } from './receipt.js';
import { formatSign1, HEADER, parseSign1 } from './sign1.js';

/** Receipts in one statement. */
const MOST_RECEIPTS = 16;

/**
 * A transparent statement (RFC 9943 section 4.3): the signed statement with receipts in its unprotected header 394, each a byte
 * string (RFC 9942 section 4). What was signed stays byte for byte.
 * @throws StatementError when the statement is no COSE_Sign1
 */
export function attachReceipts(statement: Uint8Array, receipts: readonly Uint8Array[]): Uint8Array {
  const message = parseSign1(statement, 'any');
  return formatSign1({ ...message, unprotectedHeader: new Map<number, CborValue>([[HEADER.receipts, receipts]]) });
}

/**
 * The receipts of a transparent statement, unverified. Receipts that stand there without the byte string around them are
 * read as well.
 * @throws StatementError receipt/malformed or a cbor or cose code
 */
export function readReceipts(transparent: Uint8Array): Receipt[] {
  return receiptsOf(transparent).map(parseReceipt);
}

/**
 * The receipts of a transparent statement as bytes, each a COSE_Sign1 or what stands in its place: one that cannot be read need
 * not keep the others from being read.
 * @throws StatementError receipt/malformed or a cbor or cose code
 */
export function receiptsOf(transparent: Uint8Array): Uint8Array[] {
  const list = parseSign1(transparent, 'any').unprotectedHeader.get(HEADER.receipts);
  if (!Array.isArray(list) || list.length === 0 || list.length > MOST_RECEIPTS)
    throw new StatementError(
      'receipt/malformed',
      `a transparent statement carries 1 to ${MOST_RECEIPTS} receipts in header 394`,
    );
  return (list as readonly CborValue[]).map((item) => {
    if (item instanceof Uint8Array) return item;
    if (Array.isArray(item)) return encodeCbor(new CborTag(18, item as readonly CborValue[]));
    throw new StatementError('receipt/malformed', 'a receipt is a byte string or a COSE_Sign1');
  });
}
