import { randomInt } from 'node:crypto';
import { faultSize } from '../fault/size.js';

/**
 * The seed of this run. `npm test` always takes the same one; larger runs take a new one each time. It is printed, and given as
 * TREERING_FUZZ_SEED it makes the same choices again.
 * @throws Error for a seed that is no whole number
 */
export function fuzzSeed(env: NodeJS.ProcessEnv = process.env): number {
  const given = env.TREERING_FUZZ_SEED;
  if (given !== undefined && !/^[0-9]{1,9}$/.test(given))
    throw new Error(`TREERING_FUZZ_SEED is '${given}': give a whole number`);
  if (given !== undefined) return Number(given);
  return faultSize(env) === 'quick' ? 20_260 : randomInt(1_000_000_000);
}
