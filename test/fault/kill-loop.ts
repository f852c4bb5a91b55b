import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { dataFolder, initLog } from '@treering/log';
import { verifyConsistency } from '@treering/merkle';
import { createSigner, decodeBase64, type LogTrust } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { encodeRecord } from '@treering/record';
import { createStatementSigner, type StatementSigner, signStatement } from '@treering/statement';
import { type Answer, leafHash, Promises } from './promises.js';

const ORIGIN = 'kill.test/log';
const CHILD = fileURLToPath(new URL('log-process.ts', import.meta.url));
const SINGLE_SUBMITTERS = 6;
const BATCH_SUBMITTERS = 2;
const BATCH = 24;

/** What a run came to. */
export interface KillReport {
  readonly kills: number;
  /** Of these, kills before the log was ready. */
  readonly killsAtStart: number;
  /** Entries whose submission was answered. */
  readonly acknowledged: number;
  /** Submissions that were cut off, and were sent again. */
  readonly unanswered: number;
  /** Different sizes for which a signed head was seen. */
  readonly heads: number;
  readonly entries: number;
}

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly ended: Promise<void>;
}

/**
 * Serves a log in a child process under load, kills it with SIGKILL at random moments and starts it again, `kills` times.
 * Throws when anything that the log ever answered is not so afterwards.
 */
