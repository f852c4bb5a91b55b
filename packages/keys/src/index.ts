export { decryptKey, encryptKey, isEncrypted } from './encrypted.js';
export { KeyError, type KeyErrorCode } from './errors.js';
export { type KeyOptions, openKey } from './open-key.js';
export { type OpenedKey, openSeed, requireNoteSigner, requireStatementSigner } from './opened-key.js';
export { type Pkcs11Uri, parsePkcs11Uri } from './pkcs11-uri.js';
