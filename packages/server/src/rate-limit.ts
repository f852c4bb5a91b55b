import { isIPv6 } from 'node:net';

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

  /** Whether anything is ever refused. */
  get isOn(): boolean {
    return this.#perSecond > 0;
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
      // What costs more than the burst is paid for later.
      bucket.tokens -= cost;
      return 0;
    }
    return Math.max(1, Math.ceil((needed - bucket.tokens) / this.#perSecond));
  }
}

/**
 * Which client an address is of: an IPv4 address, also one that is written as IPv6, stands for itself, and an IPv6 address for the
 * network of 64 bits in which it lies, because whoever has one address of it has all of them.
 */
export function clientOf(address: string): string {
  const [bare] = address.split('%');
  if (!isIPv6(bare)) return bare;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  const [left, right] = bare.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  // An IPv4 address at the end stands for two groups.
  const given = left.length + (right?.length ?? 0) + (bare.includes('.') ? 1 : 0);
  const groups = [...left, ...Array.from({ length: 8 - given }, () => '0'), ...(right ?? [])];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
