import { inflate, mutateBytes, splice } from './mutate-bytes.js';
import { mutateCbor } from './mutate-cbor.js';
import { mutateJson } from './mutate-json.js';
import { mutateLines, mutateYaml } from './mutate-lines.js';
import type { Random } from './random.js';
import type { Form } from './target.js';

const MUTATORS: Readonly<Record<Form, (seed: Uint8Array, random: Random) => Uint8Array>> = {
  bytes: mutateBytes,
  cbor: mutateCbor,
  json: mutateJson,
  lines: mutateLines,
  yaml: mutateYaml,
};

/** How inputs of one target are made from others. */
export interface MutateOptions {
  readonly form: Form;
  /** Other inputs, parts of which are put together. */
  readonly pool: readonly Uint8Array[];
  /** Bytes to which an input is blown up now and then. */
  readonly largest: number;
}

/** An input made from another one: changed where it means something, changed anywhere, put together, blown up, or random. */
export function mutate(seed: Uint8Array, random: Random, { form, pool, largest }: MutateOptions): Uint8Array {
  const kind = random.below(100);
  if (kind < 55) return MUTATORS[form](seed, random);
  if (kind < 85) return mutateBytes(seed, random);
  if (kind < 90) return mutateBytes(MUTATORS[form](seed, random), random);
  if (kind < 95) return splice(seed, random.pick(pool), random);
  // Rare, because it takes as long as hundreds of others.
  if (kind < 96) return random.oneIn(8) ? inflate(seed, random, largest) : inflate(seed, random, 1024);
  return random.bytes(random.below(300));
}
