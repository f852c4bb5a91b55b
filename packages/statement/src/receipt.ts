import { equalBytes, type Hasher, MerkleInputError, ProofError, portableHasher, rootFromInclusion } from '@treering/merkle';
import { concatBytes, type Ed25519 } from '@treering/note';
import { cborHead, decodeCbor, encodeCbor } from './cbor.js';
import type { CborInput, CborValue } from './cbor-value.js';
import { type CoseKey, coseKeyThumbprint } from './cose-key.js';
import { StatementError } from './errors.js';
import { HEADER, parseSign1, type Sign1, type StatementSigner, sigStructure, verifySign1 } from './sign1.js';

/*
 * COSE receipts, RFC 9942, for the verifiable data structure RFC9162_SHA256 (1):
 *
 *   18([ << {1: alg, 4: kid, 15: {1: iss, 2: sub}, 395: 1} >>,
 *        {396: {-1: [ << [tree size, leaf index, [hash, ...]] >> ]}},
 *        nil,                                    the payload, detached, is the root
 *        signature ])
 */

const RFC9162_SHA256 = 1;
const INCLUSION = -1;

/** An inclusion proof as a receipt carries it. */
export interface ReceiptProof {
  /** Number of leaves. Not signed by the receipt: pair it with a checkpoint. */
  readonly size: number;
  readonly index: number;
  /** Hashes of 32 bytes, leaf to root. */
  readonly path: readonly Uint8Array[];
}

/** A receipt that nobody has checked yet. */
export interface Receipt {
  readonly sign1: Sign1;
  readonly iss: string | undefined;
  readonly sub: string | undefined;
  readonly kid: Uint8Array | undefined;
  readonly proof: ReceiptProof;
}

/** Subjects of which an issuer remembers the signature under the newest root. */
const REMEMBERED = 4096;

/** Issues receipts of one log: its signature over a root, with the path that leads there. */
export class ReceiptIssuer {
  readonly #iss: string;
  readonly #signer: StatementSigner;
  /** The root of the newest receipt, and by subject what was signed under it: all entries of one commit have one root. */
  #root: Uint8Array | undefined;
  readonly #signed = new Map<string, Promise<Signed>>();

  /** @param iss the log's origin */
  constructor(iss: string, signer: StatementSigner) {
    this.#iss = iss;
    this.#signer = signer;
  }

