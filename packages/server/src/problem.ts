/** Further members of a problem that the next step needs. */
export interface ProblemDetails {
  /** The rule that decided (403, 401). */
  readonly rule?: string;
  /** The subject's newest record (409). */
  readonly current?: { readonly index: number; readonly leaf: Uint8Array } | undefined;
  /** The index that the entry has although the request failed (504). */
  readonly index?: number;
  /** Seconds after which to try again; 429, 503 and 507 always say so, with 30 when nothing is given. */
  readonly retryAfter?: number;
}

/** Statuses that say that the same request may succeed later, and the seconds after which to try again when nobody said. */
const LATER: readonly number[] = [429, 503, 507];
const SECONDS = 30;

/** An error with an HTTP status, a stable code and a sentence that says what to do (RFC 9457). */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly details: ProblemDetails;

  /** @param options with the cause, which the operator's records show and the answer never does */
  constructor(status: number, code: string, message: string, details: ProblemDetails = {}, options: ErrorOptions = {}) {
    super(message, options);
    this.status = status;
    this.code = code;
    this.details = LATER.includes(status) ? { retryAfter: SECONDS, ...details } : details;
  }
}

/** What a status is called in a sentence for people. */
export const TITLES: Readonly<Record<number, string>> = {
  400: 'Malformed request',
  401: 'Unknown signer',
  403: 'Not admitted',
  404: 'Not found',
  408: 'Too slow',
  409: 'Conflict',
  410: 'Gone',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Not processable',
  429: 'Too many requests',
  431: 'Too many headers',
  500: 'Internal error',
  501: 'Not implemented',
  503: 'Not available now',
  504: 'Not witnessed in time',
  505: 'HTTP version not supported',
  507: 'No space left',
};

/** The JSON body of a problem. `instance` is the request's id, which the log's own records carry too. */
export function problemBody(problem: Problem, instance: string): Record<string, unknown> {
  const { rule, current, index, retryAfter } = problem.details;
  return {
    type: `urn:treering:problem:${problem.code.replace('/', ':')}`,
    title: TITLES[problem.status] ?? 'Problem',
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    instance,
    ...(rule === undefined ? {} : { rule }),
    ...(current === undefined ? {} : { current: { index: current.index, leaf: Buffer.from(current.leaf).toString('hex') } }),
    ...(index === undefined ? {} : { index }),
    ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
  };
}
