/**
 * Reads the pieces `first` to `end - 1`, and gives them out in order. While one is worked on, the next ones are under way.
 * @param most pieces that are under way or wait to be taken: with the largest piece, it bounds the memory
 */
export async function* readAhead<T>(
  first: number,
  end: number,
  most: number,
  read: (index: number) => Promise<T>,
): AsyncGenerator<T> {
  const begun: Promise<T>[] = [];
  try {
    for (let next = first; next < end || begun.length > 0; ) {
      for (; next < end && begun.length < most; next++) {
        const piece = read(next);
        // It is awaited in its turn; until then a failure is nobody's.
        piece.catch(() => undefined);
        begun.push(piece);
      }
      yield await (begun.shift() as Promise<T>);
    }
  } finally {
    await Promise.allSettled(begun);
  }
}
