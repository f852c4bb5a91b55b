import { createHash } from 'node:crypto';
import {
  encodeUtf8,
  formatAddCheckpoint,
  formatCheckpoint,
  formatNote,
  formatSignSubtree,
  KEY_TYPE,
  type NoteSignature,
  type Signer,
} from '@treering/note';
import { ReferenceTree, referenceLeaf } from '../../../packages/merkle/test/reference.js';
import { signerOf } from './fixture.js';

/** What a test may get wrong about a head. */
export interface HeadOptions {
  readonly root?: Uint8Array;
  readonly extensions?: readonly string[];
  /** Instead of the log's own. */
  readonly signers?: readonly Signer[];
  /** Further lines. */
  readonly lines?: readonly NoteSignature[];
}

/** Leaves that depend on the salt from number `common` on: logs that differ in it fork there. */
export function leavesOf(count: number, salt = '', common = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => referenceLeaf(encodeUtf8(`${i < common ? '' : salt}${i}`)));
}

/** A log with a naive tree, which signs whatever it is told to. */
export class TestLog {
  readonly origin: string;
  readonly signer: Signer;
  readonly tree: ReferenceTree;

  constructor(
    origin = 'log.test/one',
    leaves: readonly Uint8Array[] = leavesOf(300),
    signer = signerOf(origin, KEY_TYPE.ed25519, 0x11),
  ) {
    this.origin = origin;
    this.signer = signer;
    this.tree = new ReferenceTree(leaves);
  }

  /** A signed head. */
  head(size: number | bigint, { root, extensions = [], signers = [this.signer], lines = [] }: HeadOptions = {}): Uint8Array {
    const text = formatCheckpoint({
      origin: this.origin,
      size: BigInt(size),
      root: root ?? this.tree.root(Number(size)),
      extensions,
    });
    return formatNote({ text, signatures: [...signers.map((signer) => signer.sign(text, 1n)), ...lines] });
  }

  proof(oldSize: number, size: number): Uint8Array[] {
    return oldSize === 0 || oldSize > size ? [] : this.tree.consistency(oldSize, size);
  }

  /** A request to go from one size to another. */
  add(oldSize: number, size: number, options: HeadOptions = {}): Uint8Array {
    const checkpoint = this.head(size, options);
    return formatAddCheckpoint({ oldSize: BigInt(oldSize), proof: this.proof(oldSize, size), checkpoint });
  }

  /** A request to cosign leaves [start, end), with a head that the witness has cosigned. */
  subtree(start: number, end: number, size: number, checkpoint: Uint8Array): Uint8Array {
    const proof = start === end ? [] : this.tree.subtreeConsistency(start, end, size);
    return formatSignSubtree({ start: BigInt(start), end: BigInt(end), hash: this.tree.hash(start, end), proof, checkpoint });
  }
}

/** The path of a log in the monitoring interface, by node:crypto alone. */
export function monitoringPath(origin: string): string {
  return `/${createHash('sha256').update(origin).digest('hex')}/checkpoint`;
}

/** A head with the cosignature lines of an answer behind its own. */
export function withLines(head: Uint8Array, lines: string): Uint8Array {
  return encodeUtf8(new TextDecoder().decode(head) + lines);
}
