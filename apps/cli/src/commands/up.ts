import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataFolder, hasLog, initLog, openLogKeys } from '@treering/log';
import { formatVerifierKey } from '@treering/note';
import { printable } from '@treering/record';
import { stringify } from 'yaml';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { untilSignal } from '../signals.js';
import { keepUp, launchServer, type Running, type Supervised } from '../supervised.js';
import type { Streams } from '../terminal.js';
import { type ServeFlags, serve } from './serve.js';

/** Flags of `up`. */
export interface UpFlags extends ServeFlags {
  readonly alone?: boolean;
}

/** How many witnesses there are, and how many of them a published head needs. */
const WITNESSES = 3;
const QUORUM = 2;
/** The monitor listens so many ports after the log. */
const MONITOR_PORT = 8;
/** Milliseconds between two looks at the state of everything. */
const LOOK_INTERVAL = 2_000;
/** Keys of one log that the monitor takes; the oldest are left out. */
const MOST_KEYS = 16;
/** What the neighbours of the log see of the environment. */
const SHARED =
  /^(?:PATH|HOME|TZ|LANG|LANGUAGE|LC_[A-Z]+|TMPDIR|NO_COLOR|FORCE_COLOR|NODE_(?:OPTIONS|PATH|ENV|EXTRA_CA_CERTS|NO_WARNINGS|DEBUG|V8_COVERAGE|COMPILE_CACHE))$/;

/** `up`: a log, three witnesses and a monitor on this machine, each a process with its own key and data; begun on the first call. */
export async function up(session: Session, flags: UpFlags): Promise<number> {
  const { terminal, settings } = session;
  const { data } = settings;
  const listen = flags.listen ?? session.env.TREERING_LISTEN ?? '127.0.0.1:6962';
  if (flags.alone !== true) requirePorts(listen);
  if (!(await hasLog(data))) {
    const anchor = flags.anchor ?? session.env.TREERING_ANCHOR;
    const { origin } = await initLog(data, anchor === undefined ? {} : { anchor });
    terminal.line(
      `A new log ${origin} begins in ${data}: its keys are in ${join(data, 'keys')} (mode 600), its charter is entry 0.`,
    );
  }
  const level = { logLevel: 'warn', ...flags };
  if (flags.alone === true)
    return serve(session, level, (served) => sayReady(session, served.log.origin, served.vkey, served.url, []));
  return new Neighbourhood(session, level, listen).run();
}

/** The processes of `up`. */
class Neighbourhood {
  readonly #session: Session;
  readonly #flags: UpFlags;
  readonly #listen: string;
  /** Every process from its launch to its end. */
  readonly #running = new Set<Running>();
  readonly #stop = new AbortController();
  #witnesses: Supervised[] = [];
  #monitor: Supervised | undefined;
  #looks = false;
  #said = '';

  constructor(session: Session, flags: UpFlags, listen: string) {
    this.#session = session;
    this.#flags = flags;
    this.#listen = listen;
  }

  async run(): Promise<number> {
    const { terminal } = this.#session;
    const signalled = untilSignal();
    let looking: NodeJS.Timeout | undefined;
    try {
      const log = await Promise.race([signalled, this.#begin()]);
      if (log !== 'signal') {
        looking = setInterval(() => void this.#look(log.ready.url), LOOK_INTERVAL);
        const end = await Promise.race([signalled, log.ended]);
        if (typeof end === 'number') {
          terminal.remark('The log has stopped.');
          return end === 0 ? EXIT.failed : end;
        }
      }
      terminal.line('The log answers what it has, and everything closes.');
      await this.#end();
      return log === 'signal' || (await log.ended) === 0 ? EXIT.ok : EXIT.failed;
    } finally {
      clearInterval(looking);
      await this.#end();
    }
  }

  /** Starts everything, keeps it up but for the log, and says where it is. */
  async #begin(): Promise<Supervised> {
    const { terminal, settings } = this.#session;
    const { vkeys, retired } = await this.#logKeys();
    const origin = vkeys[0].slice(0, vkeys[0].indexOf('+'));
    await this.#writeLogList(vkeys);
    const starts = Array.from({ length: WITNESSES }, (_, i) => this.#startWitness(i, origin, nextPort(this.#listen, i + 1)));
    this.#witnesses = await Promise.all(starts);
    const policy = await this.#writePolicy(vkeys);
    const log = await this.#startLog(policy);
    const believed = [...vkeys, ...retired.slice(vkeys.length - MOST_KEYS)];
    await this.#writeMonitorConfig(believed, log.ready.url, policy, origin);
    const monitor = await this.#startMonitor(nextPort(this.#listen, MONITOR_PORT));
    this.#monitor = monitor;
    this.#stop.signal.throwIfAborted();
    for (const [i, witness] of this.#witnesses.entries())
      this.#keepUp(
        witness,
        () => this.#startWitness(i, origin, new URL(witness.ready.url).host),
        (again) => {
          this.#witnesses[i] = again;
        },
      );
    this.#keepUp(
      monitor,
      () => this.#startMonitor(new URL(monitor.ready.url).host),
      (again) => {
        this.#monitor = again;
      },
    );
    const witnesses = this.#witnesses.map(({ ready }) => ({ name: ready.name, vkey: ready.vkeys[0], url: ready.url }));
    sayReady(this.#session, origin, log.ready.vkey, log.ready.url, [
      ...witnesses.map(({ url, name }) => `witness       ${url}  ${printable(name)}`),
      `monitor       ${monitor.ready.url}`,
    ]);
    terminal.result({
      url: log.ready.url,
      origin,
      vkey: log.ready.vkey,
      data: settings.data,
      witnesses,
      monitor: monitor.ready.url,
    });
    return log;
  }

  /** Ends every process, whether it was ready or not. Witnesses last: the log publishes what it has when it closes. */
  async #end(): Promise<void> {
    this.#stop.abort();
    for (const kind of ['monitor', 'log', 'witness']) {
      const those = [...this.#running].filter(({ label }) => label.startsWith(kind));
      await Promise.all(those.map((running) => running.stop()));
    }
  }

  /** Verifier keys with which the log signs, the Ed25519 key first, and those of earlier generations. */
  async #logKeys(): Promise<{ vkeys: string[]; retired: string[] }> {
    const { settings, env } = this.#session;
    const locations = {
      log_key: this.#flags.signWith ?? env.TREERING_SIGN_WITH,
      publication_key: this.#flags.publicationKey ?? env.TREERING_PUBLICATION_KEY,
    };
    const keys = await openLogKeys(dataFolder(settings.data), locations, env);
    keys.close();
    const pairs = [keys, ...(keys.previous === undefined ? [] : [keys.previous])];
    return {
      vkeys: pairs.flatMap(({ signer, publicationSigner }) => [signer.key, publicationSigner.key].map(formatVerifierKey)),
      retired: (keys.retired ?? []).map(formatVerifierKey),
    };
  }

