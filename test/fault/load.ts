import { randomBytes } from 'node:crypto';
import { dataFolder } from '@treering/log';
import { verifyConsistency } from '@treering/merkle';
import { decodeBase64, type LogTrust } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { encodeRecord } from '@treering/record';
import { createStatementSigner, type StatementSigner, signStatement } from '@treering/statement';
import { type Answer, leafHash, Promises } from './promises.js';

const SINGLE_SUBMITTERS = 6;
const BATCH_SUBMITTERS = 2;
const BATCH = 24;
/** Statements that are sent again in one batch. */
const MOST_AT_ONCE = 1000;
/** Refusals that say when to try again. */
const PASSING: readonly number[] = [429, 503, 507];

/** An answer to a submission that was not logged. */
export interface Turned {
  readonly status: number;
  readonly code?: string;
  /** Seconds, as the header says; not told of one in a batch. */
  readonly retryAfter?: string | undefined;
}

/** What a load takes from the scenario that it is part of. */
export interface LoadOptions {
  readonly origin: string;
  readonly signer: StatementSigner;
  readonly trust: LogTrust;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /**
   * Whether an answer to a submission is no failure though it is no success: such statements are sent again later. Without it
   * every answer but 200 and 201 is a failure.
   */
  readonly tolerate?: ((answer: Turned) => boolean) | undefined;
  /** Milliseconds since the epoch, as the clients have them. */
  readonly clock?: () => number;
  /** Milliseconds after which a request is given up, which counts as cut off; without it that is never so. */
  readonly timeout?: number;
  /** Stands in the statements, so that those of two loads are not the same. */
  readonly about?: string;
}

/**
 * Clients that submit and read while a log is killed, cut off or starved, and remember everything that they were answered. A cut
 * connection is expected; whatever contradicts an earlier answer is a failure.
 */
