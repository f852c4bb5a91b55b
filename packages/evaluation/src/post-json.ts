import { EvaluationError } from './errors.js';

/** What sends a request: `fetch` of the platform. */
export type Fetch = typeof globalThis.fetch;

/** Bytes of an answer that are read at most. */
const MOST_ANSWER_BYTES = 1024 * 1024;

/**
 * Sends JSON and reads the JSON that answers it. Redirects are not followed: what is sent is meant for this address only.
 * @throws EvaluationError evaluation/unanswered, in words that hold nothing of what was sent or answered
 */
export async function sendJson(
  fetch: Fetch,
  url: string,
  { method, headers, body, signal }: { method: string; headers: Record<string, string>; body: string; signal: AbortSignal },
): Promise<unknown> {
  let response: Response;
  try {
    const sent = { 'Content-Type': 'application/json', Accept: 'application/json', ...headers };
    response = await fetch(url, { method, headers: sent, body, signal, redirect: 'manual' });
  } catch (error) {
    const cause = (error as { cause?: { code?: unknown } }).cause?.code;
    throw unanswered(`the endpoint cannot be reached${typeof cause === 'string' ? ` (${cause})` : ''}`, error);
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw unanswered(
      response.status === 0 || (response.status >= 300 && response.status < 400)
        ? 'the endpoint redirects, which is not followed'
        : `the endpoint answers with status ${response.status}`,
    );
  }
  const text = await readLimited(response);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw unanswered('the answer is no JSON', error);
  }
}

async function readLimited(response: Response): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let [text, size] = ['', 0];
  const reader = response.body?.getReader();
  if (reader === undefined) return text;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      size += value.length;
      if (size > MOST_ANSWER_BYTES) throw unanswered(`the answer is longer than ${MOST_ANSWER_BYTES} bytes`);
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    await reader.cancel().catch(() => undefined);
    throw error instanceof EvaluationError ? error : unanswered('the answer cannot be read', error);
  }
}

/**
 * The address of an endpoint.
 * @throws EvaluationError evaluation/endpoint for one that is none, or that holds a password
 */
export function endpointUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new EvaluationError('evaluation/endpoint', 'the address of an endpoint begins with http:// or https://');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw new EvaluationError(
      'evaluation/endpoint',
      'the address of an endpoint holds no password: a token comes from the environment',
    );
  return url.href;
}

function unanswered(what: string, cause?: unknown): EvaluationError {
  return new EvaluationError('evaluation/unanswered', what, { cause });
}
