import { createEd25519Signer, createSigner, KEY_TYPE, type Signer, type SignerKey } from '@treering/note';
import { type HeldEd25519, holdEd25519 } from '@treering/note/node';
import { ALG, type StatementSigner } from '@treering/statement';
import { KeyError } from './errors.js';

/** A private key that is ready to sign, wherever it lives. */
export interface OpenedKey {
  /** The name that goes with it: an identity's id, or a log's origin. */
  readonly name: string;
  /** Signs statements and receipts; undefined for keys that only sign heads. */
  readonly statement: StatementSigner | undefined;
  /** Signs notes; undefined for keys that only sign statements (P-256). */
  readonly note: Signer | undefined;
  /** Gives back what it holds, and wipes what lies in memory: it signs no more. */
  close(): void;
}

/** A key from its seed. No copy of an Ed25519 seed stays in memory of JavaScript: the caller may wipe its own. */
export function openSeed({ name, type, seed }: SignerKey): OpenedKey {
  if (type !== KEY_TYPE.ed25519 && type !== KEY_TYPE.ed25519Cosignature) {
    const note = createSigner(name, type, seed);
    return { name, statement: undefined, note, close: () => note.wipe?.() };
  }
  let held: HeldEd25519 | undefined = holdEd25519(seed);
  const { publicKey } = held;
  const key = (): HeldEd25519 => {
    if (held === undefined) throw new KeyError('key/missing', `the key of ${name} is closed`);
    return held;
  };
  return {
    name,
    // On libuv's thread pool: a log signs one receipt for each entry.
    statement:
      type === KEY_TYPE.ed25519
        ? { algorithm: ALG.eddsa, key: { curve: 'Ed25519', x: publicKey }, sign: (message) => key().signOffThread(message) }
        : undefined,
    note: createEd25519Signer(name, type, publicKey, (message) => key().sign(message)),
    close() {
      held = undefined;
    },
  };
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
