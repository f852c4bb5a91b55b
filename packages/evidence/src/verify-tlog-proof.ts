import { type Hasher, MerkleInputError, ProofError, portableHasher, verifyInclusion } from '@treering/merkle';
import {
  type Ed25519,
  NoteError,
  type OpenedCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  portableEd25519,
  requireQuorum,
  type TrustPolicy,
} from '@treering/note';
import { type ChangeRecord, decodeRecord, RecordError } from '@treering/record';
import {
  type CoseKey,
  coseKeyThumbprint,
  encodeBase64Url,
  parseStatement,
  RECORD_CONTENT_TYPE,
  type SignedStatement,
  StatementError,
  verifySign1,
} from '@treering/statement';
import type { Claim } from './claim.js';
import { timeText } from './log-time.js';
import { parseTlogProof } from './tlog-proof.js';

/** What the reader brings along. Nothing of it is ever taken from the file. */
export interface ProofTrust {
  /** Logs, witnesses and quorum (https://c2sp.org/tlog-policy). Any one of the logs suffices. */
  readonly policy: TrustPolicy;
  /** The entry the proof is about; by default the statement that the file carries. */
  readonly entry?: Uint8Array;
  /** Keys that the reader knows to belong to the signer. */
  readonly signerKeys?: readonly CoseKey[];
  readonly hasher?: Hasher;
  readonly ed25519?: Ed25519;
}

/** What a proof file amounts to under the reader's trust. */
export interface ProofReport {
  readonly claims: readonly Claim[];
  readonly index: bigint;
  readonly head: OpenedCheckpoint | undefined;
  readonly statement: SignedStatement | undefined;
  readonly record: ChangeRecord | undefined;
}

/** Claims that must be proved for a proof file to hold. */
export const REQUIRED_CLAIMS: readonly string[] = ['head-signed', 'quorum', 'included'];

/**
 * Verifies a .tlog-proof file offline, in the order of C2SP tlog-proof: leaf hash, origin and log signature, cosignatures under
 * the policy, inclusion. Fails closed: what cannot be checked is `failed` or `not proved`, never `proved`.
 * @throws EvidenceError when the file cannot be read at all
 */
export function verifyTlogProof(bytes: Uint8Array, trust: ProofTrust): ProofReport {
  const { policy, hasher = portableHasher, ed25519 = portableEd25519 } = trust;
  const proof = parseTlogProof(bytes);
  const claims: Claim[] = [];
  const add = (name: string, verdict: Claim['verdict'], text: string): void => {
    claims.push({ name, verdict, text });
  };

  const entry = trust.entry ?? proof.extra;
  const head = openHead(proof.checkpoint, policy, ed25519, add);
  if (head === undefined) {
    add('quorum', 'not proved', 'Without a signed head there is nothing that witnesses could have cosigned.');
    add('included', 'not proved', 'Without a signed head there is no tree to be included in.');
  } else {
    checkQuorum(head, policy, add);
    if (entry === undefined) {
      add('included', 'not proved', 'The file does not carry the entry, and none was given.');
    } else {
      try {
        verifyInclusion(proof.index, head.checkpoint.size, hasher.hashLeaf(entry), proof.hashes, head.checkpoint.root, hasher);
        add(
          'included',
          'proved',
          `The entry is number ${proof.index} of the ${head.checkpoint.size} entries that this head commits to.`,
        );
      } catch (error) {
        if (!(error instanceof ProofError || error instanceof MerkleInputError)) throw error;
        add('included', 'failed', `The entry is not in the tree of this head: ${error.message}.`);
      }
    }
  }
  const content = entry === undefined ? undefined : readStatement(entry, trust, ed25519, add);
  add(
    'logged-completely',
    'not proved',
    'No file can prove that every change was logged; gate, verification routine and attestation exist for that.',
  );
  return { claims, index: proof.index, head, statement: content?.statement, record: content?.record };
}

type Add = (name: string, verdict: Claim['verdict'], text: string) => void;

function openHead(bytes: Uint8Array, policy: TrustPolicy, ed25519: Ed25519, add: Add): OpenedCheckpoint | undefined {
  try {
    const { origin } = parseCheckpoint(parseNote(bytes).text);
    const logKeys = policy.logs.map((log) => log.key).filter((key) => key.name === origin);
    if (logKeys.length === 0) {
      add('head-signed', 'failed', `The head is of a log ${JSON.stringify(origin)}, for which no key is trusted here.`);
      return undefined;
    }
    const head = openCheckpoint(bytes, { origin, logKeys, witnessKeys: policy.witnesses.map((w) => w.key) }, ed25519);
    add('head-signed', 'proved', `The head of ${head.checkpoint.size} entries is signed by the log ${origin}.`);
    return head;
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    add('head-signed', 'failed', `The head does not hold: ${error.message}.`);
    return undefined;
  }
}

function checkQuorum(head: OpenedCheckpoint, policy: TrustPolicy, add: Add): void {
  if (policy.quorum === 'none') {
    add('quorum', 'proved', 'No witness is asked for. The log alone vouches that nobody was shown another history.');
    return;
  }
  try {
    const { witnesses } = requireQuorum(policy, head.cosignatures);
    const times = head.cosignatures.map((c) => c.timestamp ?? 0n).filter((t) => t > 0n);
    const first = times.length === 0 ? '' : `, the first at ${timeText([...times].sort((x, y) => (x < y ? -1 : 1))[0])}`;
    add('quorum', 'proved', `Cosigned by ${witnesses.join(', ')}${first}.`);
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    add('quorum', 'failed', `The witnesses do not suffice: ${error.message}.`);
  }
}

function readStatement(
  entry: Uint8Array,
  trust: ProofTrust,
  ed25519: Ed25519,
  add: Add,
): { statement: SignedStatement; record: ChangeRecord | undefined } | undefined {
  let statement: SignedStatement;
  let record: ChangeRecord | undefined;
  try {
    statement = parseStatement(entry);
    // Anything else is somebody else's format; whose signature holds can be said all the same.
    if (statement.contentType === RECORD_CONTENT_TYPE) record = decodeRecord(statement.payload);
  } catch (error) {
    if (!(error instanceof StatementError || error instanceof RecordError)) throw error;
    add('statement', 'not proved', `The entry is no record that is understood here: ${error.message}.`);
    return undefined;
  }
  const kid = statement.kid === undefined ? 'not given' : encodeBase64Url(statement.kid);
  const named = trust.signerKeys?.find((k) => encodeBase64Url(coseKeyThumbprint(k)) === kid);
  // Foreign statements may name their key in another way: with one key given, that is the one to check.
  const key = named ?? (record === undefined && trust.signerKeys?.length === 1 ? trust.signerKeys[0] : undefined);
  if (key === undefined) {
    add(
      'statement-signed',
      'not proved',
      `The file names ${statement.iss} as signer; to check the signature, give the signer's public key (thumbprint ${kid}).`,
    );
    return { statement, record };
  }
  try {
    verifySign1(statement.sign1, key, { ed25519 });
    add('statement-signed', 'proved', `Signed by ${statement.iss} with a key that you named.`);
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    add('statement-signed', 'failed', `The signature of ${statement.iss} does not hold.`);
  }
  return { statement, record };
}
