/**
 * Bytes for a secret, which its owner wipes by `fill(0)`. They lie in memory of their own: short arrays lie in the heap of the engine
 * otherwise, which moves them about and leaves copies behind.
 */
export function secretBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}
