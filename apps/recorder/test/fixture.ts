import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteBudget } from '@treering/server';
import { pino } from 'pino';
import { createApp, type ModelVersion, type Prepared, type Publisher, RecorderStore, signDelivery } from '../src/index.js';

export const SECRET = 'the secret of the webhook';
/** Milliseconds since the epoch. */
export const NOW = 1_767_323_045_000;
export const silent = pino({ level: 'silent' });

const folders: string[] = [];
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A new folder. */
export function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'treering-recorder-'));
  folders.push(made);
  return made;
}

/** The body of an event, as MLflow writes it. */
export function body(event: string, data: object): Uint8Array {
  const [entity, action] = event.split('.');
  return new TextEncoder().encode(JSON.stringify({ entity, action, timestamp: '2026-01-02T03:04:05+00:00', data }));
}

/** The body of `model_version.created`. */
export function created(name: string, version: string, source: string): Uint8Array {
  return body('model_version.created', { name, version, source, run_id: null, tags: {}, description: null });
}

/** The headers of a signed delivery. */
export function signed(id: string, bytes: Uint8Array, seconds = NOW / 1000, secret = SECRET): Record<string, string> {
  const timestamp = String(seconds);
  return {
    'Content-Type': 'application/json',
    'X-MLflow-Delivery-Id': id,
    'X-MLflow-Timestamp': timestamp,
    'X-MLflow-Signature': signDelivery(secret, id, timestamp, bytes),
  };
}

/** A store in a new folder, and the app over it. */
export function recorder() {
  const path = join(folder(), 'recorder.db');
  const store = RecorderStore.open(path, { mode: 'create' });
  let arrivals = 0;
  const app = createApp({
    store,
    secret: SECRET,
    bodies: new ByteBudget(1024 * 1024),
    logger: silent,
    arrived: () => arrivals++,
    clock: () => NOW,
  });
  const post = async (bytes: Uint8Array, headers: Record<string, string>) => {
    const answer = await app.request('/mlflow', { method: 'POST', headers, body: bytes as Uint8Array<ArrayBuffer> });
    // biome-ignore lint/suspicious/noExplicitAny: answers have many shapes
    return { status: answer.status, json: (await answer.json()) as any };
  };
  return { path, store, app, post, arrivals: () => arrivals };
}

/** A log of statements that logs each of them once, and can be told to fail. */
export class FakeLog implements Publisher {
  readonly prepared: ModelVersion[] = [];
  /** Everything that was sent, also twice. */
  readonly sent: string[] = [];
  readonly logged: string[] = [];
  /** Digests of the attachments that it took. */
  readonly uploaded: string[] = [];
  /** Thrown by the next calls, in their order; `after` lets the call do its work first. */
  readonly failures: { in: 'prepare' | 'submit' | 'upload'; error: Error; after?: boolean }[] = [];

  async prepare(version: ModelVersion): Promise<Prepared | { known: Uint8Array }> {
    this.#fail('prepare', false);
    this.prepared.push(version);
    const statement = new TextEncoder().encode(`${version.segment} ${version.version} signed ${this.prepared.length}`);
    return { statement, attachments: [{ digest: 'ab'.repeat(32), blob: new Uint8Array([1, 2]) }] };
  }

  async submit({ statement }: Prepared): Promise<{ leaf: Uint8Array; index: number }> {
    this.#fail('submit', false);
    const text = new TextDecoder().decode(statement);
    this.sent.push(text);
    if (!this.logged.includes(text)) this.logged.push(text);
    this.#fail('submit', true);
    return { leaf: new Uint8Array(32).fill(this.logged.indexOf(text) + 1), index: this.logged.indexOf(text) };
  }

  async upload({ attachments }: Prepared): Promise<void> {
    this.#fail('upload', false);
    this.uploaded.push(...attachments.map(({ digest }) => digest));
  }

  #fail(where: 'prepare' | 'submit' | 'upload', after: boolean): void {
    const [next] = this.failures;
    if (next?.in !== where || (next.after ?? false) !== after) return;
    this.failures.shift();
    throw next.error;
  }
}
