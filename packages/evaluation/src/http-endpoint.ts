import type { Endpoint } from './ask.js';
import { bodyFor, headersOf, type Mapping, predictionIn } from './mapping.js';
import { endpointUrl, type Fetch, sendJson } from './post-json.js';

/** What an endpoint reached by HTTP needs besides its address. */
export interface HttpOptions {
  /** Goes into the header Authorization, as a bearer token. */
  readonly token?: string | undefined;
  /** For values of headers that a mapping leaves to it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch?: Fetch;
}

/**
 * A JSON endpoint, asked as its mapping says.
 * @throws EvaluationError evaluation/endpoint, evaluation/mapping
 */
export function httpEndpoint(
  address: string,
  mapping: Mapping,
  { token, env, fetch = globalThis.fetch }: HttpOptions,
): Endpoint {
  const url = endpointUrl(address);
  const headers = { ...headersOf(mapping, env), ...bearer(token) };
  return {
    kind: 'http',
    async ask({ input }, signal) {
      const body = bodyFor(mapping, input);
      return predictionIn(
        await sendJson(fetch, url, { method: mapping.method, headers, body, signal }),
        mapping.prediction,
        mapping,
      );
    },
    close: async () => undefined,
  };
}

/** The header that shows who is asking. */
export function bearer(token: string | undefined): Record<string, string> {
  return token === undefined || token === '' ? {} : { Authorization: `Bearer ${token}` };
}
