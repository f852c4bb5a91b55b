/** Token buckets by client: a bounded number of them, the longest unused forgotten first. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, { tokens: number; time: number }>();

  /** @param perSecond 0 sets no limit */
  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /**
   * Takes `cost` tokens of a client.
   * @param now milliseconds of a clock that only goes forward
   * @returns 0 when allowed, or the seconds after which to try again
   */
  take(client: string, cost: number, now: number): number {
    if (this.#perSecond === 0) return 0;
    const bucket = this.#buckets.get(client) ?? { tokens: this.#burst, time: now };
    this.#buckets.delete(client);
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((now - bucket.time) / 1000) * this.#perSecond);
    bucket.time = now;
    this.#buckets.set(client, bucket);
    if (this.#buckets.size > 10_000) this.#buckets.delete(this.#buckets.keys().next().value as string);
    const needed = Math.min(cost, this.#burst);
    if (bucket.tokens >= needed) {
      bucket.tokens -= needed;
      return 0;
    }
    return Math.max(1, Math.ceil((needed - bucket.tokens) / this.#perSecond));
  }
}
