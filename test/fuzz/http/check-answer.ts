import { decodeCbor } from '@treering/statement';
import type { Asked, Face } from './face.js';

/** Milliseconds for one request. */
const SLOW = 5_000;
/** Statuses above 500 that say that something else is not there, or full. */
const UNAVAILABLE = [503, 504, 507];

/**
 * Sends a request and looks at the answer: never a 500; a refusal says so in the form that it must have, with a code, and changes nothing.
 * @returns the status
 * @throws Error with the request when the answer is another
 */
export async function checkAnswer(face: Face, asked: Asked): Promise<number> {
  const before = await face.state();
  const started = performance.now();
  const response = await face.answer(requestOf(asked));
  const { status, headers } = response;
  const type = headers.get('content-type')?.split(';')[0] ?? '';
  // Events come for ever.
  const isStream = type === 'text/event-stream';
  const bytes = isStream ? new Uint8Array(0) : new Uint8Array(await response.arrayBuffer());
  if (isStream) await response.body?.cancel();
  const wrong =
    mistakeIn(face, asked, { status, headers, type, bytes }) ??
    (status >= 400 && (await face.state()) !== before ? 'it was refused, and changed something' : undefined) ??
    (performance.now() - started > SLOW ? 'it took too long' : undefined);
  if (wrong === undefined) return status;
  const body = asked.body === undefined ? '' : Buffer.from(asked.body).toString('hex');
  const answer = Buffer.from(bytes).toString('utf8').slice(0, 500);
  throw new Error(
    `${face.name}: ${wrong}: ${status} ${answer}\n${asked.method} ${asked.path} ${JSON.stringify(asked.headers ?? {})}\n${body}`,
  );
}

/** Most of what `fetch` would refuse to send never reaches a server either. */
function requestOf({ method, path, headers = {}, body }: Asked): Request {
  return new Request(`http://server.test${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
  });
}

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly type: string;
  readonly bytes: Uint8Array;
}

function mistakeIn({ refusals }: Face, { method }: Asked, { status, headers, type, bytes }: Answered): string | undefined {
  if (status >= 500 && !UNAVAILABLE.includes(status)) return 'it failed';
  if (status < 400)
    return bytes.length > 0 && type === 'application/json' && hasFailed(bytes) ? 'a part of it failed' : undefined;
  if ((status === 503 || status === 429) && !/^[1-9][0-9]*$/.test(headers.get('retry-after') ?? ''))
    return 'it does not say when to try again';
  if (method === 'HEAD' || refusals.includes(type)) return undefined;
  if (type === 'application/concise-problem-details+cbor')
    return decodeCbor(bytes) instanceof Map ? undefined : 'it is no problem in CBOR';
  if (type !== 'application/problem+json') return `it is refused as ${type}`;
  const problem = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
  const { code, detail, instance } = problem;
  if (typeof code !== 'string' || !/^[a-z-]+\/[a-z-]+$/.test(code) || problem.status !== status)
    return 'the problem has no code';
  return typeof detail === 'string' && detail !== '' && typeof instance === 'string' ? undefined : 'the problem says nothing';
}

/** Whether one of the statements of a batch was answered as no request alone may be. */
function hasFailed(bytes: Uint8Array): boolean {
  const answer = JSON.parse(Buffer.from(bytes).toString('utf8')) as { results?: unknown } | null;
  const results = Array.isArray(answer?.results) ? (answer.results as { status?: unknown }[]) : [];
  return results.some(({ status }) => typeof status !== 'number' || (status >= 500 && !UNAVAILABLE.includes(status)));
}
