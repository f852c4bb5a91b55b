import type { TrustPolicy, VerifierKey } from '@treering/note';

/** A log that a monitor follows, and what it expects of it. */
export interface WatchedLogConfig {
  /** First line of its heads. */
  readonly origin: string;
  /** Its keys; a head needs a signature by one of them. */
  readonly keys: readonly VerifierKey[];
  /** Prefix of its tiles. */
  readonly url: string;
  /** Witnesses whose cosignatures are expected, and where they show what they cosigned. */
  readonly policy: TrustPolicy | undefined;
  /** The policy as it was written, for proofs. */
  readonly policyText: string | undefined;
  /** Whether its entries are Treering's statements, whose admission is decided again. */
  readonly audit: boolean;
  /** Seconds after which a head is old. */
  readonly staleAfter: number;
  /** Seconds in which an announced deployment has to come to something. */
  readonly deployWithin: number;
  /** Seconds before the report on an incident is due in which the monitor reminds of it. */
  readonly remindBefore: number;
}
