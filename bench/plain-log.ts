import { nodeHasher } from '@treering/merkle/node';
import { createSigner, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import type { SequencerOptions } from '@treering/sequencer';

/** The key of a log without rules. */
export const plainSigner = createSigner('bench.example/log', KEY_TYPE.ed25519, new Uint8Array(32).fill(7), nodeEd25519);

/** A sequencer that admits everything; its store and its anchor are still to be named. */
export const sequencerOptions: Omit<SequencerOptions<undefined>, 'storage' | 'anchor'> = {
  signer: plainSigner,
  trust: { origin: plainSigner.key.name, logKeys: [plainSigner.key] },
  admission: { admit: () => () => undefined, reload: async () => undefined },
  hasher: nodeHasher,
  ed25519: nodeEd25519,
};
