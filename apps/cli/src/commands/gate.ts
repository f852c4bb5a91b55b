import { randomUUID } from 'node:crypto';
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { ClientError, type LogClient, type LoggedEntry } from '@treering/client';
import { verifyPermit } from '@treering/deployment';
import { type Decision, type GovernanceState, rulesFor, type Version } from '@treering/governance';
import { equalBytes } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import type { TrustPolicy } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { printable, type RecordOf } from '@treering/record';
import type { CoseKey, SignedStatement } from '@treering/statement';
import { EXIT, UsageError } from '../exit.js';
import {
  announcedAgain,
  decide,
  following,
  intentOf,
  sign,
  subjectOf,
  type Wish,
  waitsForApproval,
} from '../gate/announcement.js';
import { type CommandOutcome, type CommandTold, runDeployCommand } from '../gate/deploy-command.js';
import { type DeployedParts, isUnchanged, type PartFlags, readParts } from '../gate/deployed-parts.js';
import { type Announced, DeploymentJournal } from '../gate/journal.js';
import { findLogged } from '../gate/logged-parts.js';
import { GateRefusal } from '../gate/refusal.js';
import type { Session } from '../session.js';
import { MOST_REBASES } from '../submit.js';
import { readTrust } from '../trust-file.js';
import { entryId } from './read.js';

/** Flags of `gate`. */
export interface GateFlags extends PartFlags {
  readonly env: string;
  readonly service: string;
  readonly reason: string;
  readonly modelName?: string;
  readonly configName?: string;
  readonly run?: string;
  readonly ticket?: string;
  readonly replaces?: string;
  readonly replicas?: number;
  readonly trust?: string;
  readonly unwitnessed?: boolean;
  readonly breakGlass?: boolean;
  readonly supersede?: boolean;
  readonly waitForApproval?: number;
  readonly dryRun?: boolean;
  readonly resume?: string;
  readonly out?: string;
}

/** Milliseconds between two looks for an approval, or for a head that covers an entry. */
const LOOK_AGAIN = 2_000;
/** Looks for a head that covers what was just logged. */
const MOST_LOOKS = 5;

/**
 * `gate`: a deployment that the log knows of before it happens. Nothing is run before the intent is proved to be in a head that
 * the quorum of witnesses has cosigned, and the rules in force then, replayed from the entries, still let it go live.
 */
export async function gate(session: Session, command: readonly string[], flags: GateFlags): Promise<number> {
  if (command.length === 0 && flags.dryRun !== true)
    throw new UsageError('there is nothing to run: the command that deploys follows after --');
  const trust = await readTrust(session, flags.trust, flags.unwitnessed);
  const parts = await readParts(session, flags);
  await requireOutside(session, flags);
  return new Gate(session, flags, trust, parts).open(command);
}

/** One passage. */
class Gate {
  readonly #session: Session;
  readonly #client: LogClient;
  readonly #flags: GateFlags;
  readonly #trust: TrustPolicy;
  readonly #parts: DeployedParts;
  readonly #subject: string;
  readonly #permit: string;
  readonly #journal: DeploymentJournal;
  readonly #ownRun = `run ${randomUUID()}`;
  #interrupted: NodeJS.Signals | undefined;
  /** The keys of the identity that signs here, by the log. A run may have got another one since it announced. */
  #ownKeys: readonly CoseKey[] = [];

  constructor(session: Session, flags: GateFlags, trust: TrustPolicy, parts: DeployedParts) {
    this.#session = session;
    this.#client = session.client();
    this.#flags = flags;
    this.#trust = trust;
    this.#parts = parts;
    this.#subject = subjectOf({ environment: flags.env, service: flags.service });
    this.#permit = resolve(session.cwd, flags.out ?? permitName(flags));
    this.#journal = new DeploymentJournal(session, this.#client, this.#subject, flags.resume);
  }

