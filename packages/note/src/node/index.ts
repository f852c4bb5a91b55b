export { readKeyFile, readSecretBytes, readSecretFile, writeKeyFile, writeSecretFile } from './key-file.js';
export { type HeldEd25519, holdEd25519, nodeEd25519, verifyEd25519OffThread } from './native-ed25519.js';
export { SignatureThread, type SignatureThreadOptions } from './signature-thread.js';
