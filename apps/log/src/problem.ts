import { GovernanceError, type LatestRecord } from '@treering/governance';
import { MerkleInputError } from '@treering/merkle';
import { NoteError } from '@treering/note';
import { RecordError } from '@treering/record';
import { SequencerError } from '@treering/sequencer';
import { StatementError } from '@treering/statement';
import { StorageError } from '@treering/storage';

/** Further members of a problem that the next step needs. */
export interface ProblemDetails {
  /** The rule that decided (403, 401). */
  readonly rule?: string;
  /** The subject's newest record (409). */
  readonly current?: LatestRecord | undefined;
  /** The index that the entry has although the request failed (504). */
  readonly index?: number;
  /** Seconds after which to try again (429, 503). */
  readonly retryAfter?: number;
}

/** An error with an HTTP status, a stable code and a sentence that says what to do (RFC 9457). */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly details: ProblemDetails;

  constructor(status: number, code: string, message: string, details: ProblemDetails = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** What a status is called in a sentence for people. */
export const TITLES: Readonly<Record<number, string>> = {
  400: 'Malformed request',
  401: 'Unknown signer',
  403: 'Not admitted',
  404: 'Not found',
  409: 'Conflict',
  410: 'Gone',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Not processable',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Not available now',
  504: 'Not witnessed in time',
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

/** The one place where errors become statuses. What is not known here is a 500 without details. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof StatementError) {
    const status = error.code === 'statement/too-large' ? 413 : error.code === 'cose/bad-signature' ? 401 : 400;
    return new Problem(status, error.code, error.message);
  }
  if (error instanceof RecordError) return new Problem(422, error.code, error.message);
  if (error instanceof MerkleInputError || error instanceof NoteError) return new Problem(400, error.code, error.message);
  if (error instanceof GovernanceError) return new Problem(403, error.code, error.message);
  if (error instanceof SequencerError) return sequencerProblem(error);
  if (error instanceof StorageError) {
    return error.code === 'storage/full'
      ? new Problem(507, error.code, 'the log has no space left; nothing was stored', { retryAfter: 60 })
      : new Problem(503, error.code, 'the log cannot reach its storage; nothing was stored', { retryAfter: 5 });
  }
  return new Problem(500, 'internal', 'something went wrong in the log; its operator finds the cause under the instance id');
}

/** What a client may know of the sequencer's trouble: never what the disk or the operating system said. */
function sequencerProblem({ code, message }: SequencerError): Problem {
  if (code === 'sequencer/overloaded') return new Problem(503, code, message, { retryAfter: 1 });
  if (code === 'sequencer/unknown-outcome') {
    return new Problem(
      503,
      code,
      'the log could not store the statement for certain; send the same one again, it is never logged twice',
      {
        retryAfter: 5,
      },
    );
  }
  return new Problem(503, code, 'the log takes no entries now; its operator finds the cause in its records', {
    retryAfter: 30,
  });
}
