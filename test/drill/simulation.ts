import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fetch } from '@treering/client';
import { nodeMeans } from '@treering/foreign/node';
import {
  createApp as createLogApp,
  createMetrics as createLogMetrics,
  Log,
  logKeysFrom,
  parseConfig,
  STARTING_POLICY,
} from '@treering/log';
import { nodeHasher } from '@treering/merkle/node';
import { createMetrics, createApp as createMonitorApp, Monitor, MonitorStore, type WatchedLogConfig } from '@treering/monitor';
import { createSigner, formatVerifierKey, KEY_TYPE, parsePolicy, type Signer } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { type ChangeRecord, encodeRecord } from '@treering/record';
import { SequencerError } from '@treering/sequencer';
import { ByteBudget, RateLimit } from '@treering/server';
import { createStatementSigner, encodeCoseKey, parseStatement, type StatementSigner, signStatement } from '@treering/statement';
import { createMemoryStorage, type Storage, type StoredHead } from '@treering/storage';
import {
  createFileAnchor,
  createApp as createWitnessApp,
  Witness,
  WitnessStore,
  createMetrics as witnessMetrics,
} from '@treering/witness';
import { pino } from 'pino';

// A world in one process, with its own clock and network: logs, witnesses and monitors speak over functions that stand for sockets.

export const ORIGIN = 'log.world/ai';
const silent = pino({ level: 'silent' });

/** Whoever answers requests. */
type Host = (request: Request) => Response | Promise<Response>;

/** Alters what goes over the network: returns an answer in place of the host's, throws, or lets it pass (undefined). */
export type Interference = (request: Request, pass: () => Promise<Response>) => Promise<Response> | undefined;

/** Time, and who can be reached under which name. */
export class World {
  /** Milliseconds since the epoch. */
  now = 1_800_000_000_000;
  readonly hosts = new Map<string, Host>();
  /** By the name of the host that asks. */
  readonly interference = new Map<string, Interference>();
  readonly #folders: string[] = [];

  /** The network as one host sees it. */
  fetchFrom(asker: string): Fetch {
    return async (url, init) => {
      const request = new Request(url, init);
      const host = this.hosts.get(new URL(url).hostname);
      const pass = async (): Promise<Response> => {
        if (host === undefined) throw new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } });
        return host(request);
      };
      return this.interference.get(asker)?.(request, pass) ?? pass();
    };
  }

  advance(seconds: number): void {
    this.now += seconds * 1000;
  }

  folder(): string {
    const path = mkdtempSync(join(tmpdir(), 'treering-world-'));
    this.#folders.push(path);
    return path;
  }

  /** Removes what it left on the disk. */
  close(): void {
    for (const path of this.#folders) rmSync(path, { recursive: true, force: true });
  }
}

/** 32 bytes from a text. */
export function seedOf(text: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(text).digest());
}

/** Keys of the log of the world; every history of it has the same. */
export const LOG_SIGNERS = [
  createSigner(ORIGIN, KEY_TYPE.ed25519, seedOf('log'), nodeEd25519),
  createSigner(ORIGIN, KEY_TYPE.mldsa44Cosignature, seedOf('publication')),
] as const;

export const ADMIN = createStatementSigner(seedOf('admin'), nodeEd25519);

/** A log under a name; several with the same keys are several histories. */
export class SimulatedLog {
  readonly world: World;
  readonly host: string;
  policyText: string | undefined;
  storage: Storage;
  log!: Log;
  #anchor: Uint8Array | null = null;
  #counter = 0;
  /** Why it may not go on. */
  fatal: Error | undefined;

  constructor(world: World, host: string, policyText?: string) {
    this.world = world;
    this.host = host;
    this.policyText = policyText;
    this.storage = createMemoryStorage();
  }

