import type { Endpoint } from './ask.js';
import { bearer, type HttpOptions } from './http-endpoint.js';
import { predictionIn, type Reading } from './mapping.js';
import { endpointUrl, sendJson } from './post-json.js';

/** How an OpenAI-compatible endpoint is asked. */
export interface OpenAiOptions extends HttpOptions {
  /** The name under which the endpoint serves the model. */
  readonly model: string;
  /** true asks `/completions`, false `/chat/completions`. */
  readonly completions: boolean;
  /** Parameters of the deployed configuration; those that such an endpoint knows are sent. */
  readonly parameters: Readonly<Record<string, string>>;
  /** How the text of an answer becomes a label. */
  readonly reading?: Reading;
}

/** Parameters of sampling that are numbers, as the interface names them. */
const PARAMETERS = ['temperature', 'top_p', 'max_tokens', 'frequency_penalty', 'presence_penalty', 'seed'];

/**
 * An endpoint that speaks OpenAI's interface. An input that is a text is one message of the user, or the prompt; a list is the
 * messages themselves. The answer is the text of the first choice, without white space at its ends.
 * @param base such as http://127.0.0.1:8000/v1
 * @throws EvaluationError evaluation/endpoint
 */
export function openAiEndpoint(base: string, options: OpenAiOptions): Endpoint {
  const { token, model, completions, parameters, reading = {}, fetch = globalThis.fetch } = options;
  const url = endpointUrl(`${base.replace(/\/+$/, '')}/${completions ? 'completions' : 'chat/completions'}`);
  const headers = bearer(token);
  const sampling = Object.fromEntries(
    PARAMETERS.filter((name) => Object.hasOwn(parameters, name) && Number.isFinite(Number(parameters[name]))).map((name) => [
      name,
      Number(parameters[name]),
    ]),
  );
  const pointer = completions ? '/choices/0/text' : '/choices/0/message/content';
  return {
    kind: completions ? 'openai-completions' : 'openai-chat',
    async ask({ input }, signal) {
      const text = typeof input === 'string' ? input : JSON.stringify(input);
      const asked = completions
        ? { prompt: text }
        : { messages: Array.isArray(input) ? input : [{ role: 'user', content: text }] };
      const body = JSON.stringify({ model, ...asked, ...sampling });
      const answer = predictionIn(await sendJson(fetch, url, { method: 'POST', headers, body, signal }), pointer, {});
      return predictionIn(String(answer).trim(), '', reading);
    },
    close: async () => undefined,
  };
}