  /**
   * A receipt of an entry.
   * @param sub subject of the entry
   * @param root 32 bytes
   */
  async issue(sub: string, proof: ReceiptProof, root: Uint8Array): Promise<Uint8Array> {
    if (this.#root === undefined || !equalBytes(this.#root, root)) {
      this.#root = root.slice();
      this.#signed.clear();
    }
    let signed = this.#signed.get(sub);
    if (signed === undefined) {
      signed = this.#sign(sub, root);
      if (this.#signed.size < REMEMBERED) this.#signed.set(sub, signed);
    }
    const { protectedBytes, signature } = await signed.catch((error) => {
      // Another attempt may succeed: the key may be elsewhere.
      this.#signed.delete(sub);
      throw error;
    });
    // Every entry gets a receipt, so its fixed frame is written as bytes: tag 18, an array of four, a map from 396 to a map from -1 to
    // an array of one proof; and nil for the payload.
    const inclusion = formatProof(proof);
    return concatBytes(
      Uint8Array.of(0xd2, 0x84),
      ...[cborHead(2, protectedBytes.length), protectedBytes],
      Uint8Array.of(0xa1, 0x19, 0x01, 0x8c, 0xa1, 0x20, 0x81),
      ...[cborHead(2, inclusion.length), inclusion],
      Uint8Array.of(0xf6),
      ...[cborHead(2, signature.length), signature],
    );
  }

  async #sign(sub: string, root: Uint8Array): Promise<Signed> {
    const header: [number, CborInput][] = [
      [HEADER.algorithm, this.#signer.algorithm],
      [HEADER.keyId, coseKeyThumbprint(this.#signer.key)],
      [
        HEADER.cwtClaims,
        new Map([
          [1, this.#iss],
          [2, sub],
        ]),
      ],
      [HEADER.verifiableDataStructure, RFC9162_SHA256],
    ];
    const protectedBytes = encodeCbor(new Map(header));
    return { protectedBytes, signature: await this.#signer.sign(sigStructure(protectedBytes, root)) };
  }
}

/** What is the same in all receipts of a subject under one root. */
interface Signed {
  readonly protectedBytes: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Issues one receipt: the log's signature over the root, with the path that leads to it.
 * @param root 32 bytes
 */
export function issueReceipt(
  claims: { iss: string; sub: string },
  proof: ReceiptProof,
  root: Uint8Array,
  signer: StatementSigner,
): Promise<Uint8Array> {
  return new ReceiptIssuer(claims.iss, signer).issue(claims.sub, proof, root);
}

/** [tree size, leaf index, [hash, ...]] */
function formatProof({ size, index, path }: ReceiptProof): Uint8Array {
  const head = cborHead(2, 32);
  const hashes = path.flatMap((hash) => [head, hash]);
  return concatBytes(Uint8Array.of(0x83), cborHead(0, size), cborHead(0, index), cborHead(4, path.length), ...hashes);
}

/**
 * Reads a receipt with one inclusion proof. Receipts of other issuers may have their maps in another order.
 * @throws StatementError receipt/malformed, cose/unsupported for another data structure, or a cbor or cose code
 */
export function parseReceipt(bytes: Uint8Array): Receipt {
  const sign1 = parseSign1(bytes, 'any');
  const structure = sign1.protectedHeader.get(HEADER.verifiableDataStructure);
  if (structure !== RFC9162_SHA256) {
    throw new StatementError(
      'cose/unsupported',
      `verifiable data structure ${String(structure)} is not read here, only RFC9162_SHA256 (1)`,
    );
  }
  if (!sign1.protectedHeader.has(HEADER.algorithm))
    throw new StatementError('receipt/malformed', 'the receipt does not protect its algorithm');
  if (sign1.payload !== null) throw new StatementError('receipt/malformed', 'the payload of an inclusion receipt is detached');
  const proofs = sign1.unprotectedHeader.get(HEADER.verifiableDataProofs);
  const list = proofs instanceof Map ? proofs.get(INCLUSION) : undefined;
  if (!Array.isArray(list) || list.length !== 1 || !(list[0] instanceof Uint8Array)) {
    throw new StatementError('receipt/malformed', 'the receipt does not carry exactly one inclusion proof');
  }
  const claims = sign1.protectedHeader.get(HEADER.cwtClaims);
  const claim = (label: number): string | undefined => {
    const value = claims instanceof Map ? claims.get(label) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  const kid = sign1.protectedHeader.get(HEADER.keyId);
  return { sign1, iss: claim(1), sub: claim(2), kid: kid instanceof Uint8Array ? kid : undefined, proof: readProof(list[0]) };
}

/** The list with its three members, and as many hashes as are not read any more: what has more is malformed in any case. */
const PROOF_ITEMS = 4 + 64;

function readProof(bytes: Uint8Array): ReceiptProof {
  const value = decodeCbor(bytes, { tags: [], items: PROOF_ITEMS });
  const [size, index, path] = Array.isArray(value) && value.length === 3 ? (value as CborValue[]) : [];
  const hashes = Array.isArray(path) ? (path as CborValue[]) : undefined;
  if (
    typeof size !== 'number' ||
    typeof index !== 'number' ||
    size < 0 ||
    index < 0 ||
    hashes === undefined ||
    hashes.length > 63
  ) {
    throw new StatementError('receipt/malformed', 'an inclusion proof is [tree size, leaf index, [hashes]]');
  }
  for (const hash of hashes) {
    if (!(hash instanceof Uint8Array) || hash.length !== 32)
      throw new StatementError('receipt/malformed', 'a hash in the proof has 32 bytes');
  }
  return { size, index, path: hashes as Uint8Array[] };
}

/**
 * Verifies a receipt for an entry under the log's key, and returns the root that it signs.
 * The tree size is not covered by the signature: compare root and size with a checkpoint before trusting either.
 * @param leafHash RFC 6962 leaf hash of the entry, 32 bytes
 * @throws StatementError receipt/proof-failed or cose/bad-signature
 */
export function verifyReceipt(
  receipt: Receipt,
  leafHash: Uint8Array,
  logKey: CoseKey,
  options: { hasher?: Hasher; ed25519?: Ed25519 } = {},
): Uint8Array {
  const { size, index, path } = receipt.proof;
  let root: Uint8Array;
  try {
    root = rootFromInclusion(index, size, leafHash, path, options.hasher ?? portableHasher);
  } catch (error) {
    if (error instanceof ProofError || error instanceof MerkleInputError)
      throw new StatementError('receipt/proof-failed', error.message);
    throw error;
  }
  verifySign1(receipt.sign1, logKey, { detached: root, ed25519: options.ed25519 });
  return root;
}
