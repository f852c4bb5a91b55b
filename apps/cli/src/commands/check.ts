import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { LogClient } from '@treering/client';
import type { Difference } from '@treering/deployment';
import { hex } from '@treering/note';
import { createAttachment, printable, type RecordOf, stateDigest } from '@treering/record';
import type { FileHash } from '@treering/record/node';
import { type Finding, findDifferences, summaryOf } from '../check/findings.js';
import { readHashCache, writeHashCache } from '../check/hash-cache.js';
import { readInService } from '../check/logged.js';
import { type Observed, observe } from '../check/observed.js';
import { readTargets, type Target, type Targets } from '../check/targets.js';
import { findUnlogged } from '../check/unlogged.js';
import { EXIT, exitOf, UsageError } from '../exit.js';
import { provedRules } from '../replay.js';
import type { Session } from '../session.js';
import { stateFolder } from '../session.js';
import { untilSignal } from '../signals.js';
import { previousLeaf, submitRecord } from '../submit.js';

/** Flags of `check`. */
export interface CheckFlags {
  readonly targets?: string;
  readonly env?: string;
  readonly service?: string;
  readonly model?: string;
  readonly ignore?: readonly string[];
  readonly config?: readonly string[];
  readonly systemPrompt?: string;
  readonly image?: string;
  readonly pidFile?: string;
  readonly every?: number;
  /** Seconds between two passes that read every file. */
  readonly fullEvery: number;
  /** Seconds after which a service is recorded again though nothing has changed. */
  readonly recordEvery: number;
  /** false only looks. */
  readonly record: boolean;
  readonly access: 'public' | 'restricted' | 'withheld';
  readonly resume?: string;
}

/** What was recorded of a service last. */
interface Recorded {
  readonly what: string;
  readonly at: number;
}

/** The service that stands for processes that belong to none. */
const UNLOGGED = 'unlogged';

/** `check`: the verification routine. Once, or again and again until it is told to end. */
export async function check(session: Session, flags: CheckFlags): Promise<number> {
  const targets =
    flags.targets === undefined ? oneTarget(session, flags) : await readTargets(resolve(session.cwd, flags.targets));
  const routine = new Routine(session, flags, targets);
  if (flags.every === undefined) return routine.pass();
  const ended = untilSignal();
  for (let signalled = false; !signalled; ) {
    await routine.pass().catch((error: unknown) => {
      const { message } = exitOf(error);
      session.terminal.remark(`treering: ${message}; it is tried again in ${flags.every} seconds`);
    });
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise<'again'>((done) => {
      timer = setTimeout(done, (flags.every as number) * 1000, 'again');
    });
    signalled = (await Promise.race([ended, pause])) === 'signal';
    clearTimeout(timer);
  }
  return EXIT.ok;
}

/** One service, said on the command line. */
function oneTarget({ cwd }: Session, flags: CheckFlags): Targets {
  const { env: environment, service, model, config } = flags;
  if (environment === undefined || service === undefined || model === undefined || config === undefined)
    throw new UsageError('say what to look at: --targets <file>, or --env, --service, --model and --config');
  const full = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(cwd, path));
  const target: Target = {
    service,
    model: resolve(cwd, model),
    ignore: flags.ignore ?? [],
    config: config.map((path) => resolve(cwd, path)),
    systemPrompt: full(flags.systemPrompt),
    image: flags.image,
    pid: full(flags.pidFile),
  };
  return { environment, services: [target], watch: [] };
}

/** The verification routine of one machine. */
class Routine {
  readonly #session: Session;
  readonly #client: LogClient;
  readonly #flags: CheckFlags;
  readonly #targets: Targets;
  readonly #recorded = new Map<string, Recorded>();
  readonly #cache: string;

  constructor(session: Session, flags: CheckFlags, targets: Targets) {
    this.#session = session;
    this.#client = session.client();
    this.#flags = flags;
    this.#targets = targets;
    const id = createHash('sha256')
      .update(JSON.stringify([session.trust().origin, targets]))
      .digest('hex')
      .slice(0, 32);
    this.#cache = join(stateFolder(session.env), 'checks', `${id}.cache`);
  }

