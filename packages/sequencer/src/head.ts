import { equalBytes, safeSize } from '@treering/merkle';
import {
  type Ed25519,
  formatCheckpoint,
  formatNote,
  type LogTrust,
  NoteError,
  openCheckpoint,
  type Signer,
} from '@treering/note';
import type { StoredHead } from '@treering/storage';
import { SequencerError } from './errors.js';

/** Signs a committed head with the log's Ed25519 keys, the one in force first, and opens what it signed before anybody sees it. */
export function signHead(
  trust: LogTrust,
  signers: readonly Signer[],
  size: number,
  root: Uint8Array,
  time: number,
  ed25519: Ed25519,
): StoredHead {
  const text = formatCheckpoint({ origin: trust.origin, size: BigInt(size), root, extensions: [] });
  const head: StoredHead = {
    size,
    root,
    time,
    note: formatNote({ text, signatures: signers.map((signer) => signer.sign(text)) }),
  };
  checkHead(trust, head, 'the head just signed', ed25519);
  return head;
}

/**
 * Checks that a stored head is a checkpoint of this log, signed by its key, with the size and root beside it.
 * @throws SequencerError sequencer/wrong-key or sequencer/corrupt
 */
export function checkHead(trust: LogTrust, head: StoredHead, what: string, ed25519: Ed25519): void {
  const { size, root } = openHead(trust, head.note, what, ed25519);
  if (size !== head.size || !equalBytes(root, head.root)) {
    throw new SequencerError(
      'sequencer/corrupt',
      `${what} says size ${head.size} beside a signed note for size ${size}; run "treering fsck"`,
    );
  }
}

/**
 * Opens a signed head of this log.
 * @throws SequencerError sequencer/wrong-key or sequencer/corrupt
 */
export function openHead(
  trust: LogTrust,
  note: Uint8Array,
  what: string,
  ed25519: Ed25519,
): { size: number; root: Uint8Array } {
  try {
    const { checkpoint } = openCheckpoint(note, trust, ed25519);
    return { size: safeSize(checkpoint.size), root: checkpoint.root };
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    const wrongKey = error.code === 'note/no-known-signature' || error.code === 'note/wrong-origin';
    throw new SequencerError(
      wrongKey ? 'sequencer/wrong-key' : 'sequencer/corrupt',
      `${what} was not signed by this log's key for the origin ${trust.origin}: ${error.message}; ` +
        (wrongKey ? 'start with the key and origin that belong to this store' : 'run "treering fsck"'),
      { cause: error },
    );
  }
}
