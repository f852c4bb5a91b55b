/** One thing that a quote is asked about, and the answer. The `Claim` of @treering/evidence takes it. */
export interface QuoteClaim {
  readonly name: QuoteClaimName;
  /** `not proved` says that the evidence holds nothing to decide it by: not that it is false. */
  readonly verdict: 'proved' | 'failed' | 'not proved';
  /** A sentence for people. */
  readonly text: string;
  /** What was compared with what, line by line. */
  readonly details?: readonly string[];
}

/** What is asked of a quote, in this order. */
export type QuoteClaimName =
  | 'well-formed'
  | 'checkpoint'
  | 'deployment'
  | 'nonce'
  | 'key-enrolled'
  | 'signature'
  | 'selection'
  | 'digest'
  | 'event-log'
  | 'loaded'
  | 'clock'
  | 'interval';

/** Claims that have to be proved for a quote to hold; the others must not fail. */
export const REQUIRED_QUOTE_CLAIMS: readonly QuoteClaimName[] = [
  'well-formed',
  'checkpoint',
  'deployment',
  'nonce',
  'key-enrolled',
  'signature',
  'selection',
  'digest',
  'event-log',
  'loaded',
];

/** True when no claim failed and each that is required is there and proved. */
export function quoteHolds(
  claims: readonly QuoteClaim[],
  required: readonly QuoteClaimName[] = REQUIRED_QUOTE_CLAIMS,
): boolean {
  return (
    claims.every(({ verdict }) => verdict !== 'failed') &&
    required.every((name) => claims.some((claim) => claim.name === name && claim.verdict === 'proved'))
  );
}

/** Makes a claim; the texts are for what holds and for what does not. */
export function decided(
  name: QuoteClaimName,
  proved: boolean,
  texts: readonly [string, string],
  details?: readonly string[],
): QuoteClaim {
  const claim = { name, verdict: proved ? 'proved' : 'failed', text: texts[proved ? 0 : 1] } as const;
  return details === undefined ? claim : { ...claim, details };
}
