import type { Benchmark } from './benchmark.js';

/** The benchmarks by name, in the order in which they run. A trial loads only its own. */
export const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  'tree-build': async () => (await import('./tree-build.js')).treeBuild,
  append: async () => (await import('./append.js')).append,
  'http-submit': async () => (await import('./http-submit.js')).httpSubmit,
  audit: async () => (await import('./audit.js')).audit,
  pack: async () => (await import('./pack.js')).pack,
  witness: async () => (await import('./witness.js')).witness,
  ed25519: async () => (await import('./ed25519.js')).ed25519,
};
