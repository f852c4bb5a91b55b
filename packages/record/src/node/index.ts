export { type FileHash, hashFile } from './hash-file.js';
export { hashModel, type ModelFiles, type Progress } from './model-manifest.js';
