/** A version of a model whose files are at hand. */
export interface ModelVersion {
  /** In the registry. */
  readonly name: string;
  /** As a segment of a subject. */
  readonly segment: string;
  readonly version: string;
  /** Where the registry says that it is. */
  readonly source: string;
  /** Where it is on this machine; absolute. */
  readonly folder: string;
  /** Why it is recorded, as a sentence. */
  readonly reason: string;
}

/** A signed statement that may be sent any number of times and is logged once. */
export interface Prepared {
  readonly statement: Uint8Array;
  /** Stored beside the log under their digests, 64 hex digits. */
  readonly attachments: readonly { readonly digest: string; readonly blob: Uint8Array }[];
}

/** What hashes, signs and submits. */
export interface Publisher {
  /**
   * Hashes a version and signs its record, or finds the log to have that content of that version.
   * @throws RecorderError as its codes say; anything else is tried again
   */
  prepare(version: ModelVersion): Promise<Prepared | { readonly known: Uint8Array }>;
  /**
   * Sends what was prepared, in this process or an earlier one.
   * @returns the leaf, 32 bytes
   * @throws RecorderError as its codes say; anything else is tried again
   */
  submit(prepared: Prepared): Promise<{ readonly leaf: Uint8Array; readonly index: number }>;
  /**
   * Stores the attachments of what is logged, as far as the log takes them; any number of times.
   * @throws RecorderError as its codes say; anything else is tried again
   */
  upload(prepared: Prepared, index: number): Promise<void>;
}
