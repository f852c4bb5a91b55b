import type { EdwardsModule } from './edwards.js';
import { FIELD_BYTES } from './field.js';

/**
 * Replaces field elements, none of them zero, by their inverses: one inversion and three products each (Montgomery).
 * @param elements their addresses
 * @param prefix room for as many elements
 * @param scratch room for five elements
 */
export function invertAll(module: EdwardsModule, elements: readonly number[], prefix: number, scratch: number): void {
  if (elements.length === 0) return;
  const { multiply, invert } = module;
  const bytes = new Uint8Array(module.memory.buffer);
  const copy = (to: number, from: number): void => {
    bytes.copyWithin(to, from, from + FIELD_BYTES);
  };
  const prefixAt = (index: number): number => prefix + index * FIELD_BYTES;
  const [inverse, product] = [scratch, scratch + FIELD_BYTES];
  copy(prefix, elements[0]);
  for (let i = 1; i < elements.length; i++) multiply(prefixAt(i), prefixAt(i - 1), elements[i]);
  invert(inverse, prefixAt(elements.length - 1), scratch + 2 * FIELD_BYTES);
  for (let i = elements.length - 1; i > 0; i--) {
    multiply(product, inverse, prefixAt(i - 1));
    multiply(inverse, inverse, elements[i]);
    copy(elements[i], product);
  }
  copy(elements[0], inverse);
}
