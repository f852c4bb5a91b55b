import { nodeHasher } from '@treering/merkle/node';
import { createSigner, KEY_TYPE, type LogTrust } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import type { Storage } from '@treering/storage';
import { type HeadAnchor, Sequencer, type SequencerOptions, type Submission } from '../src/index.js';

/** The log's key in these tests. */
export const signer = createSigner('log.test/sequencer', KEY_TYPE.ed25519, new Uint8Array(32).fill(7), nodeEd25519);
export const trust: LogTrust = { origin: 'log.test/sequencer', logKeys: [signer.key] };

/** An anchor in memory; `notes` is all that was ever written, durable or not. */
export function memoryAnchor(
  note: Uint8Array | null = null,
): HeadAnchor & { note: Uint8Array | null; writes: { durable: boolean }[] } {
  const anchor = {
    note,
    writes: [] as { durable: boolean }[],
    read: async () => anchor.note,
    async write(next: Uint8Array, durable: boolean) {
      anchor.note = next;
      anchor.writes.push({ durable });
    },
  };
  return anchor;
}

/** A submission of a short text. Candidates are the texts; those that begin with "refuse" are not admitted. */
export function submission(text: string, topic = 'test'): Submission<string> {
  const bytes = new TextEncoder().encode(text);
  return { bytes, leafHash: nodeHasher.hashLeaf(bytes), topic, candidate: text };
}

/** An admission that remembers what it admitted, in order, and takes it back on request. */
export function recordingAdmission() {
  const admitted: string[] = [];
  const log: string[] = [];
  return {
    admitted,
    log,
    admit(candidate: string, index: number) {
      if (candidate.startsWith('refuse')) throw new Error(`refused: ${candidate}`);
      admitted.push(candidate);
      log.push(`admit ${index} ${candidate}`);
      return () => {
        log.push(`undo ${candidate}`);
        if (admitted.pop() !== candidate) throw new Error('not taken back last in, first out');
      };
    },
    async reload(size: number) {
      log.push(`reload ${size}`);
    },
  };
}

/** Opens a sequencer with what these tests have in common. */
export function open(storage: Storage, options: Partial<SequencerOptions<string>> = {}): Promise<Sequencer<string>> {
  return Sequencer.open({
    storage,
    anchor: memoryAnchor(),
    signer,
    trust,
    admission: recordingAdmission(),
    hasher: nodeHasher,
    ed25519: nodeEd25519,
    ...options,
  });
}

/** The error with which a promise is rejected. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error('it was not rejected');
}
