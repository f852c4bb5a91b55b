import { type Ctx, clientOfRequest, Problem, RateLimit } from '@treering/server';

/** Requests of one client in a second, and at once. */
const EACH = [50, 200] as const;
/** Requests of all clients together: a signature check or a proof each. */
const ALL = [200, 800] as const;

/** How often visitors may ask for something that costs work. A flood from one address leaves room for the others. */
export class Visitors {
  readonly #each = new RateLimit(...EACH);
  readonly #all = new RateLimit(...ALL);

  /** Takes note of a request. @throws Problem 429 */
  take(c: Ctx): void {
    const now = performance.now();
    const retryAfter = this.#each.take(clientOfRequest(c), 1, now) || this.#all.take('', 1, now);
    if (retryAfter > 0)
      throw new Problem(429, 'monitor/busy', 'more is shown and asked than this monitor can check', { retryAfter });
  }
}
