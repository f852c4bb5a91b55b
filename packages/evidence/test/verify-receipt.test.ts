import { rootFromInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { nodeEd25519 } from '@treering/note/node';
import {
  attachReceipts,
  type CborInput,
  CborTag,
  createStatementSigner,
  encodeCbor,
  HEADER,
  issueReceipt,
  parseReceipt,
  parseSign1,
  type ReceiptProof,
} from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes } from '../../../test/vectors.js';
import {
  EvidenceError,
  holds,
  isCose,
  REQUIRED_RECEIPT_CLAIMS,
  type ReceiptReport,
  type ReceiptTrust,
  verifyCoseReceipt,
} from '../src/index.js';
import { makeStatement, ORIGIN, verdicts } from './fixture.js';

const own = createStatementSigner(new Uint8Array(32).fill(1), nodeEd25519);
const foreign = createStatementSigner(new Uint8Array(32).fill(8), nodeEd25519);
const FOREIGN = 'log.test/other';
const means = { hasher: nodeHasher, ed25519: nodeEd25519 };
const trust: ReceiptTrust = { logs: [{ origin: ORIGIN, key: own.key }], ...means };
const statement = await makeStatement();
const { entry } = statement;

/** The five leaves of the test log, the statement at `index`; only places on the right edge and at the left end are used. */
function treeWith(index: 0 | 4): { proof: ReceiptProof; root: Uint8Array } {
  const leaves = Array.from({ length: 5 }, (_, i) => nodeHasher.hashLeaf(i === index ? entry : Uint8Array.of(i)));
  const [a, b] = [nodeHasher.hashNode(leaves[0], leaves[1]), nodeHasher.hashNode(leaves[2], leaves[3])];
  const left = nodeHasher.hashNode(a, b);
  const path = index === 4 ? [left] : [leaves[1], b, leaves[4]];
  return { proof: { size: 5, index, path }, root: nodeHasher.hashNode(left, leaves[4]) };
}

interface Parts {
  readonly signer?: typeof own;
  readonly iss?: string;
  readonly sub?: string;
  readonly index?: 0 | 4;
}

/** A receipt as the product's own logs issue it. */
function receipt({ signer = own, iss = ORIGIN, sub = statement.sub, index = 0 }: Parts = {}): Promise<Uint8Array> {
  const { proof, root } = treeWith(index);
  return issueReceipt({ iss, sub }, proof, root, signer);
}

const other = await receipt({ signer: foreign, iss: FOREIGN });
const good = await receipt();
const transparent = attachReceipts(entry, [good]);
const held = ({ claims }: ReceiptReport): boolean => holds(claims, REQUIRED_RECEIPT_CLAIMS);
const of = (bytes: Uint8Array, name: string, by: ReceiptTrust = trust) =>
  verifyCoseReceipt(bytes, by).claims.find((claim) => claim.name === name);

/** Fails unless the report says that no receipt holds, and gives the reason. */
function doesNotHold(bytes: Uint8Array, by: ReceiptTrust, verdict: 'failed' | 'not proved', reason: RegExp): void {
  const report = verifyCoseReceipt(bytes, by);
  assert.not(held(report));
  const claim = report.claims.find(({ name }) => name === 'registered');
  assert.is(claim?.verdict, verdict, claim?.text);
  assert.match(claim?.text ?? '', reason);
}

function malformed(bytes: Uint8Array, by: ReceiptTrust, what: string): void {
  try {
    verifyCoseReceipt(bytes, by);
  } catch (error) {
    if (!(error instanceof EvidenceError)) assert.unreachable(`${what} threw ${error}`);
    assert.is((error as EvidenceError).code, 'evidence/malformed', what);
    return;
  }
  assert.unreachable(`${what} was read`);
}

test('a receipt must prove that the statement is registered, and nothing else', () => {
  assert.equal(REQUIRED_RECEIPT_CLAIMS, ['registered']);
});

test('a COSE_Sign1 is told by its tag', async () => {
  for (const bytes of [good, entry, transparent]) assert.ok(isCose(bytes));
  const text = new TextEncoder().encode('c2sp.org/tlog-proof@v1\n');
  for (const bytes of [text, new Uint8Array(0), Uint8Array.of(0xd2), Uint8Array.of(0xd2, 0x83), good.subarray(1)])
    assert.not(isCose(bytes));
});