export class Load {
  readonly promises: Promises;
  readonly #options: LoadOptions;
  /** Submissions without an answer: nobody knows whether they are logged, so they are sent again. */
  #open: Uint8Array[] = [];
  #made = 0;
  /** No statement of another load is this one's, though it be made in the same second. */
  readonly #name = randomBytes(4).toString('hex');
  #unanswered = 0;
  #failure: Error | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.promises = new Promises(options.trust);
  }

  /** A load on the log in a folder that `initLog` made, signed by its administrator. */
  static async on(data: string, options: Omit<LoadOptions, 'signer'>): Promise<Load> {
    const signer = createStatementSigner((await readKeyFile(dataFolder(data).adminKey)).seed, nodeEd25519);
    return new Load({ ...options, signer });
  }

  /** Submissions that were cut off or turned away, and were sent again. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Whether every statement that was ever sent is logged. */
  get isAnswered(): boolean {
    return this.#open.length === 0;
  }

  /** Throws what went wrong so far. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Keeps submitters and readers busy until `until` resolves, and waits for the answers that are under way. */
  async run(url: string, until: Promise<unknown>): Promise<void> {
    let on = true;
    const workers = [
      ...Array.from({ length: SINGLE_SUBMITTERS }, () => this.#single),
      ...Array.from({ length: BATCH_SUBMITTERS }, () => this.#batch),
      this.#readHead,
    ].map(async (work) => {
      while (on) await work.call(this, url);
    });
    await until;
    on = false;
    await Promise.all(workers);
    this.check();
  }

  /** Submits `count` new statements in one batch, and takes in the answers. False when the connection was cut. */
  async submit(url: string, count: number): Promise<boolean> {
    const entries = await this.#statements(count);
    this.#open.push(...entries);
    const answered = await this.#attempt(() => this.#send(url, entries));
    this.check();
    return answered;
  }

  /** Compares the newest head with the largest that was ever seen, looks at the newest entries, and sends again what is open. */
  async checkAfterRestart(url: string): Promise<void> {
    const { promises } = this;
    const before = promises.largest;
    const log = (await (await fetch(`${url}/v1/log`)).json()) as { committed: { checkpoint: string } };
    const head = promises.head(log.committed.checkpoint);
    if (head.size < before)
      throw new Error(`after a restart the log has ${head.size} entries, and a head of ${before} was seen`);
    if (before > 0) {
      const proof = (await (await fetch(`${url}/v1/proof/consistency?from=${before}&to=${head.size}`)).json()) as {
        hashes: string[];
      };
      verifyConsistency(before, head.size, promises.heads.get(before) as Buffer, head.root, proof.hashes.map(decodeBase64));
    }
    for (const [index, leaf] of [...promises.acknowledged].slice(-5)) {
      const bytes = new Uint8Array(await (await fetch(`${url}/v1/entries/${index}`)).arrayBuffer());
      if (leafHash(bytes).toString('hex') !== leaf) throw new Error(`entry ${index} is not the one acknowledged`);
    }
    this.#unanswered += this.#open.length;
    const open = this.#open;
    for (let i = 0; i < open.length; i += MOST_AT_ONCE) await this.#send(url, open.slice(i, i + MOST_AT_ONCE));
  }

  /** Runs a request: false when the connection was cut. Anything else that goes wrong is a failure. */
  async #attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const cut = error instanceof TypeError && /fetch failed|terminated/.test(error.message);
      const givenUp = error instanceof DOMException && error.name === 'TimeoutError';
      if (!cut && !givenUp) this.#failure ??= error as Error;
      return false;
    }
  }

  async #single(url: string): Promise<void> {
    const [entry] = await this.#statements(1);
    const wait = this.#options.random() < 0.2 ? '?wait=witnessed' : '';
    this.#open.push(entry);
    await this.#attempt(async () => {
      const response = await fetch(`${url}/v1/entries${wait}`, this.#post('application/cose', entry));
      const retryAfter = response.headers.get('retry-after') ?? undefined;
      const answer = { ...(await bodyOf<Answer>(response)), status: response.status, retryAfter };
      this.#accept([entry], [answer]);
    });
  }

  async #batch(url: string): Promise<void> {
    const entries = await this.#statements(1 + Math.floor(this.#options.random() * BATCH));
    this.#open.push(...entries);
    await this.#attempt(() => this.#send(url, entries));
  }

  async #send(url: string, entries: readonly Uint8Array[]): Promise<void> {
    const response = await fetch(`${url}/v1/entries:batch`, this.#post('application/cbor-seq', Buffer.concat(entries)));
    const body = await bodyOf<{ results?: Answer[] }>(response);
    this.#accept(entries, body.results ?? entries.map(() => ({ ...body, status: response.status }) as Answer));
  }

  #accept(entries: readonly Uint8Array[], answers: readonly (Answer & { readonly retry_after?: number })[]): void {
    if (answers.length !== entries.length) throw new Error(`${entries.length} statements have ${answers.length} answers`);
    const logged = new Set<Uint8Array>();
    answers.forEach((answer, i) => {
      if (answer.status === 200 || answer.status === 201) {
        this.promises.acknowledge(entries[i], answer);
        logged.add(entries[i]);
      } else if (PASSING.includes(answer.status) && !((answer.retry_after ?? 0) > 0)) {
        throw new Error(`a refusal does not say when to try again: ${JSON.stringify(answer)}`);
      } else if (!this.#options.tolerate?.(answer)) {
        throw new Error(`a submission was answered ${JSON.stringify(answer)}`);
      }
    });
    this.#open = this.#open.filter((entry) => !logged.has(entry));
  }

  async #readHead(url: string): Promise<void> {
    await this.#attempt(async () => {
      const response = await fetch(`${url}/checkpoint`, this.#limits());
      this.promises.head(await response.text());
      await new Promise((resolve) => setTimeout(resolve, 5));
    });
  }

  #statements(count: number): Promise<Uint8Array[]> {
    const { origin, signer, clock = Date.now, about = `under the load ${this.#name}` } = this.#options;
    const make = async (): Promise<Uint8Array> => {
      const subject = `model/m${this.#made % 20}`;
      const payload = encodeRecord({
        v: 1,
        type: 'incident',
        subject,
        reason: `Decision number ${this.#made++} ${about}.`,
        severity: 'low',
        aware_at: 1_760_000_000_000,
        affected: [],
      });
      const claims = { iss: `${origin}/identity/admin`, sub: subject, iat: Math.floor(clock() / 1000) };
      return (await signStatement(claims, payload, signer)).entry;
    };
    return Promise.all(Array.from({ length: count }, make));
  }

  #post(type: string, body: Uint8Array): RequestInit {
    const headers = { 'Content-Type': type };
    return { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer>, ...this.#limits() };
  }

  #limits(): RequestInit {
    const { timeout } = this.#options;
    return timeout === undefined ? {} : { signal: AbortSignal.timeout(timeout) };
  }
}

/** Node answers 408 without a body when a request was not read in time, as after the process stood still: that is as good as cut. */
async function bodyOf<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (response.status === 408) throw new TypeError('fetch failed: the request was not read in time');
  if (text === '') throw new Error(`an answer with status ${response.status} has no body`);
  return JSON.parse(text) as T;
}
