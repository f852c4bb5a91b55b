import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { ClientError, type LogClient } from '@treering/client';
import { hex } from '@treering/note';
import { createAttachment, printable, type RecordOf, stateDigest } from '@treering/record';
import type { FileHash } from '@treering/record/node';
import { type Finding, findDifferences, summaryOf } from '../check/findings.js';
import { readHashCache, writeHashCache } from '../check/hash-cache.js';
import { mayGoLive } from '../check/logged.js';
import { type Observed, observe } from '../check/observed.js';
import { reportOf, summaryJson } from '../check/report.js';
import { readTargets, type Target, type Targets } from '../check/targets.js';
import { findUnlogged, type Unlogged } from '../check/unlogged.js';
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

/** The service that stands for processes that belong to none. */
const UNLOGGED = 'unlogged';
/** Records of a subject among which the last verification is looked for. */
const RECENT = 32;

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
  return { environment, services: [target], whole: false, watch: [] };
}

/** The verification routine of one machine. */
class Routine {
  readonly #session: Session;
  readonly #client: LogClient;
  readonly #flags: CheckFlags;
  readonly #targets: Targets;
  readonly #host = segmentOf(hostname());
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

  /** Looks once at everything, says it, and then records it. @returns the exit code: 1 when anything differs or cannot be told */
  async pass(): Promise<number> {
    const { terminal } = this.#session;
    const findings = await this.#compare(await this.#observe());
    for (const finding of findings) this.#print(finding);
    const services: unknown[] = [];
    const troubles: Error[] = [];
    for (const finding of findings) {
      const entry = this.#flags.record
        ? await this.#record(finding).catch((error: Error) => void troubles.push(error))
        : undefined;
      services.push(summaryJson(finding, entry ?? undefined));
    }
    const good = findings.every(({ verdict }) => verdict !== 'mismatch' && verdict !== 'inconclusive');
    if (good && troubles.length > 0) throw troubles[0];
    for (const { message } of troubles)
      terminal.remark(`treering: this is not in the log, and no monitor knows of it: ${printable(message)}`);
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
    const { environment, whole, watch } = this.#targets;
    const { resume } = this.#flags;
    const { state, deployments } = await provedRules(
      this.#session,
      this.#client,
      resume === undefined ? {} : { resume: resolve(this.#session.cwd, resume) },
    );
    // From the replay alone: what the log lists of a subject may lack the end of a deployment.
    const logged = deployments.standings(environment);
    const findings: Finding[] = [];
    for (const service of new Set([...observed.keys(), ...(whole ? logged.keys() : [])])) {
      const standing = logged.get(service);
      const coming = mayGoLive(state, standing?.announced, Math.floor(Date.now() / 1000));
      const found = observed.get(service);
      if (service !== UNLOGGED || found !== undefined || standing?.active !== undefined)
        findings.push(await findDifferences(this.#session, this.#client, service, { standing, coming }, found));
    }
    if (watch.length === 0) return findings;
    const pids = [...observed.values()].flatMap(({ pid }) => pid ?? []);
    return [...findings, unloggedFinding(await findUnlogged(watch, pids))];
  }

  /** Writes a `verification` when something has changed since the last one of this machine, or when that has grown old. */
  async #record(finding: Finding): Promise<number | undefined> {
    const { verdict, service, deployment, state } = finding;
    if (verdict === 'in-progress') return undefined;
    const subject = `deploy/${this.#targets.environment}/${service}`;
    const last = await this.#lastRecorded(subject);
    const recorded = verdict === 'nothing' ? 'match' : verdict;
    // Where nothing runs and nothing should, only the end of a mismatch is news.
    if (verdict === 'nothing' && last?.verdict !== 'mismatch') return undefined;
    const same =
      last?.verdict === recorded &&
      hex(last.observed) === hex(state) &&
      hexOf(last.deployment) === hexOf(verdict === 'nothing' ? undefined : deployment?.leaf);
    if (same && Date.now() / 1000 - last.at < this.#flags.recordEvery) return undefined;
    const attachment = createAttachment(
      reportOf(finding, this.#host),
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
      verdict: recorded,
      about: 'state',
      host: this.#host,
      attachments: [attachment.ref],
      ...(deployment === undefined ? {} : { deployment: deployment.leaf }),
      ...(prev === undefined ? {} : { prev }),
    };
    const proof = join(stateFolder(this.#session.env), 'checks', `${subject.replace(/\//g, '-')}.tlog-proof`);
    const { index } = await submitRecord(quiet(this.#session), this.#client, record, { attachments: [attachment], proof });
    this.#session.terminal.line(`  ${subject}: recorded as entry ${index}`);
    return index;
  }

  /** What this machine recorded last of a service, by what the log gives out: a log that hides it gets one record more. */
  async #lastRecorded(subject: string) {
    const entries = await this.#client.history(subject, RECENT).catch((error: unknown) => {
      if (error instanceof ClientError && error.status === 404) return [];
      throw error;
    });
    for (const { record, statement } of entries)
      if (record?.type === 'verification' && record.about === 'state' && record.host === this.#host)
        return { verdict: record.verdict, observed: record.observed, deployment: record.deployment, at: statement.iat ?? 0 };
    return undefined;
  }

  #print({ service, verdict, deployment, differences, unseen }: Finding): void {
    const { terminal } = this.#session;
    const name = terminal.bold(`deploy/${this.#targets.environment}/${printable(service)}`);
    const notSeen = unseen.length === 0 ? '' : terminal.colour('dim', `; nobody looked at ${unseen.join(' and ')}`);
    if (verdict === 'nothing') terminal.line(`  ${name}: nothing runs, and nothing is logged to run`);
    else if (verdict === 'inconclusive')
      terminal.line(`${terminal.colour('bad', '?')} ${name} is what was logged, as far as it was looked at${notSeen}`);
    else if (verdict === 'in-progress') terminal.line(`  ${name}: what is announced is there, and not logged as active yet`);
    else if (verdict === 'match')
      terminal.line(`${terminal.colour('good', '✓')} ${name} is what entry ${deployment?.index} put into service${notSeen}`);
    else {
      terminal.line(`${terminal.colour('bad', '✗')} ${name} is not what was logged${notSeen}`);
      for (const { text, lines = [] } of differences) {
        terminal.line(`    ${text}`);
        for (const line of lines) terminal.line(`      ${line}`);
      }
    }
  }
}

function unloggedFinding({ differences, unseen }: Unlogged): Finding {
  const nothing = new Uint8Array(32);
  const state = stateDigest(nothing, nothing);
  const verdict = differences.length === 0 ? 'nothing' : 'mismatch';
  return { service: UNLOGGED, verdict, deployment: undefined, state, differences, unseen };
}

/** What is recorded on the way is no result of its own. */
function quiet(session: Session): Session {
  return { ...session, terminal: { ...session.terminal, line: () => undefined, result: () => undefined } };
}

/** A machine's name as one segment of a subject. */
function segmentOf(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9._@-]/g, '-')
      .replace(/^\.+$/, '-') || 'unnamed'
  );
}

function hexOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : hex(bytes);
}
