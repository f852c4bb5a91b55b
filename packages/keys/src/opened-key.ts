import { createSigner, KEY_TYPE, type Signer, type SignerKey } from '@treering/note';
import { nodeEd25519, signEd25519OffThread } from '@treering/note/node';
import { createStatementSigner, type StatementSigner } from '@treering/statement';
import { KeyError } from './errors.js';

/** A private key that is ready to sign, wherever it lives. */
export interface OpenedKey {
  /** The name that goes with it: an identity's id, or a log's origin. */
  readonly name: string;
  /** Signs statements and receipts; undefined for keys that only sign heads. */
  readonly statement: StatementSigner | undefined;
  /** Signs notes; undefined for keys that only sign statements (P-256). */
  readonly note: Signer | undefined;
  /** Gives back what it holds: sessions, copies in memory. */
  close(): void;
}

/** A key whose seed is in memory. */
export function openSeed({ name, type, seed }: SignerKey): OpenedKey {
  return {
    name,
    statement: type === KEY_TYPE.ed25519 ? offThread(seed) : undefined,
    note: createSigner(name, type, seed, nodeEd25519),
    close: () => undefined,
  };
}

/** Statements and receipts are signed on libuv's thread pool: a log signs one receipt for each entry. */
function offThread(seed: Uint8Array): StatementSigner {
  const signer = createStatementSigner(seed, nodeEd25519);
  return { ...signer, sign: (message) => signEd25519OffThread(seed, message) };
}

/** The statement signer of a key. @throws KeyError (key/unsupported) */
export function requireStatementSigner({ name, statement }: OpenedKey): StatementSigner {
  if (statement === undefined) throw new KeyError('key/unsupported', `the key of ${name} signs no statements`);
  return statement;
}

/** The note signer of a key. @throws KeyError (key/unsupported) */
export function requireNoteSigner({ name, note }: OpenedKey): Signer {
  if (note === undefined)
    throw new KeyError('key/unsupported', `the key of ${name} signs no heads: those take Ed25519 or ML-DSA-44`);
  return note;
}
