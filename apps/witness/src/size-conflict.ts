/** The client believes that the witness knows another size (409). */
export class SizeConflict extends Error {
  override readonly name = 'SizeConflict';
  /** The size that the witness knows. */
  readonly size: bigint;

  constructor(size: bigint) {
    super(`the witness knows size ${size}`);
    this.size = size;
  }
}
