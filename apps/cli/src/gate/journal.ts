import { resolve } from 'node:path';
import type { LogClient, LoggedEntry } from '@treering/client';
import type { GovernanceState } from '@treering/governance';
import { equalBytes } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import type { RecordOf } from '@treering/record';
import type { SignedStatement } from '@treering/statement';
import { provedRules } from '../replay.js';
import type { Session } from '../session.js';
import { isConflict, isUnwitnessed, MOST_REBASES, submitRetrying } from '../submit.js';
import { following, sign } from './announcement.js';
import { GateRefusal } from './refusal.js';

/** An intent that is in the log. */
export interface Announced {
  readonly record: RecordOf<'deployment'>;
  /** 32 bytes */
  readonly leaf: Uint8Array;
  readonly index: number;
  /** The permit, if it convinces. */
  readonly proofFile: Uint8Array;
}

/** Milliseconds before a record is put on top of what came meanwhile. */
const PAUSE = 500;

/** What a gate writes into the log about one service, and the rules that it reads there. */
export class DeploymentJournal {
  readonly #session: Session;
  readonly #client: LogClient;
  readonly #subject: string;
  readonly #resume: string | undefined;

  /** @param resume a file that says how far the log was replayed before */
  constructor(session: Session, client: LogClient, subject: string, resume: string | undefined) {
    this.#session = session;
    this.#client = client;
    this.#subject = subject;
    this.#resume = resume === undefined ? undefined : resolve(session.cwd, resume);
  }

  /** The rules in force, by a replay of everything that is published. @throws ClientError */
  async rules(): Promise<GovernanceState> {
    const progress = this.#resume === undefined ? {} : { resume: this.#resume };
    return (await provedRules(this.#session, this.#client, progress)).state;
  }

  /**
   * Announces, and waits until the log's own quorum has cosigned.
   * @throws GateRefusal governance/prev-conflict when somebody was faster, gate/no-quorum when the quorum does not come: it is
   *   logged all the same, and ended then
   */
  async announce(statement: SignedStatement, record: RecordOf<'deployment'>): Promise<Announced> {
    try {
      const { leaf, index, proofFile } = await submitRetrying(this.#client, statement, 'witnessed', false);
      return { record, leaf, index, proofFile };
    } catch (error) {
      if (isConflict(error))
        throw new GateRefusal('governance/prev-conflict', `somebody else has recorded something on ${this.#subject} meanwhile`);
      if (!isUnwitnessed(error)) throw error;
      const refusal = new GateRefusal(
        'gate/no-quorum',
        `the witnesses of the log do not cosign its head: ${(error as Error).message}`,
      );
      await this.end({ record, leaf: nodeHasher.hashLeaf(statement.entry) }, refusal.message);
      throw refusal;
    }
  }

  /** Logs that what was announced is live. @throws GateRefusal gate/overtaken, ClientError */
  async activate(announced: Announced, replicas: number | undefined): Promise<LoggedEntry> {
    const change = { phase: 'active' as const, reason: announced.record.reason };
    const logged = await this.#follow(announced, replicas === undefined ? change : { ...change, replicas });
    if (logged !== undefined) return logged;
    throw new GateRefusal('gate/overtaken', `another deployment of ${this.#subject} was recorded meanwhile`);
  }

  /** Logs that nothing came of it. When even that fails, says so: monitors will miss what became of the announcement. */
  async end(announced: Pick<Announced, 'record' | 'leaf'>, cause: string): Promise<void> {
    const text = Array.from(cause.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, ' '))
      .slice(0, 1000)
      .join('');
    try {
      await this.#follow(announced, { phase: 'ended', reason: 'What was announced did not go live.', cause: text });
    } catch (error) {
      this.#session.terminal.remark(
        `The log does not say that the announced deployment came to nothing: ${(error as Error).message}`,
      );
    }
  }

  /** Undefined when another deployment was recorded after the announcement: that one is not to be followed. */
  async #follow(
    announced: Pick<Announced, 'record' | 'leaf'>,
    change: Parameters<typeof following>[2],
  ): Promise<LoggedEntry | undefined> {
    for (let tries = 0; ; tries++) {
      const state = await this.rules();
      if (await this.#isOvertaken(state, announced.leaf)) return undefined;
      const now = Math.floor(Date.now() / 1000);
      const statement = await sign(this.#session, following(announced, state, change, now), now);
      try {
        return await this.#log(statement);
      } catch (error) {
        if (!isConflict(error) || tries === MOST_REBASES) throw error;
      }
      await new Promise((done) => setTimeout(done, PAUSE * (tries + 1)));
    }
  }

  /** Waits for the witnesses, so that who deploys next sees it; what they do not cosign in time is in the log all the same. */
  async #log(statement: SignedStatement): Promise<LoggedEntry> {
    try {
      return await submitRetrying(this.#client, statement, 'witnessed', false);
    } catch (error) {
      if (!isUnwitnessed(error)) throw error;
      return submitRetrying(this.#client, statement, 'commit');
    }
  }

  /** Whether the newest deployment came after the announcement. One that the rules do not cover yet is compared by the log. */
  async #isOvertaken(state: GovernanceState, leaf: Uint8Array): Promise<boolean> {
    const newest = state.version('deployment', this.#subject);
    if (newest === undefined || equalBytes(newest.leaf, leaf)) return false;
    const covered = state.entry(leaf, this.#subject);
    return covered !== undefined && newest.index > covered;
  }
}