test('a receipt in the statement or beside it proves that the log holds the statement', async () => {
  for (const index of [0, 4] as const) {
    const bytes = await receipt({ index });
    for (const report of [
      verifyCoseReceipt(attachReceipts(entry, [bytes]), trust),
      verifyCoseReceipt(bytes, { ...trust, entry }),
      verifyCoseReceipt(bytes, { ...trust, entry: transparent }),
    ]) {
      assert.ok(held(report));
      assert.equal(verdicts(report.claims), { registered: 'proved', position: 'not proved' });
      assert.match(report.claims[0].text, /\blog\.test\/evidence\b/);
      assert.equal(report.statement.entry, entry);
      assert.is(report.record?.type, 'approval');
    }
  }
});

test('it verifies with the portable means, too', () => {
  assert.ok(held(verifyCoseReceipt(transparent, { logs: trust.logs })));
});

test('a payload that is no record is registered like any other, and read as none', async () => {
  const { entry: odd, sub } = await makeStatement(new TextEncoder().encode('not a record'));
  const leaf = nodeHasher.hashLeaf(odd);
  const bytes = await issueReceipt({ iss: ORIGIN, sub }, { size: 1, index: 0, path: [] }, leaf, own);
  const report = verifyCoseReceipt(attachReceipts(odd, [bytes]), trust);
  assert.ok(held(report));
  assert.is(report.record, undefined);
});

test('a flipped byte anywhere is refused, but in the tree size, which no receipt signs', () => {
  const cases: [string, Uint8Array, ReceiptTrust][] = [
    ['transparent statement', transparent, trust],
    ['receipt', good, { ...trust, entry }],
  ];
  for (const [what, bytes, by] of cases) {
    const sizeAt = Buffer.from(bytes).indexOf(Buffer.from('83050083', 'hex')) + 1;
    assert.is(bytes[sizeAt], 5);
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [0x01, 0x02, 0x10, 0x80, 0xff]) {
        const changed = bytes.slice();
        changed[at] ^= mask;
        try {
          if (held(verifyCoseReceipt(changed, by))) assert.is(at, sizeAt, `${what}: byte ${at} ^ ${mask} was accepted`);
        } catch (error) {
          if (!(error instanceof EvidenceError)) throw error;
        }
      }
    }
  }
});

test('a change of the statement beside the receipt is found', () => {
  for (let at = 0; at < entry.length; at++) {
    const changed = entry.slice();
    changed[at] ^= 1;
    try {
      assert.not(held(verifyCoseReceipt(good, { ...trust, entry: changed })), `byte ${at}`);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
    }
  }
});

test('a receipt of a log whose key the reader did not give proves nothing', () => {
  const stranger = { ...trust, logs: [{ origin: FOREIGN, key: foreign.key }] };
  doesNotHold(transparent, stranger, 'not proved', /whose key you gave/);
  assert.is(of(transparent, 'receipt', stranger)?.verdict, 'not proved');
  doesNotHold(transparent, { ...trust, logs: [] }, 'not proved', /whose key you gave/);
  doesNotHold(attachReceipts(entry, [other]), trust, 'not proved', /whose key you gave/);
});

test('a signature by another key under the id of a trusted one fails', async () => {
  const posing = await receipt({ signer: { ...foreign, key: own.key } });
  doesNotHold(attachReceipts(entry, [posing]), trust, 'failed', /signature/);
});

test('a receipt for another entry, another subject or another log fails', async () => {
  const { entry: second } = await makeStatement(new Uint8Array(3));
  doesNotHold(good, { ...trust, entry: second }, 'failed', /signature/);
  const cases: [Parts, RegExp][] = [
    [{ sub: 'model/other' }, /another subject/],
    [{ iss: FOREIGN }, /log\.test\/other/],
  ];
  for (const [parts, reason] of cases) doesNotHold(attachReceipts(entry, [await receipt(parts)]), trust, 'failed', reason);
});

