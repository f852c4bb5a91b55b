import { createHash } from 'node:crypto';
import { createSigner, type Ed25519, formatVerifierKey, KEY_TYPE, type LogTrust, parsePolicy } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';

const digest = (message: Uint8Array): Uint8Array => new Uint8Array(createHash('sha512').update(message).digest());

/** Stands for Ed25519 where nobody forges: many thousands of logs sign here. */
export const quickEd25519: Ed25519 = {
  name: 'digest',
  publicKey: (seed) => nodeEd25519.publicKey(seed),
  sign: (_, message) => digest(message),
  verify: (_, message, signature) => Buffer.compare(digest(message), signature) === 0,
};

const seed = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

export const logSigner = createSigner('model.test/log', KEY_TYPE.ed25519, seed(3), quickEd25519);
export const witnessSigners = ['one.test', 'two.test'].map((name, i) =>
  createSigner(name, KEY_TYPE.ed25519Cosignature, seed(4 + i), quickEd25519),
);
/** Both witnesses have to cosign. */
export const policy = parsePolicy(
  [
    ...witnessSigners.map(({ key }, i) => `witness w${i} ${formatVerifierKey(key)}`),
    'group both all w0 w1',
    'quorum both',
    '',
  ].join('\n'),
);
export const trust: LogTrust = { origin: logSigner.key.name, logKeys: [logSigner.key] };
export const witnessedTrust: LogTrust = { ...trust, witnessKeys: witnessSigners.map(({ key }) => key) };
