import {
  type AddCheckpointRequest,
  decodeUtf8,
  formatAddCheckpoint,
  MAX_SIGNATURES,
  NoteError,
  type NoteSignature,
  parseDecimal,
  parseSignatureLine,
} from '@treering/note';
import { ClientError } from './errors.js';
import { type HttpOptions, LogHttp } from './http.js';

/** What a witness answers to a checkpoint: signature lines that nobody has verified yet, or the size that it knows (409). */
export type WitnessAnswer = { readonly signatures: readonly NoteSignature[] } | { readonly known: bigint };

/** Sixteen ML-DSA-44 lines and more. */
const LARGEST = 256 * 1024;

/** A witness as a log or a monitor reaches it (https://c2sp.org/tlog-witness). */
export class WitnessClient {
  readonly #http: LogHttp;

  /** @param url submission prefix, and monitoring prefix as well */
  constructor(url: string, options: HttpOptions = {}) {
    this.#http = new LogHttp(url, { timeout: 5000, largest: LARGEST, who: 'the witness', ...options });
  }

  /** @throws ClientError for every other answer than 200 and 409 */
  async addCheckpoint(request: AddCheckpointRequest): Promise<WitnessAnswer> {
    const { status, bytes } = await this.#http.send('/add-checkpoint', {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain; charset=utf-8' },
      body: formatAddCheckpoint(request) as Uint8Array<ArrayBuffer>,
    });
    if (status !== 200 && status !== 409) throw this.#http.refusalOf(status, bytes);
    try {
      const text = decodeUtf8(bytes);
      if (status === 409) return { known: parseDecimal(text.replace(/\n$/, ''), 'the size that the witness knows') };
      if (!text.endsWith('\n')) throw new NoteError('note/malformed', 'the last line does not end');
      const lines = text.slice(0, -1).split('\n');
      if (lines.length > MAX_SIGNATURES) throw new NoteError('note/malformed', `there are ${lines.length} signatures`);
      return { signatures: lines.map(parseSignatureLine) };
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      throw new ClientError('client/bad-answer', `the witness's answer cannot be read: ${error.message}`, { cause: error });
    }
  }

  /**
   * The head that the witness cosigned last, as a signed note, or undefined when there is none.
   * @param originHash SHA-256 of the log's origin, 64 hex digits
   * @throws ClientError
   */
  async checkpoint(originHash: string): Promise<Uint8Array | undefined> {
    const { status, bytes } = await this.#http.send(`/${originHash}/checkpoint`, {});
    if (status === 404) return undefined;
    if (status !== 200) throw this.#http.refusalOf(status, bytes);
    return bytes;
  }
}
