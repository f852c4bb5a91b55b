export { kernelModule } from './kernel.js';
export { createSimdHasher, isSimdAvailable } from './simd-hasher.js';