  /** Opens it on its store, and begins it when that is empty. */
  async start({ trustStore = false }: { readonly trustStore?: boolean } = {}): Promise<this> {
    const { world, policyText } = this;
    this.log = await Log.open({
      storage: this.storage,
      anchor: {
        read: async () => this.#anchor,
        write: async (note) => {
          this.#anchor = note;
        },
      },
      keys: logKeysFrom(
        { name: ORIGIN, type: KEY_TYPE.ed25519, seed: seedOf('log') },
        { name: ORIGIN, type: KEY_TYPE.mldsa44Cosignature, seed: seedOf('publication') },
      ),
      means: nodeMeans,
      clock: () => world.now,
      refresh: 600_000,
      trustStore,
      onFatal: (error) => {
        this.fatal = error;
      },
      ...(policyText === undefined
        ? {}
        : { witnesses: { policy: parsePolicy(policyText), timeout: 3000, grace: 20, fetch: world.fetchFrom(this.host) } }),
    });
    if (this.log.sequencer.head === null) await this.log.begin(await this.#charter());
    const config = parseConfig({ data: 'memory' });
    const app = createLogApp(
      {
        log: this.log,
        config,
        metrics: createLogMetrics(this.log),
        rateLimit: new RateLimit(0, 1),
        url: () => `http://${this.host}`,
        closing: new AbortController().signal,
        bodies: new ByteBudget(config.body_bytes),
      },
      silent,
    );
    world.hosts.set(this.host, (request) => app.request(request));
    return this;
  }

  /** As if the process had been killed. */
  stop(): void {
    this.world.hosts.delete(this.host);
  }

  /** Store and anchor as they are now; for logs without a full tile. */
  async snapshot() {
    const head = (await this.storage.head()) as StoredHead;
    const entries = (await this.storage.entries(0, head.size)).map((bytes) => ({
      bytes,
      leafHash: nodeHasher.hashLeaf(bytes),
      topic: parseStatement(bytes).sub,
    }));
    return { head, entries, published: await this.storage.published(), anchor: this.#anchor };
  }

  /** Brings a snapshot back, as from a backup. */
  async restore({ head, entries, published, anchor }: Awaited<ReturnType<SimulatedLog['snapshot']>>): Promise<void> {
    this.storage = createMemoryStorage();
    await this.storage.commit({ entries, tiles: [], head }, null);
    if (published !== null) await this.storage.publish(published);
    this.#anchor = anchor;
  }

  async #charter(): Promise<Uint8Array> {
    const charter: ChangeRecord = {
      v: 1,
      type: 'charter',
      subject: 'charter',
      reason: 'The log of a simulated world begins.',
      origin: ORIGIN,
      log_keys: LOG_SIGNERS.map(({ key }) => formatVerifierKey(key)),
      administrators: [{ id: 'admin', key: encodeCoseKey(ADMIN.key), roles: ['administrator', 'engineer'] }],
      threshold: 1,
      policy: STARTING_POLICY,
      witnesses: [],
    };
    return (await this.statement(charter)).entry;
  }

  /** A statement of the administrator, or of somebody else. */
  statement(record: ChangeRecord, signer: StatementSigner = ADMIN, id = 'admin', iat = Math.floor(this.world.now / 1000)) {
    const claims = { iss: `${ORIGIN}/identity/${id}`, sub: record.subject, iat };
    return signStatement(claims, encodeRecord(record), signer);
  }

  /** Logs incidents. */
  async grow(count: number, what = this.host): Promise<void> {
    for (let i = 0; i < count; i++) await this.submit(incident(`Number ${this.#counter++} on ${what}.`));
  }

  async submit(record: ChangeRecord): Promise<number> {
    return (await this.log.submit((await this.statement(record)).entry)).index;
  }

  /** Publishes if the quorum allows. @returns whether it did */
  async publish(): Promise<boolean> {
    try {
      return (await this.log.publisher.publish()) !== null;
    } catch (error) {
      if (error instanceof SequencerError) return false;
      throw error;
    }
  }

  /** Another history of the same log: what is stored so far, and from here on its own. */
  async fork(host: string, policyText = this.policyText): Promise<SimulatedLog> {
    const other = new SimulatedLog(this.world, host, policyText);
    const size = this.log.sequencer.head?.size ?? 0;
    await other.start();
    for (const entry of (await this.storage.entries(0, size)).slice(1)) await other.log.submit(entry);
    return other;
  }
}

export function incident(reason: string): ChangeRecord {
  return { v: 1, type: 'incident', subject: 'model/wink', reason, severity: 'low', aware_at: 1_800_000_000_000, affected: [] };
}

/** A witness under a name, with an Ed25519 key, and an ML-DSA-44 key if asked for. */
export class SimulatedWitness {
  readonly world: World;
  readonly host: string;
  readonly data: string;
  readonly signers: readonly Signer[];
  /** Milliseconds by which its clock is wrong. */
  skew = 0;
  store!: WitnessStore;
  witness!: Witness;

  constructor(world: World, host: string) {
    this.world = world;
    this.host = host;
    this.data = world.folder();
    this.signers = [createSigner(host, KEY_TYPE.ed25519Cosignature, seedOf(host), nodeEd25519)];
  }

  get policyLine(): string {
    return `witness ${this.host} ${formatVerifierKey(this.signers[0].key)} http://${this.host}`;
  }

  start(): this {
    const path = join(this.data, 'witness.db');
    const anchor = createFileAnchor(join(this.data, 'generation'));
    try {
      this.store = WitnessStore.open(path, { mode: 'open' }, anchor);
    } catch (error) {
      if ((error as { code?: string }).code !== 'storage/missing') throw error;
      WitnessStore.open(path, { mode: 'create' }, anchor).close();
      this.store = WitnessStore.open(path, { mode: 'open' }, anchor);
    }
    this.store.addLogs([{ origin: ORIGIN, keys: LOG_SIGNERS.map(({ key }) => key) }]);
    this.witness = new Witness({ store: this.store, signers: this.signers, clock: () => this.world.now + this.skew });
    const app = createWitnessApp({
      witness: this.witness,
      metrics: witnessMetrics(this.witness),
      bodies: new ByteBudget(1 << 26),
      logger: silent,
    });
    this.world.hosts.set(this.host, (request) => app.request(request));
    return this;
  }

