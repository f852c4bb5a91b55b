import { printable } from '@treering/record';
import pMap from 'p-map';
import type { Answer, Dataset, Example } from './dataset.js';
import { EvaluationError } from './errors.js';

/** What a deployed model is asked through. */
export interface Endpoint {
  /** What it is, without where it is and without secrets. */
  readonly kind: 'http' | 'openai-chat' | 'openai-completions' | 'command';
  /**
   * Asks for one example.
   * @throws EvaluationError evaluation/unanswered, in words that hold nothing of what was sent or answered
   */
  ask(example: Pick<Example, 'id' | 'input'>, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

/** An example that was answered. */
export interface Answered {
  readonly example: Example;
  readonly predicted: string | number;
  /** Milliseconds from the question to the answer. */
  readonly latency: number;
}

/** What came of asking. Every example is in one of the two lists. */
export interface Answers {
  readonly answered: readonly Answered[];
  readonly unanswered: readonly { readonly example: Example; readonly reason: string }[];
}

/** How an endpoint is asked. */
export interface AskOptions {
  /** Questions at once. */
  readonly concurrency: number;
  /** Milliseconds for one answer. */
  readonly timeout: number;
  /**
   * The share of examples that may stay unanswered, from 0 to 1. Once there are more, and more than were answered, nothing else is
   * asked; until then it goes on, because what is answered may be wrong beyond doubt.
   */
  readonly mostUnanswered: number;
  readonly signal?: AbortSignal;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Asks an endpoint for every example. What cannot be read is unanswered; nothing is left out. */
export async function askAll(
  endpoint: Endpoint,
  examples: readonly Example[],
  kind: Dataset['kind'],
  { concurrency, timeout, mostUnanswered, signal, now, onProgress }: AskOptions,
): Promise<Answers> {
  let failed = 0;
  let succeeded = 0;
  let done = 0;
  const outcomes = await pMap(
    examples,
    async (example): Promise<Answered | { example: Example; reason: string }> => {
      signal?.throwIfAborted();
      if (failed > mostUnanswered * examples.length && failed > succeeded) return { example, reason: NOT_ASKED };
      const limit = AbortSignal.timeout(timeout);
      const began = now();
      try {
        const answer = await endpoint.ask(example, signal === undefined ? limit : AbortSignal.any([limit, signal]));
        const latency = now() - began;
        const predicted = readAnswer(answer, kind);
        succeeded++;
        return { example, predicted, latency };
      } catch (error) {
        signal?.throwIfAborted();
        failed++;
        return { example, reason: limit.aborted ? `no answer within ${timeout} ms` : reasonOf(error) };
      } finally {
        onProgress?.(++done, examples.length);
      }
    },
    { concurrency },
  );
  return {
    answered: outcomes.filter((outcome) => 'predicted' in outcome),
    unanswered: outcomes.filter((outcome) => 'reason' in outcome),
  };
}

const NOT_ASKED = 'not asked, because too many others were unanswered';

/** The answer as what the data set expects. @throws EvaluationError */
function readAnswer(answer: Answer, kind: Dataset['kind']): string | number {
  if (kind === 'label') return String(answer);
  const number =
    typeof answer === 'string' && /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/.test(answer) ? Number(answer) : answer;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  throw new EvaluationError('evaluation/unanswered', 'the answer is no number');
}

function reasonOf(error: unknown): string {
  if (error instanceof EvaluationError) return printable(error.message).slice(0, 300);
  return 'the endpoint could not be asked';
}