export async function runKillLoop(kills: number, random: () => number): Promise<KillReport> {
  const data = mkdtempSync(join(tmpdir(), 'treering-kill-'));
  try {
    await initLog(data, { origin: ORIGIN });
    const signer = createStatementSigner((await readKeyFile(dataFolder(data).adminKey)).seed, nodeEd25519);
    return await new KillLoop(data, await trustOf(data), signer, random).run(kills);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

class KillLoop {
  readonly #data: string;
  readonly #signer: StatementSigner;
  readonly #random: () => number;
  /** Submissions without an answer: nobody knows whether they are logged, so they are sent again. */
  #open: Uint8Array[] = [];
  readonly #promises: Promises;
  #made = 0;
  #unanswered = 0;
  #killsAtStart = 0;
  /** What went wrong while the load was on. */
  #failure: Error | undefined;

  constructor(data: string, trust: LogTrust, signer: StatementSigner, random: () => number) {
    this.#data = data;
    this.#promises = new Promises(trust);
    this.#signer = signer;
    this.#random = random;
  }

  async run(kills: number): Promise<KillReport> {
    let bestStart = 500;
    for (let kill = 0; kill < kills; kill++) {
      if (this.#random() < 0.1) {
        await this.#killAtStart(this.#random() * bestStart * 1.2);
        continue;
      }
      const started = performance.now();
      const log = await this.#start();
      bestStart = Math.min(bestStart, performance.now() - started);
      await this.#checkAfterRestart(log.url);
      await this.#loadUntilKilled(log, 10 + this.#random() * 250);
    }
    const log = await this.#start();
    await this.#checkAfterRestart(log.url);
    await this.#stop(log);
    const entries = await this.#promises.checkStore(this.#data);
    return {
      kills,
      killsAtStart: this.#killsAtStart,
      acknowledged: this.#promises.acknowledged.size,
      unanswered: this.#unanswered,
      heads: this.#promises.heads.size,
      entries,
    };
  }

  #spawn(): ChildProcess {
    const child = spawn(process.execPath, ['--conditions=@treering/source', '--import', 'tsx', CHILD, this.#data], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    child.on('exit', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') this.#failure ??= new Error(`the log ended with ${code ?? signal}: ${text}`);
    });
    return child;
  }

  async #start(): Promise<Running> {
    const child = this.#spawn();
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const line = await new Promise<string | undefined>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(undefined));
    });
    if (line === undefined) {
      await ended;
      throw this.#failure ?? new Error('the log ended before it was ready');
    }
    const { url } = JSON.parse(line) as { url: string };
    return { child, url, ended };
  }

  async #killAtStart(after: number): Promise<void> {
    this.#killsAtStart++;
    const child = this.#spawn();
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.stdout?.resume();
    await new Promise((resolve) => setTimeout(resolve, after));
    child.kill('SIGKILL');
    await ended;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #stop({ child, ended }: Running): Promise<void> {
    child.kill('SIGTERM');
    await ended;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #loadUntilKilled(log: Running, after: number): Promise<void> {
    let alive = true;
    const workers = [
      ...Array.from({ length: SINGLE_SUBMITTERS }, () => this.#single),
      ...Array.from({ length: BATCH_SUBMITTERS }, () => this.#batch),
      this.#readHead,
    ].map(async (work) => {
      while (alive) await work.call(this, log.url);
    });
    await new Promise((resolve) => setTimeout(resolve, after));
    log.child.kill('SIGKILL');
    await log.ended;
    alive = false;
    await Promise.all(workers);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Runs a request. A cut connection is what is tested here; anything else that goes wrong is a failure. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const cut = error instanceof TypeError && /fetch failed|terminated/.test(error.message);
      if (!cut) this.#failure ??= error as Error;
    }
  }

  async #single(url: string): Promise<void> {
    const [entry] = await this.#statements(1);
    const wait = this.#random() < 0.2 ? '?wait=witnessed' : '';
    this.#open.push(entry);
    await this.#attempt(async () => {
      const response = await fetch(`${url}/v1/entries${wait}`, post('application/cose', entry));
      this.#accept([entry], [{ ...((await response.json()) as Answer), status: response.status }]);
    });
  }

  async #batch(url: string): Promise<void> {
    const entries = await this.#statements(1 + Math.floor(this.#random() * BATCH));
    this.#open.push(...entries);
    await this.#attempt(() => this.#send(url, entries));
  }

  async #send(url: string, entries: readonly Uint8Array[]): Promise<void> {
    const response = await fetch(`${url}/v1/entries:batch`, post('application/cbor-seq', Buffer.concat(entries)));
    const { results } = (await response.json()) as { results: Answer[] };
    this.#accept(entries, results);
  }

  #accept(entries: readonly Uint8Array[], answers: readonly Answer[]): void {
    if (answers.length !== entries.length) throw new Error(`${entries.length} statements have ${answers.length} answers`);
    answers.forEach((answer, i) => {
      if (answer.status !== 200 && answer.status !== 201)
        throw new Error(`a submission was answered ${JSON.stringify(answer)}`);
      this.#promises.acknowledge(entries[i], answer);
    });
    const answered = new Set(entries);
    this.#open = this.#open.filter((entry) => !answered.has(entry));
  }

  #readHead(url: string): Promise<void> {
    return this.#attempt(async () => {
      const response = await fetch(`${url}/checkpoint`);
      this.#promises.head(await response.text());
      await new Promise((resolve) => setTimeout(resolve, 5));
    });
  }

  /** Sends again what was cut off, and compares the newest head with the largest that was ever seen. */
  async #checkAfterRestart(url: string): Promise<void> {
    const promises = this.#promises;
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
    if (this.#open.length > 0) await this.#send(url, this.#open);
  }

  #statements(count: number): Promise<Uint8Array[]> {
    const make = async (): Promise<Uint8Array> => {
      const subject = `model/m${this.#made % 20}`;
      const payload = encodeRecord({
        v: 1,
        type: 'incident',
        subject,
        reason: `Decision number ${this.#made++} under load.`,
        severity: 'low',
        aware_at: 1_760_000_000_000,
        affected: [],
      });
      const claims = { iss: `${ORIGIN}/identity/admin`, sub: subject, iat: Math.floor(Date.now() / 1000) };
      return (await signStatement(claims, payload, this.#signer)).entry;
    };
    return Promise.all(Array.from({ length: count }, make));
  }
}

function post(type: string, body: Uint8Array): RequestInit {
  return { method: 'POST', headers: { 'Content-Type': type }, body: body as Uint8Array<ArrayBuffer> };
}

/** What heads are checked against: the public half of the key file. */
async function trustOf(data: string): Promise<LogTrust> {
  const key = await readKeyFile(dataFolder(data).logKey);
  return { origin: ORIGIN, logKeys: [createSigner(key.name, key.type, key.seed, nodeEd25519).key] };
}

/** Numbers in [0, 1) that a seed fixes (mulberry32). What a kill hits still depends on the machine. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
