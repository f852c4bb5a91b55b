import { portableHasher } from '@treering/merkle';
import {
  createSigner,
  formatCheckpoint,
  formatNote,
  formatVerifierKey,
  KEY_TYPE,
  type NoteSignature,
  parsePolicy,
  type Signer,
  type TrustPolicy,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { encodeRecord } from '@treering/record';
import { createStatementSigner, type SignedStatement, type StatementSigner, signStatement } from '@treering/statement';
import { type Claim, formatTlogProof } from '../src/index.js';

export const ORIGIN = 'log.test/evidence';

/** A note signer with a key of its own for each number. */
export function noteSigner(name: string, type: number, seed: number): Signer {
  return createSigner(name, type, new Uint8Array(32).fill(seed), nodeEd25519);
}

export const logSigner = noteSigner(ORIGIN, KEY_TYPE.ed25519, 1);
export const witnesses = [
  noteSigner('w1.test', KEY_TYPE.ed25519Cosignature, 2),
  noteSigner('w2.test', KEY_TYPE.ed25519Cosignature, 3),
] as const;
export const author: StatementSigner = createStatementSigner(new Uint8Array(32).fill(4), nodeEd25519);

/** A policy of our log, our two witnesses, and a quorum line of the test's choice. */
export function policyWith(quorum: string, logs: readonly Signer[] = [logSigner]): TrustPolicy {
  return parsePolicy(
    [
      ...logs.map(({ key }) => `log ${formatVerifierKey(key)}`),
      ...witnesses.map(({ key }) => `witness ${key.name} ${formatVerifierKey(key)}`),
      'group both all w1.test w2.test',
      `quorum ${quorum}`,
      '',
    ].join('\n'),
  );
}

/** A signed approval, with a payload that is no record when `payload` is given. */
export function makeStatement(payload?: Uint8Array): Promise<SignedStatement> {
  const record = encodeRecord({
    v: 1,
    type: 'approval',
    subject: 'model/wink',
    reason: 'The tests approve of this model.',
    target: new Uint8Array(32).fill(7),
    decision: 'approve',
    role: 'approver',
  });
  const claims = { iss: `${ORIGIN}/identity/alice`, sub: 'model/wink', iat: 1_767_225_600 };
  return signStatement(claims, payload ?? record, author);
}

/** What a test proof is made of. */
export interface ProofParts {
  readonly entry: Uint8Array;
  readonly index?: number;
  readonly size?: number;
  readonly extra?: Uint8Array | null;
  readonly origin?: string;
  readonly signer?: Signer;
  /** Signers of cosignature lines. */
  readonly cosigners?: readonly Signer[];
  /** Seconds since the epoch. */
  readonly time?: bigint;
}

/** A proof file for an entry at `index` of a tree of `size` otherwise different leaves. */
export function makeProof(parts: ProofParts): Uint8Array {
  const {
    entry,
    index = 5,
    size = 11,
    origin = ORIGIN,
    signer = logSigner,
    cosigners = witnesses,
    time = 1_767_225_700n,
  } = parts;
  const leaves = Array.from({ length: size }, (_, i) => portableHasher.hashLeaf(i === index ? entry : Uint8Array.of(i)));
  const { root, hashes } = treeOf(leaves, index);
  const text = formatCheckpoint({ origin, size: BigInt(size), root, extensions: [] });
  const signatures: NoteSignature[] = [signer.sign(text), ...cosigners.map((cosigner) => cosigner.sign(text, time))];
  return formatTlogProof({
    extra: parts.extra === null ? undefined : (parts.extra ?? entry),
    index: BigInt(index),
    hashes,
    checkpoint: formatNote({ text, signatures }),
  });
}

/** The naive tree: every node hashed from its leaves, and the siblings on the way from the leaf to the root. */
function treeOf(leaves: readonly Uint8Array[], index: number): { root: Uint8Array; hashes: Uint8Array[] } {
  if (leaves.length === 1) return { root: leaves[0], hashes: [] };
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  const inLeft = index < split;
  const own = inLeft ? treeOf(left, index) : treeOf(right, index - split);
  const other = treeOf(inLeft ? right : left, 0).root;
  const root = inLeft ? portableHasher.hashNode(own.root, other) : portableHasher.hashNode(other, own.root);
  return { root, hashes: [...own.hashes, other] };
}

/** Name and verdict of every claim. */
export function verdicts(claims: readonly Claim[]): Record<string, string> {
  return Object.fromEntries(claims.map(({ name, verdict }) => [name, verdict]));
}