  stop(): void {
    this.world.hosts.delete(this.host);
    this.store.close();
  }
}

/** A witness that cosigns whatever it is shown. */
export function colludingWitness(
  world: World,
  host: string,
): { readonly policyLine: string; readonly shown: Map<string, string> } {
  const signer = createSigner(host, KEY_TYPE.ed25519Cosignature, seedOf(host), nodeEd25519);
  const shown = new Map<string, string>();
  world.hosts.set(host, async (request) => {
    if (request.method === 'GET') {
      const last = [...shown.values()].pop();
      return last === undefined ? new Response('', { status: 404 }) : new Response(last);
    }
    const body = await request.text();
    const note = body.slice(body.indexOf('\n\n') + 2);
    const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
    const { name, signature, id } = signer.sign(text, BigInt(Math.floor(world.now / 1000)));
    const line = `\u2014 ${name} ${Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64')}\n`;
    shown.set(text, `${note}${line}`);
    return new Response(line);
  });
  return { policyLine: `witness ${host} ${formatVerifierKey(signer.key)} http://${host}`, shown };
}

/** A policy in which k of these witnesses must agree. */
export function policyOf(lines: readonly string[], k: number): string {
  const names = lines.map((line) => line.split(' ')[1]);
  return `${lines.join('\n')}\ngroup all-of-us ${k} ${names.join(' ')}\nquorum all-of-us\n`;
}

/** How a monitor watches the log of the world. */
export interface WatchOptions {
  /** The host under which it sees the log. */
  readonly at: string;
  readonly policyText?: string;
  readonly peers?: readonly string[];
  readonly audit?: boolean;
  readonly staleAfter?: number;
  readonly webhooks?: readonly string[];
}

/** A monitor under a name. */
export class SimulatedMonitor {
  readonly world: World;
  readonly host: string;
  readonly signer: StatementSigner;
  readonly #path: string;
  readonly #options: WatchOptions;
  /** Alarms as they were raised, and as they were cleared. */
  readonly raised: string[] = [];
  readonly cleared: string[] = [];
  monitor!: Monitor;

  constructor(world: World, host: string, options: WatchOptions) {
    this.world = world;
    this.host = host;
    this.signer = createStatementSigner(seedOf(host), nodeEd25519);
    this.#path = join(world.folder(), 'monitor.db');
    this.#options = options;
    MonitorStore.open(this.#path, { mode: 'create' }).close();
  }

  start(): this {
    const { world, host, signer } = this;
    const { at, policyText, peers = [], audit = true, staleAfter = 1800, webhooks = [] } = this.#options;
    const config: WatchedLogConfig = {
      origin: ORIGIN,
      keys: LOG_SIGNERS.map(({ key }) => key),
      url: `http://${at}`,
      policy: policyText === undefined ? undefined : parsePolicy(policyText),
      policyText,
      audit,
      staleAfter,
      deployWithin: 3600,
      remindBefore: 172_800,
    };
    this.monitor = new Monitor({
      store: MonitorStore.open(this.#path, { mode: 'open' }),
      name: host,
      signer,
      logs: [config],
      peers: peers.map((peer) => `http://${peer}`),
      webhooks,
      means: nodeMeans,
      clock: () => world.now,
      fetch: world.fetchFrom(host),
      timeout: 1000,
      onAlarm: ({ kind, about }, event) =>
        (event === 'raised' ? this.raised : this.cleared).push(about === '' ? kind : `${kind} ${about}`),
    });
    const app = createMonitorApp({
      monitor: this.monitor,
      vkey: '',
      metrics: createMetrics(this.monitor),
      bodies: new ByteBudget(1 << 26),
      logger: silent,
    });
    world.hosts.set(host, (request) => app.request(request));
    return this;
  }

  async poll(seconds = 10): Promise<void> {
    this.world.advance(seconds);
    await this.monitor.poll();
  }

  /** The proof file of the newest alarm of a kind. */
  proof(kind: string): Uint8Array {
    const alarm = this.monitor.store.alarms().find((candidate) => candidate.kind === kind);
    const proof = alarm === undefined ? undefined : this.monitor.store.proof(alarm.id);
    if (proof === undefined) throw new Error(`there is no alarm of the kind ${kind}`);
    return proof;
  }

  async stop(): Promise<void> {
    this.world.hosts.delete(this.host);
    await this.monitor.close();
  }

  /** As if the process had been killed: nothing is saved. */
  kill(): void {
    this.world.hosts.delete(this.host);
    this.monitor.store.close();
  }
}