  /** Looks once at everything. @returns the exit code: 1 when anything differs */
  async pass(): Promise<number> {
    const { terminal } = this.#session;
    const observed = await this.#observe();
    const findings = await this.#compare(observed);
    const services: unknown[] = [];
    for (const finding of findings) {
      const entry = this.#flags.record ? await this.#record(finding) : undefined;
      this.#print(finding, entry);
      services.push(summary(finding, entry));
    }
    const good = findings.every(({ verdict }) => verdict !== 'mismatch');
    terminal.result({ match: good, environment: this.#targets.environment, services });
    return good ? EXIT.ok : EXIT.failed;
  }

  /** Reads what lies on disk and runs: everything from time to time, otherwise what the file system calls changed. */
  async #observe(): Promise<Map<string, Observed>> {
    const now = Date.now();
    const cache = await readHashCache(this.#cache);
    const full = cache === undefined || now - cache.fullAt >= this.#flags.fullEvery * 1000 || cache.fullAt > now;
    const known: ReadonlyMap<string, FileHash> = full ? new Map() : cache.hashes;
    const out = new Map<string, Observed>();
    for (const target of this.#targets.services) out.set(target.service, await observe(target, known));
    const hashes = new Map([...out.values()].flatMap((one) => [...one.hashes]));
    await writeHashCache(this.#cache, { fullAt: full ? now : cache.fullAt, hashes });
    return out;
  }

  async #compare(observed: ReadonlyMap<string, Observed>): Promise<Finding[]> {
    const { resume, targets: file } = this.#flags;
    const progress = resume === undefined ? {} : { resume: resolve(this.#session.cwd, resume) };
    const { state } = await provedRules(this.#session, this.#client, progress);
    const logged = await readInService(this.#client, state, this.#targets.environment);
    // Of one service alone nothing is said about the others.
    const others = file === undefined ? [] : [...logged.keys()];
    const findings: Finding[] = [];
    for (const service of new Set([...observed.keys(), ...others])) {
      const [standing, found] = [logged.get(service), observed.get(service)];
      if (service !== UNLOGGED || found !== undefined || standing?.active !== undefined)
        findings.push(await findDifferences(this.#session, this.#client, service, standing, found));
    }
    const pids = [...observed.values()].flatMap(({ pid }) => pid ?? []);
    const unlogged = await findUnlogged(this.#targets.watch, pids);
    return unlogged.length === 0 ? findings : [...findings, unloggedFinding(unlogged)];
  }

  /** Writes a `verification` when something has changed, or when the last one has grown old. */
  async #record(finding: Finding): Promise<number | undefined> {
    const { verdict, service, deployment, state, differences } = finding;
    if (verdict !== 'match' && verdict !== 'mismatch') return undefined;
    const what = JSON.stringify([verdict, deployment?.index, hex(state), differences]);
    const last = this.#recorded.get(service);
    if (last?.what === what && Date.now() - last.at < this.#flags.recordEvery * 1000) return undefined;
    const subject = `deploy/${this.#targets.environment}/${service}`;
    const report = { host: hostname(), ...summary(finding, undefined) };
    const attachment = createAttachment(
      new TextEncoder().encode(`${JSON.stringify(report, undefined, 1)}\n`),
      { name: 'verification.json', media_type: 'application/json', access: this.#flags.access },
      new Uint8Array(randomBytes(16)),
    );
    const prev = await previousLeaf(this.#client, subject);
    const record: RecordOf<'verification'> = {
      v: 1,
      type: 'verification',
      subject,
      reason: summaryOf(finding),
      observed: state,
      verdict,
      about: 'state',
      attachments: [attachment.ref],
      ...(deployment === undefined ? {} : { deployment: deployment.leaf }),
      ...(prev === undefined ? {} : { prev }),
    };
    const proof = join(stateFolder(this.#session.env), 'checks', `${subject.replace(/\//g, '-')}.tlog-proof`);
    const { index } = await submitRecord(quiet(this.#session), this.#client, record, { attachments: [attachment], proof });
    this.#recorded.set(service, { what, at: Date.now() });
    return index;
  }

  #print({ service, verdict, deployment, differences, unseen }: Finding, entry: number | undefined): void {
    const { terminal } = this.#session;
    const name = terminal.bold(`deploy/${this.#targets.environment}/${printable(service)}`);
    const recorded = entry === undefined ? '' : ` (recorded as entry ${entry})`;
    const notSeen = unseen.length === 0 ? '' : terminal.colour('dim', `; nobody looked at ${unseen.join(' and ')}`);
    if (verdict === 'nothing') terminal.line(`  ${name}: nothing runs, and nothing is logged to run`);
    else if (verdict === 'in-progress') terminal.line(`  ${name}: what is announced is there, and not logged as active yet`);
    else if (verdict === 'match')
      terminal.line(
        `${terminal.colour('good', '✓')} ${name} is what entry ${deployment?.index} put into service${recorded}${notSeen}`,
      );
    else {
      terminal.line(`${terminal.colour('bad', '✗')} ${name} is not what was logged${recorded}${notSeen}`);
      for (const { text, lines = [] } of differences) {
        terminal.line(`    ${text}`);
        for (const line of lines) terminal.line(`      ${line}`);
      }
    }
  }
}

function unloggedFinding(differences: readonly Difference[]): Finding {
  const nothing = new Uint8Array(32);
  const state = stateDigest(nothing, nothing);
  return { service: UNLOGGED, verdict: 'mismatch', deployment: undefined, state, differences, unseen: [] };
}

function summary({ service, verdict, deployment, state, differences, unseen }: Finding, entry: number | undefined) {
  return {
    service,
    verdict,
    ...(deployment === undefined ? {} : { deployment: { index: deployment.index, leaf: hex(deployment.leaf) } }),
    observed: hex(state),
    differences,
    unseen,
    ...(entry === undefined ? {} : { entry }),
  };
}

/** What is recorded on the way is no result of its own. */
function quiet(session: Session): Session {
  return { ...session, terminal: { ...session.terminal, line: () => undefined, result: () => undefined } };
}