test('one receipt of a trusted log suffices, wherever it stands, and the others are reported', () => {
  for (const receipts of [
    [other, good],
    [good, other],
  ]) {
    const { claims } = verifyCoseReceipt(attachReceipts(entry, receipts), trust);
    assert.ok(holds(claims, REQUIRED_RECEIPT_CLAIMS));
    assert.equal(verdicts(claims), { receipt: 'not proved', registered: 'proved', position: 'not proved' });
  }
  const both = { ...trust, logs: [...trust.logs, { origin: FOREIGN, key: foreign.key }] };
  assert.ok(held(verifyCoseReceipt(attachReceipts(entry, [other, good]), both)));
});

test('a receipt over another data structure is reported beside one that holds', () => {
  const header = encodeCbor(
    new Map<number, CborInput>([
      [1, -8],
      [4, new Uint8Array(32)],
      [HEADER.verifiableDataStructure, 2],
    ]),
  );
  const ccf = encodeCbor(new CborTag(18, [header, new Map(), null, new Uint8Array(64)]));
  assert.ok(held(verifyCoseReceipt(attachReceipts(entry, [good, ccf]), trust)));
});

test('a receipt that cannot be read proves nothing, and does not keep another from being read', () => {
  const cut = good.subarray(0, -1);
  doesNotHold(attachReceipts(entry, [cut]), trust, 'not proved', /whose key you gave/);
  assert.match(of(attachReceipts(entry, [cut, good]), 'receipt')?.text ?? '', /cannot be read/);
  assert.ok(held(verifyCoseReceipt(attachReceipts(entry, [cut, good]), trust)));
});

test('what is proved names no index that anybody can change: the same path leads to the root from another place', async () => {
  const { protectedBytes, signature } = parseSign1(await receipt({ index: 4 }));
  const { proof } = treeWith(4);
  const moved = encodeCbor(
    new CborTag(18, [
      protectedBytes,
      new Map([[HEADER.verifiableDataProofs, new Map([[-1, [encodeCbor([2, 1, proof.path])]]])]]),
      null,
      signature,
    ]),
  );
  const claim = of(attachReceipts(entry, [moved]), 'registered');
  assert.not(claim?.verdict === 'proved' && /\b1\b/.test(claim.text), claim?.text);
});

test('a receipt alone, a statement without receipts, and anything else is told to be unreadable', () => {
  const cases: Record<string, Uint8Array> = {
    'a receipt without its statement': good,
    'a statement without receipts': entry,
    nothing: new Uint8Array(0),
    'no COSE': new TextEncoder().encode('c2sp.org/tlog-proof@v1\n'),
    'cut off': transparent.subarray(0, -1),
    'more behind it': Uint8Array.of(...transparent, 0),
    'an empty list of receipts': attachReceipts(entry, []),
    'receipts around a receipt': attachReceipts(good, [good]),
  };
  for (const [what, bytes] of Object.entries(cases)) malformed(bytes, trust, what);
  malformed(good, { ...trust, entry: new Uint8Array(3) }, 'a receipt beside no statement');
});

if (haveVectors) {
  test('the inclusion receipt of the COSE receipts draft is read, and proves nothing without its key', () => {
    const bytes = vectorBytes('cose-receipts-draft/inclusion-receipt.cbor');
    assert.ok(isCose(bytes));
    const { kid, proof } = parseReceipt(bytes);
    doesNotHold(bytes, { ...trust, entry }, 'not proved', /whose key you gave/);
    assert.match(of(bytes, 'receipt', { ...trust, entry })?.text ?? '', /dGVzdC1rZXktMQ/);
    assert.is(new TextDecoder().decode(kid), 'test-key-1');
    const leaf = Buffer.from('987ba8093cabe31046a77bbe9aa4b5f62675d943386c7fbbe249cbaca5da242d', 'hex');
    const root = rootFromInclusion(proof.index, proof.size, new Uint8Array(leaf), proof.path, nodeHasher);
    assert.is(Buffer.from(root).toString('hex'), '895731b5a570ea1967dd7804b5f43146175f9ac87d1565985de3ecf09c98589c');
  });
}

test.run();
