import { createSimdHasher, isSimdAvailable } from '../simd/index.js';
import { opensslHasher } from './openssl-hasher.js';

export { TreePool } from './tree-pool.js';
export { opensslHasher };

/** The fastest hasher of this runtime, for Node and what is compatible with it: chosen once, when this module is loaded. */
export const nodeHasher = isSimdAvailable() ? createSimdHasher(opensslHasher) : opensslHasher;