  async #writeLogList(vkeys: readonly string[]): Promise<void> {
    await writeFile(this.#path('witness-logs.txt'), vkeys.map((vkey) => `log ${vkey}\n`).join(''));
  }

  /** The quorum counts the Ed25519 cosignatures; the ML-DSA-44 ones of the same witnesses stand beside them. */
  async #writePolicy(vkeys: readonly string[]): Promise<string> {
    const lines = vkeys.map((vkey) => `log ${vkey}`);
    const members: string[] = [];
    this.#witnesses.forEach(({ ready }, i) => {
      const name = `witness-${i + 1}`;
      members.push(name);
      lines.push(`witness ${name} ${ready.vkeys[0]} ${ready.url}`, `witness ${name}-mldsa44 ${ready.vkeys[1]} ${ready.url}`);
    });
    lines.push(`group local ${QUORUM} ${members.join(' ')}`, 'quorum local');
    const path = this.#path('witness-policy.txt');
    await writeFile(path, `${lines.join('\n')}\n`);
    return path;
  }

  async #writeMonitorConfig(keys: readonly string[], url: string, policy: string, origin: string): Promise<void> {
    await mkdir(this.#path('monitor'), { recursive: true, mode: 0o700 });
    const config = { name: `${origin}/monitor`, interval: 5, logs: [{ keys, url, policy }] };
    await writeFile(this.#path('monitor', 'monitor.yaml'), stringify(config));
  }

  #logArguments(policy: string): string[] {
    const { data } = this.#session.settings;
    const flags: readonly (readonly [string, string | undefined])[] = [
      ['--data', data],
      ['--listen', this.#listen],
      ['--witnesses', this.#flags.witnesses ?? policy],
      ['--anchor', this.#flags.anchor],
      ['--public-url', this.#flags.publicUrl],
      ['--publish-interval', this.#flags.publishInterval],
      ['--rate', this.#flags.rate],
      ['--burst', this.#flags.burst],
      ['--identity-rate', this.#flags.identityRate],
      ['--identity-burst', this.#flags.identityBurst],
      ['--connections', this.#flags.connections],
      ['--under-way', this.#flags.underWay],
      ['--log-level', this.#flags.logLevel],
      ['--sign-with', this.#flags.signWith],
      ['--publication-key', this.#flags.publicationKey],
      ['--registrar-key', this.#flags.registrarKey],
    ];
    const given = flags.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
    return this.#flags.trustStore === true ? [...given, '--trust-store'] : given;
  }

  #startWitness(index: number, origin: string, listen: string): Promise<Supervised> {
    const name = `witness-${index + 1}`;
    const args = ['witness', 'serve', '--data', this.#path(name), '--name', `${origin}/${name}`, '--listen', listen];
    return this.#startNeighbour([...args, '--logs', this.#path('witness-logs.txt')], name, listen);
  }

  #startMonitor(listen: string): Promise<Supervised> {
    const args = ['monitor', 'serve', '--data', this.#path('monitor'), '--listen', listen];
    return this.#startNeighbour(args, 'monitor', listen);
  }

  #startLog(policy: string): Promise<Supervised> {
    return this.#start(['log', 'serve', ...this.#logArguments(policy)], 'log', this.#listen, this.#session.env);
  }

  /** What is set for the log, such as its keys and passphrases, is not meant for its neighbours. */
  #startNeighbour(args: readonly string[], label: string, listen: string): Promise<Supervised> {
    const env = Object.fromEntries(Object.entries(this.#session.env).filter(([name]) => SHARED.test(name)));
    return this.#start([...args, '--log-level', this.#flags.logLevel ?? 'warn'], label, listen, env);
  }

  async #start(args: readonly string[], label: string, listen: string, env: Streams['env']): Promise<Supervised> {
    this.#stop.signal.throwIfAborted();
    const launched = launchServer(args, label, listen, { ...this.#session.streams, env });
    this.#running.add(launched);
    void launched.ended.then(() => this.#running.delete(launched));
    return { ...launched, ready: await launched.ready };
  }

  #keepUp(server: Supervised, start: () => Promise<Supervised>, replace: (again: Supervised) => void): void {
    const say = (text: string): void => this.#session.terminal.remark(text);
    void keepUp(server, { start, replace, say, signal: this.#stop.signal });
  }

  /** How many of the log's witnesses have cosigned when they were asked last, and are ready to do so again. */
  async #countCosigning(log: Record<string, unknown> | undefined): Promise<number> {
    const circle = (log?.witnesses ?? []) as { url: string; size: number | null; trouble: string | null }[];
    const cosigning = await Promise.all(
      circle.map(async ({ url, size, trouble }) => {
        if (size === null || trouble !== null) return false;
        const own = this.#witnesses.find(({ ready }) => new URL(ready.url).host === new URL(url).host);
        // Somebody else's witness need not answer anything but the log's requests.
        return own === undefined || (await readJson(`${own.ready.url}/readyz`)) !== undefined;
      }),
    );
    return cosigning.filter(Boolean).length;
  }

  /** Says how everything is, whenever that changes. */
  async #look(url: string): Promise<void> {
    if (this.#looks) return;
    this.#looks = true;
    await this.#sayState(url).finally(() => {
      this.#looks = false;
    });
  }

  async #sayState(url: string): Promise<void> {
    const { terminal } = this.#session;
    const [log, monitor] = await Promise.all([readJson(`${url}/v1/log`), readJson(`${this.#monitor?.ready.url}/v1/monitor`)]);
    const witnesses = await this.#countCosigning(log);
    if (this.#stop.signal.aborted) return;
    const alarms = monitor?.alarms as number | undefined;
    const state = [
      log === undefined ? 'the log does not answer' : `the log is open`,
      `${witnesses} of ${WITNESSES} witnesses cosign`,
      alarms === undefined
        ? 'the monitor does not answer'
        : alarms === 0
          ? 'no alarm'
          : `${alarms} alarms, see ${this.#monitor?.ready.url}/v1/alarms`,
    ].join(', ');
    if (state === this.#said) return;
    this.#said = state;
    const well = log !== undefined && witnesses === WITNESSES && alarms === 0;
    terminal.line(terminal.colour(well ? 'good' : 'bad', `State: ${state}.`));
  }

  #path(...parts: string[]): string {
    return join(this.#session.settings.data, ...parts);
  }
}

function sayReady({ terminal }: Session, origin: string, vkey: string, url: string, more: readonly string[]): void {
  terminal.line();
  terminal.line(`${terminal.bold('Treering is up.')}  Ctrl-C ends it; everything acknowledged stays.`);
  terminal.line(`  origin        ${origin}`);
  terminal.line(`  verifier key  ${vkey}`);
  terminal.line(`  URL           ${url}`);
  for (const line of more) terminal.line(`  ${line}`);
  terminal.line();
  terminal.line('Try next, in a second terminal:');
  terminal.line(
    '  npm run -s treering -- record model <folder> --name my-model --version 1.0 --reason "First version of the model."',
  );
  terminal.line('  npm run -s treering -- history model/my-model');
  terminal.line(`  npm run -s treering -- verify my-model-1.0.tlog-proof --key '${vkey}'`);
}

/** @throws UsageError when the neighbours of the log would have no ports */
function requirePorts(listen: string): void {
  if (!/:[0-9]{1,5}$/.test(listen)) throw new UsageError(`--listen takes <address>:<port>, and ${listen} is none`);
  const port = Number(listen.slice(listen.lastIndexOf(':') + 1));
  const last = 65_535 - MONITOR_PORT;
  if (port > last)
    throw new UsageError(
      `--listen takes a port up to ${last}, and ${port} is higher: witnesses and monitor listen up to ${MONITOR_PORT} ports further`,
    );
}

/** The address `n` ports further; a free one stays a free one. */
function nextPort(listen: string, n: number): string {
  const colon = listen.lastIndexOf(':');
  const port = Number(listen.slice(colon + 1));
  return `${listen.slice(0, colon)}:${port === 0 ? 0 : port + n}`;
}

async function readJson(url: string): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(LOOK_INTERVAL) });
    return response.ok ? ((await response.json()) as Record<string, unknown>) : undefined;
  } catch {
    // It does not answer: that is what there is to say.
    return undefined;
  }
}
