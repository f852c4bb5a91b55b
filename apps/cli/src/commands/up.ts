import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataFolder, hasLog, initLog, openLogKeys } from '@treering/log';
import { formatVerifierKey } from '@treering/note';
import { printable } from '@treering/record';
import { stringify } from 'yaml';
import { EXIT } from '../exit.js';
import type { Session } from '../session.js';
import { untilSignal } from '../signals.js';
import { type Supervised, startServer } from '../supervised.js';
import { type ServeFlags, serve } from './serve.js';

/** Flags of `up`. */
export interface UpFlags extends ServeFlags {
  readonly alone?: boolean;
}

/** How many witnesses there are, and how many of them a published head needs. */
const WITNESSES = 3;
const QUORUM = 2;
/** Milliseconds between two looks at the state of everything, and before a server that ended is started again. */
const LOOK_INTERVAL = 2_000;
const RESTART_WAIT = 1_000;

/** `up`: a log, three witnesses and a monitor on this machine, each a process with its own key and data; begun on the first call. */
export async function up(session: Session, flags: UpFlags): Promise<number> {
  const { terminal, settings } = session;
  const { data } = settings;
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
  return new Neighbourhood(session, level).run();
}

/** The processes of `up`. */
class Neighbourhood {
  readonly #session: Session;
  readonly #flags: UpFlags;
  readonly #witnesses: Supervised[] = [];
  #monitor: Supervised | undefined;
  #stopping = false;
  #said = '';

  constructor(session: Session, flags: UpFlags) {
    this.#session = session;
    this.#flags = flags;
  }

  async run(): Promise<number> {
    const { terminal, settings, env } = this.#session;
    const signalled = untilSignal();
    const listen = this.#flags.listen ?? env.TREERING_LISTEN ?? '127.0.0.1:6962';
    try {
      const vkeys = await this.#logKeys();
      const origin = vkeys[0].slice(0, vkeys[0].indexOf('+'));
      await this.#writeLogList(vkeys);
      const starts = Array.from({ length: WITNESSES }, (_, i) => this.#startWitness(i, origin, nextPort(listen, i + 1)));
      this.#witnesses.push(...(await Promise.all(starts)));
      const policy = await this.#writePolicy(vkeys);
      const log = await startServer(['log', 'serve', ...this.#logArguments(listen, policy)], 'log', this.#session.streams);
      await this.#writeMonitorConfig(vkeys, log.ready.url, policy, origin);
      this.#monitor = await this.#startMonitor(nextPort(listen, 8));
      for (const [i, witness] of this.#witnesses.entries())
        this.#keepUp(
          witness,
          () => this.#startWitness(i, origin, new URL(witness.ready.url).host),
          (again) => {
            this.#witnesses[i] = again;
          },
        );
      const monitor = this.#monitor;
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
      const looking = setInterval(() => void this.#look(log.ready.url), LOOK_INTERVAL);
      const end = await Promise.race([signalled, log.ended]);
      clearInterval(looking);
      if (typeof end === 'number') {
        terminal.remark('The log has stopped.');
        return end === 0 ? EXIT.failed : end;
      }
      terminal.line('The log answers what it has, and everything closes.');
      this.#stopping = true;
      await this.#monitor.stop();
      // Witnesses last: the log publishes what it has when it closes.
      await log.stop();
      return (await log.ended) === 0 ? EXIT.ok : EXIT.failed;
    } finally {
      this.#stopping = true;
      await this.#monitor?.stop();
      await Promise.all(this.#witnesses.map((witness) => witness.stop()));
    }
  }

  /** Verifier keys of the log, the Ed25519 key first. */
  async #logKeys(): Promise<string[]> {
    const { settings, env } = this.#session;
    const locations = {
      log_key: this.#flags.signWith ?? env.TREERING_SIGN_WITH,
      publication_key: this.#flags.publicationKey ?? env.TREERING_PUBLICATION_KEY,
    };
    const keys = await openLogKeys(dataFolder(settings.data), locations, env);
    keys.close();
    const pairs = [keys, ...(keys.previous === undefined ? [] : [keys.previous])];
    return pairs.flatMap(({ signer, publicationSigner }) => [signer.key, publicationSigner.key].map(formatVerifierKey));
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

  async #writeMonitorConfig(vkeys: readonly string[], url: string, policy: string, origin: string): Promise<void> {
    await mkdir(this.#path('monitor'), { recursive: true, mode: 0o700 });
    const config = { name: `${origin}/monitor`, interval: 5, logs: [{ keys: vkeys, url, policy }] };
    await writeFile(this.#path('monitor', 'monitor.yaml'), stringify(config));
  }

  #logArguments(listen: string, policy: string): string[] {
    const { data } = this.#session.settings;
    const flags: readonly (readonly [string, string | undefined])[] = [
      ['--data', data],
      ['--listen', listen],
      ['--witnesses', this.#flags.witnesses ?? policy],
      ['--anchor', this.#flags.anchor],
      ['--public-url', this.#flags.publicUrl],
      ['--publish-interval', this.#flags.publishInterval],
      ['--rate', this.#flags.rate],
      ['--burst', this.#flags.burst],
      ['--connections', this.#flags.connections === undefined ? undefined : String(this.#flags.connections)],
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
    return this.#start([...args, '--logs', this.#path('witness-logs.txt')], name);
  }

  #startMonitor(listen: string): Promise<Supervised> {
    return this.#start(['monitor', 'serve', '--data', this.#path('monitor'), '--listen', listen], 'monitor');
  }

  /** What is set for the log is not meant for its neighbours. */
  #start(args: readonly string[], label: string): Promise<Supervised> {
    const { streams } = this.#session;
    const own = ['TREERING_ANCHOR', 'TREERING_SIGN_WITH', 'TREERING_WITNESSES'];
    const env = Object.fromEntries(Object.entries(streams.env).filter(([name]) => !own.includes(name)));
    return startServer([...args, '--log-level', this.#flags.logLevel ?? 'warn'], label, { ...streams, env });
  }

  /** Starts a server again whenever it ends by itself. */
  #keepUp(server: Supervised, start: () => Promise<Supervised>, replace: (again: Supervised) => void): void {
    void server.ended.then(async (code) => {
      while (!this.#stopping) {
        this.#session.terminal.remark(`A process ended with code ${code}; it is started again.`);
        await new Promise((resolve) => setTimeout(resolve, RESTART_WAIT));
        if (this.#stopping) return;
        const again = await start().catch((error: Error) => {
          this.#session.terminal.remark(error.message);
          return undefined;
        });
        if (again === undefined) continue;
        replace(again);
        this.#keepUp(again, start, replace);
        return;
      }
    });
  }

  /** Says how everything is, whenever that changes. */
  async #look(url: string): Promise<void> {
    const { terminal } = this.#session;
    const [log, monitor] = await Promise.all([readJson(`${url}/v1/log`), readJson(`${this.#monitor?.ready.url}/v1/monitor`)]);
    if (this.#stopping) return;
    const witnesses = ((log?.witnesses ?? []) as { trouble: string | null }[]).filter(({ trouble }) => trouble === null).length;
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

/** The address `n` ports further; a free one stays a free one. */
function nextPort(listen: string, n: number): string {
  const colon = listen.lastIndexOf(':');
  const port = Number(listen.slice(colon + 1));
  return `${listen.slice(0, colon)}:${port === 0 ? 0 : port + n}`;
}

async function readJson(url: string): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LOOK_INTERVAL) });
    return response.ok ? ((await response.json()) as Record<string, unknown>) : undefined;
  } catch {
    // It does not answer: that is what there is to say.
    return undefined;
  }
}
