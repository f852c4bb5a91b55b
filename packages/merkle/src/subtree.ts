/**
 * True when the leaves [start, end) form a subtree: they are none at all, or start is a multiple of the smallest power of two
 * that is not smaller than end - start (C2SP tlog-witness, sign-subtree; draft-ietf-plants-merkle-tree-certs section 4.1).
 */
export function isSubtree(start: bigint, end: bigint): boolean {
  if (start < 0n || start > end) return false;
  if (start === end) return true;
  let width = 1n;
  while (width < end - start) width *= 2n;
  return start % width === 0n;
}
