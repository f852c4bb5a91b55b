export { readKeyFile, readSecretFile, writeKeyFile, writeSecretFile } from './key-file.js';
export { nodeEd25519, signEd25519OffThread, verifyEd25519OffThread } from './native-ed25519.js';
export { SignatureThread, type SignatureThreadOptions } from './signature-thread.js';
