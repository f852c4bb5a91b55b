/** The gate's own no, before the log says anything, or after what the log said could not be believed. */
export class GateRefusal extends Error {
  override readonly name = 'GateRefusal';
  /** Stable: the code of the rule that decided (`governance/...`), or `gate/...`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
