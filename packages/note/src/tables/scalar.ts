/** The value of little-endian bytes, whose number is a multiple of eight. */
export function littleEndian(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let value = 0n;
  for (let at = bytes.length - 8; at >= 0; at -= 8) value = (value << 64n) | view.getBigUint64(at, true);
  return value;
}

/** A scalar as 32 bytes, little-endian. */
export function scalarBytes(scalar: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < 32; at += 8) {
    view.setBigUint64(at, BigInt.asUintN(64, scalar), true);
    scalar >>= 64n;
  }
  return bytes;
}

/**
 * Writes a scalar as signed digits between -2^(window-1) + 1 and 2^(window-1), the lowest first.
 * @param scalar little-endian, below 2^(window · parts - 1)
 * @param window bits of a digit, at most 16
 */
export function recode(scalar: Uint8Array, window: number, parts: number, digits: Int16Array): void {
  const half = 2 ** (window - 1);
  let carry = 0;
  for (let part = 0; part < parts; part++) {
    const bit = part * window;
    const byte = bit >> 3;
    const word = (scalar[byte] ?? 0) | ((scalar[byte + 1] ?? 0) << 8) | ((scalar[byte + 2] ?? 0) << 16);
    const digit = ((word >> (bit & 7)) & (2 * half - 1)) + carry;
    carry = digit > half ? 1 : 0;
    digits[part] = carry === 1 ? digit - 2 * half : digit;
  }
}
