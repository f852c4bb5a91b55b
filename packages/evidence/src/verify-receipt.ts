import { type Hasher, portableHasher } from '@treering/merkle';
import { type Ed25519, portableEd25519 } from '@treering/note';
import { type ChangeRecord, decodeRecord, RecordError } from '@treering/record';
import {
  type CoseKey,
  coseKeyThumbprint,
  encodeBase64Url,
  HEADER,
  parseReceipt,
  parseSign1,
  parseStatement,
  RECORD_CONTENT_TYPE,
  type Receipt,
  receiptsOf,
  type SignedStatement,
  StatementError,
  verifyReceipt,
} from '@treering/statement';
import type { Claim } from './claim.js';
import { EvidenceError } from './errors.js';

/** What the reader brings along. */
export interface ReceiptTrust {
  /** The logs whose receipts count, with their Ed25519 keys. */
  readonly logs: readonly { readonly origin: string; readonly key: CoseKey }[];
  /** The statement that a receipt is for, when the file is the receipt alone. */
  readonly entry?: Uint8Array;
  readonly hasher?: Hasher;
  readonly ed25519?: Ed25519;
}

/** What a transparent statement or a receipt amounts to. */
export interface ReceiptReport {
  readonly claims: readonly Claim[];
  readonly statement: SignedStatement;
  readonly record: ChangeRecord | undefined;
}

/** The claim that must be proved for a receipt to hold. */
export const REQUIRED_RECEIPT_CLAIMS: readonly string[] = ['registered'];

/** Whether a file is a COSE_Sign1: a transparent statement or a receipt. */
export function isCose(bytes: Uint8Array): boolean {
  return bytes[0] === 0xd2 && bytes[1] === 0x84;
}

/**
 * Verifies a transparent statement (RFC 9943), or a receipt (RFC 9942) beside the statement that it is for. One receipt of a log
 * that the reader trusts suffices; others are reported.
 * @throws EvidenceError when the file is neither
 */
export function verifyCoseReceipt(bytes: Uint8Array, trust: ReceiptTrust): ReceiptReport {
  const { hasher = portableHasher, ed25519 = portableEd25519 } = trust;
  const { statement, receipts } = read(bytes, trust.entry);
  const leaf = hasher.hashLeaf(statement.entry);
  const claims: Claim[] = [];
  const failures: string[] = [];
  let proved: string | undefined;
  for (const item of receipts) {
    const receipt = parsed(item);
    if (receipt instanceof StatementError) {
      claims.push({ name: 'receipt', verdict: 'not proved', text: `A receipt cannot be read: ${receipt.message}.` });
      continue;
    }
    const log = trust.logs.find(({ key }) => receipt.kid !== undefined && same(coseKeyThumbprint(key), receipt.kid));
    if (log === undefined) {
      const kid = receipt.kid === undefined ? 'without key id' : `by the key ${encodeBase64Url(receipt.kid)}`;
      claims.push({ name: 'receipt', verdict: 'not proved', text: `A receipt ${kid} is of no log whose key you gave.` });
      continue;
    }
    try {
      verifyReceipt(receipt, leaf, log.key, { hasher, ed25519 });
      if (receipt.iss !== undefined && receipt.iss !== log.origin)
        failures.push(`it names ${receipt.iss} as its issuer, not ${log.origin}`);
      else if (receipt.sub !== undefined && receipt.sub !== statement.sub)
        failures.push('it is about another subject than the statement');
      else proved = log.origin;
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      failures.push(error.message);
    }
  }
  if (proved !== undefined)
    for (const why of failures)
      claims.push({ name: 'receipt', verdict: 'not proved', text: `Another receipt does not hold: ${why}.` });
  claims.push(registered(proved, failures));
  claims.push({
    name: 'position',
    verdict: 'not proved',
    text: 'A receipt signs neither the place of the statement nor the size of the tree; a checkpoint beside it would (.tlog-proof).',
  });
  return { claims, statement, record: recordOf(statement) };
}

function registered(origin: string | undefined, failures: readonly string[]): Claim {
  const name = 'registered';
  if (origin !== undefined)
    return { name, verdict: 'proved', text: `The log ${origin} signed a tree that holds this statement.` };
  if (failures.length === 0) return { name, verdict: 'not proved', text: 'No receipt of a log whose key you gave is there.' };
  return { name, verdict: 'failed', text: `No receipt holds: ${failures.join('; ')}.` };
}

function parsed(receipt: Uint8Array): Receipt | StatementError {
  try {
    return parseReceipt(receipt);
  } catch (error) {
    if (error instanceof StatementError) return error;
    throw error;
  }
}

function read(
  bytes: Uint8Array,
  entry: Uint8Array | undefined,
): { statement: SignedStatement; receipts: readonly Uint8Array[] } {
  try {
    if (parseSign1(bytes, 'any').unprotectedHeader.has(HEADER.receipts)) {
      return { statement: parseStatement(bytes), receipts: receiptsOf(bytes) };
    }
    parseReceipt(bytes);
    const receipts = [bytes];
    if (entry === undefined)
      throw new EvidenceError(
        'evidence/malformed',
        'this is a receipt; the statement that it is for has to be given beside it',
      );
    return { statement: parseStatement(entry), receipts };
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw new EvidenceError('evidence/malformed', `this is neither a transparent statement nor a receipt: ${error.message}`);
  }
}

function recordOf(statement: SignedStatement): ChangeRecord | undefined {
  if (statement.contentType !== RECORD_CONTENT_TYPE) return undefined;
  try {
    return decodeRecord(statement.payload);
  } catch (error) {
    if (error instanceof RecordError || error instanceof StatementError) return undefined;
    throw error;
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
