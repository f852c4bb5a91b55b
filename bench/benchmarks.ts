import type { Benchmark } from './benchmark.js';

/** The benchmarks by name, in the order in which they run. A trial loads only its own. */
export const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  'tree-build': async () => (await import('./tree-build.js')).treeBuild,
  crossover: async () => (await import('./crossover.js')).crossover,
  append: async () => (await import('./append.js')).append,
  'http-submit': async () => (await import('./http-submit.js')).httpSubmit,
  'http-batch': async () => (await import('./http-batch.js')).httpBatch,
  'http-read': async () => (await import('./http-read.js')).httpRead,
  growth: async () => (await import('./growth.js')).growth,
  proof: async () => (await import('./proof.js')).proof,
  verify: async () => (await import('./verify.js')).verify,
  pack: async () => (await import('./pack.js')).pack,
  audit: async () => (await import('./audit.js')).audit,
  witness: async () => (await import('./witness.js')).witness,
  ed25519: async () => (await import('./ed25519.js')).ed25519,
  sustained: async () => (await import('./sustained.js')).sustained,
};

/** These take so long that they run only when they are named, or with --long. */
export const LONG: readonly string[] = ['sustained'];