  async open(command: readonly string[]): Promise<number> {
    const { terminal } = this.#session;
    if (this.#flags.dryRun) {
      await this.#requireTrial();
      terminal.line(`The rules let ${this.#subject} be deployed as it lies here. Nothing was logged, and nothing was run.`);
      terminal.result({ permitted: true, logged: false, ...this.#digests() });
      return EXIT.ok;
    }
    const { announced, adopted } = await this.#announce();
    // From here on whoever ends this process has the log told what came of the announcement.
    const interrupt = (signal: NodeJS.Signals): void => {
      this.#interrupted = signal;
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
    try {
      await this.#pass(announced);
    } finally {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
    }
    terminal.line(
      `${terminal.colour('good', '✓')} ${terminal.bold(`deployment ${this.#subject}`)} is announced as entry ${announced.index}${adopted ? ', by an earlier try of this run' : ''}`,
    );
    terminal.line(`  permit  ${printable(relative(this.#session.cwd, this.#permit) || this.#permit)}`);
    return this.#deploy(command, announced);
  }

  /** Everything between announcement and command; what goes wrong ends the announcement. */
  async #pass(announced: Announced): Promise<void> {
    try {
      await this.#requireStill(announced);
      this.#requirePermit(announced);
      if (!(await isUnchanged(this.#session, this.#flags, this.#parts)))
        throw new GateRefusal('gate/changed', 'the model or the configuration changed while the gate was waiting');
      await mkdir(dirname(this.#permit), { recursive: true });
      await writeFile(this.#permit, announced.proofFile);
    } catch (error) {
      // An announcement that waits for somebody to approve it stays; anything else comes to nothing.
      if (!(error instanceof GateRefusal && error.code === 'gate/waits-for-approval'))
        await this.#journal.end(announced, causeOf(error));
      throw error;
    }
  }

  /** What `--dry-run` asks: whether everything is there now. @throws GateRefusal */
  async #requireTrial(): Promise<void> {
    const state = await this.#journal.rules();
    const { statement, adopted } = await this.#announcement(state);
    const { record } = statement;
    const now = seconds();
    if (record.break_glass === true) return;
    const again = await this.#judged(state, announcedAgain(record, state), now);
    if (!again.decision.admitted) throw refusalOf(again.decision);
    const newest = state.version('deployment', this.#subject);
    if (adopted && newest !== undefined) {
      const active = following({ leaf: newest.leaf, record }, state, { phase: 'active', reason: record.reason }, now);
      const { decision } = await this.#judged(state, active, now);
      if (!decision.admitted) throw refusalOf(decision);
    } else if (rulesFor(state, this.#subject).length > 0) {
      const message = `${this.#subject} needs approvals itself, which are given to its announcement`;
      throw new GateRefusal('gate/waits-for-approval', message);
    }
  }

  async #learnKeys(state: GovernanceState): Promise<void> {
    const { id } = await this.#session.signer();
    this.#ownKeys = state
      .identities()
      .filter((known) => known.id === id && known.revokedAt === undefined)
      .map(({ key }) => key);
  }

  /** Whatever came in between is looked at anew: an approval does not matter, and another announcement does. */
  async #announce(): Promise<{ announced: Announced; adopted: boolean }> {
    for (let tries = 0; ; tries++) {
      const { statement, adopted } = await this.#announcement(await this.#journal.rules());
      try {
        return { announced: await this.#journal.announce(statement.signed, statement.record), adopted };
      } catch (error) {
        const overtaken = error instanceof GateRefusal && error.code === 'governance/prev-conflict';
        if (!overtaken || tries === MOST_REBASES) throw error;
      }
      await new Promise((done) => setTimeout(done, LOOK_AGAIN / 4));
    }
  }

  async #deploy(command: readonly string[], announced: Announced): Promise<number> {
    const told = { permit: this.#permit, intent: hex(announced.leaf), ...this.#digests() };
    const { outcome, failure } = await this.#execute(command, told);
    if (failure !== undefined) {
      await this.#journal.end(announced, failure);
      throw Object.assign(new Error(failure), { code: 'gate/command-failed' });
    }
    const active = await this.#activate(announced, outcome?.replicas ?? this.#flags.replicas);
    const { terminal } = this.#session;
    terminal.line(
      `${terminal.colour('good', '✓')} ${terminal.bold(`deployment ${this.#subject}`)} is active: entry ${active.index}, leaf ${hex(active.leaf)}`,
    );
    terminal.result({
      permitted: true,
      logged: true,
      intent: { index: announced.index, leaf: hex(announced.leaf) },
      active: { index: active.index, leaf: hex(active.leaf) },
      ...this.#digests(),
      permit: this.#permit,
      break_glass: announced.record.break_glass === true,
    });
    return EXIT.ok;
  }

  /** What came of the command, and what is wrong with it: whatever goes wrong here, the log is told. */
  async #execute(command: readonly string[], told: CommandTold) {
    try {
      const outcome = await runDeployCommand(this.#session, command, told);
      return { outcome, failure: outcome.failure ?? (await this.#difference(outcome)) };
    } catch (error) {
      return { outcome: undefined, failure: `what came of the command cannot be told: ${causeOf(error)}` };
    }
  }

  /** What the annotations of a pod, and whoever compares, need to know of what is deployed. */
  #digests(): { readonly state: string; readonly model: string; readonly config: string } {
    const { state, model, config } = this.#parts;
    return { state: hex(state), model: hex(model), config: hex(config.digest) };
  }

  async #activate(announced: Announced, replicas: number | undefined): Promise<LoggedEntry> {
    try {
      return await this.#journal.activate(announced, replicas);
    } catch (error) {
      this.#session.terminal.remark(
        `The command ran, and the log does not say that ${this.#subject} is active: undo it, or let the same run try again.`,
      );
      throw error;
    }
  }

  /** What runs must be what was announced: files are read once more, and the command may say which image it started. */
  async #difference({ image }: CommandOutcome): Promise<string | undefined> {
    const announced = this.#parts.image;
    if (image !== undefined && (announced === undefined || !equalBytes(image, announced)))
      return 'the command says that it started another image than the one that was announced';
    if (!(await isUnchanged(this.#session, this.#flags, this.#parts)))
      return 'the model or the configuration changed while it was deployed';
    return undefined;
  }

  /** The statement that announces, admitted by the rules as they are replayed here. */
  async #announcement(state: GovernanceState) {
    const before = state.version('deployment', this.#subject);
    const earlier = before?.deployment?.phase === 'intent' ? await this.#earlierTry(state, before) : undefined;
    if (earlier !== undefined) return { statement: earlier, adopted: true };
    const logged = findLogged(state, this.#parts, { model: this.#flags.modelName, config: this.#flags.configName });
    const now = seconds();
    const record = intentOf(await this.#wish(), state, logged, this.#parts, now);
    const { decision, ...statement } = await this.#judged(state, record, now);
    // What needs approvals itself would wait for them, and whoever breaks the glass does not wait.
    const waits = this.#flags.breakGlass === true && rulesFor(state, this.#subject).length > 0;
    if (decision.admitted && !waits) return { statement, adopted: false };
    if (!decision.admitted && this.#flags.breakGlass !== true) throw refusalOf(decision);
    const broken = await this.#judged(state, { ...record, break_glass: true }, now);
    if (!broken.decision.admitted) throw refusalOf(broken.decision);
    const why = decision.admitted ? `${this.#subject} needs approvals itself` : printable(decision.message);
    this.#session.terminal.remark(`Break-glass: ${why}. It is logged as such, and every monitor alarms.`);
    return { statement: { signed: broken.signed, record: broken.record }, adopted: false };
  }

  async #judged(state: GovernanceState, record: RecordOf<'deployment'>, now: number) {
    const signed = await sign(this.#session, record, now);
    return { decision: decide(state, signed), signed, record };
  }

  async #wish(): Promise<Wish> {
    const { env: environment, service, reason, ticket, replaces } = this.#flags;
    const replaced = replaces === undefined ? undefined : (await this.#client.entry(entryId(replaces))).leaf;
    return { environment, service, reason, run: this.#run(), replaces: replaced, ticket };
  }

  /**
   * The pipeline's run: what is said, what the CI system says, or one of its own. Two gates never sign the same statement, which the
   * log would take for one.
   */
  #run(): string {
    const { env } = this.#session;
    if (this.#flags.run !== undefined) return this.#flags.run;
    if (env.GITHUB_RUN_ID !== undefined) return `${env.GITHUB_REPOSITORY ?? 'github'} run ${env.GITHUB_RUN_ID}`;
    if (env.CI_PIPELINE_ID !== undefined) return `${env.CI_PROJECT_PATH ?? 'gitlab'} pipeline ${env.CI_PIPELINE_ID}`;
    return this.#ownRun;
  }

  /**
   * What is announced already. The same run goes on with its own announcement where that needs approvals, which would be void for
   * a new one; otherwise it announces once more, and the log lets only one of two tries do that. Anybody else's is left alone.
   */
  async #earlierTry(
    state: GovernanceState,
    { leaf, index }: Version,
  ): Promise<{ signed: SignedStatement; record: RecordOf<'deployment'> } | undefined> {
    const { statement, record } = await this.#client.entry(hex(leaf));
    if (record?.type !== 'deployment') throw new ClientError('client/not-verified', `entry ${index} is no deployment`);
    const { iss } = await this.#session.signer();
    const same = equalBytes(record.state, this.#parts.state);
    const own = statement.iss === iss && record.run === this.#run();
    if (!own && this.#flags.supersede !== true) {
      const run = record.run === undefined ? '' : ` in ${printable(record.run)}`;
      throw new GateRefusal(
        'gate/announced',
        `${printable(statement.iss)} has announced a deployment of ${this.#subject}${run} (entry ${index}) and not said what came of it; if that is dead, go on with --supersede; with --run, a retry goes on by itself`,
      );
    }
    const approvable = rulesFor(state, this.#subject).length > 0;
    const fits = (this.#flags.breakGlass === true) === (record.break_glass === true);
    return own && same && approvable && fits ? { signed: statement, record } : undefined;
  }

  /** The proof must convince by the user's own keys and quorum. */
  #requirePermit({ proofFile }: Announced): void {
    const { model, config, image } = this.#parts;
    const question = {
      environment: this.#flags.env,
      service: this.#flags.service,
      content: { model, config: config.digest },
      ...(image === undefined ? {} : { image }),
    };
    const trust = { policy: this.#trust, signerKeys: this.#ownKeys, hasher: nodeHasher, ed25519: nodeEd25519 };
    const { permitted, claims } = verifyPermit(proofFile, question, trust);
    if (permitted) return;
    const wrong = claims.filter(({ verdict }) => verdict === 'failed');
    const quorum = wrong.some(({ name }) => name === 'quorum');
    throw new GateRefusal(
      quorum ? 'gate/no-quorum' : 'gate/no-permit',
      `the proof is no permit: ${wrong.map(({ text }) => text).join(' ') || 'not everything is proved.'}`,
    );
  }

  /**
   * The rules may have changed between intent and head: what is asked is whether the deployment would go live now.
   * @throws GateRefusal
   */
  async #requireStill(announced: Announced): Promise<void> {
    const until = Date.now() + (this.#flags.waitForApproval ?? 0) * 1000;
    for (let look = 0; ; look++) {
      if (this.#interrupted !== undefined)
        throw new GateRefusal('gate/interrupted', `the gate was ended by ${this.#interrupted} before the command was run`);
      const state = await this.#journal.rules();
      const now = seconds();
      await this.#learnKeys(state);
      if (state.newest(hex(announced.leaf)) === undefined) {
        const newest = state.version('deployment', this.#subject);
        if (newest !== undefined && newest.index > announced.index)
          throw new GateRefusal('gate/overtaken', `entry ${newest.index} took the place of the announced deployment`);
        if (look >= MOST_LOOKS)
          throw new GateRefusal('gate/not-covered', `the log gives out no head that covers entry ${announced.index}`);
      } else {
        const record = following(announced, state, { phase: 'active', reason: announced.record.reason }, now);
        const { decision } = await this.#judged(state, record, now);
        if (decision.admitted) return;
        const waits = decision.code === 'governance/not-approved' && waitsForApproval(state, announced.leaf, now);
        if (!waits) throw refusalOf(decision);
        // Model and configuration have to be approved all the same.
        const again = await this.#judged(state, announcedAgain(announced.record, state), now);
        if (!again.decision.admitted) throw refusalOf(again.decision);
        if (Date.now() >= until)
          throw new GateRefusal(
            'gate/waits-for-approval',
            `${decision.message} (decided by ${decision.rule}); approve entry ${announced.index}, leaf ${hex(announced.leaf)}, and let the same run try again`,
          );
      }
      await new Promise((done) => setTimeout(done, LOOK_AGAIN));
    }
  }
}

/** What is written where the model is read would change it. @throws UsageError */
async function requireOutside({ cwd }: Session, flags: GateFlags): Promise<void> {
  const file = resolve(cwd, flags.out ?? permitName(flags));
  const model = await realpath(resolve(cwd, flags.model));
  const folder = await realpath(dirname(file)).catch(() => dirname(file));
  const inside = folder === model || folder.startsWith(`${model}${sep}`);
  const replaces = [model, ...flags.config.map((path) => resolve(cwd, path))].includes(join(folder, basename(file)));
  if (inside || replaces)
    throw new UsageError(`the permit ${printable(file)} would lie in what is deployed: name another place with --out`);
}

function permitName({ env, service }: GateFlags): string {
  return `deploy-${env}-${service}.permit`;
}

/** The first line of what went wrong: parsers quote what they read behind it, and that is nobody's business. */
function causeOf(error: unknown): string {
  return (error as Error).message.split('\n')[0];
}

function refusalOf(decision: Extract<Decision, { admitted: false }>): GateRefusal {
  return new GateRefusal(decision.code, `${decision.message} (decided by ${decision.rule})`);
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
