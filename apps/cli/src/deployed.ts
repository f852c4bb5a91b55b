import { ClientError, EnrolledKeys, type LogClient, type ReadEntry } from '@treering/client';
import { equalBytes } from '@treering/merkle';
import { nodeEd25519 } from '@treering/note/node';
import { printable, type RecordOf } from '@treering/record';
import { UsageError } from './exit.js';
import type { Session } from './session.js';
import { readStanding } from './standing.js';

/** What was asked for cannot be compared with what the log says: nothing is recorded then. */
export class NotComparable extends Error {
  override readonly name = 'NotComparable';
  readonly code = 'cli/not-comparable';
}

/** An entry with a record of a type, and its place in the log proved. */
export type EntryOf<T extends 'deployment' | 'evaluation' | 'model' | 'config'> = ReadEntry & { readonly record: RecordOf<T> };

/** Reads entries of one log, and believes none whose signer the log has not enrolled. */
export class DeployedReader {
  readonly #client: LogClient;
  readonly #keys: EnrolledKeys;

  constructor(session: Session, client: LogClient) {
    this.#client = client;
    this.#keys = new EnrolledKeys(client, session.trust().origin, nodeEd25519);
  }

  /** An entry by index or leaf hash that has to be of a type. @throws UsageError, ClientError */
  async entry<T extends 'evaluation' | 'model' | 'config'>(id: string | Uint8Array, type: T): Promise<EntryOf<T>> {
    const entry = await this.#client.entry(typeof id === 'string' ? id : Buffer.from(id).toString('hex'));
    if (entry.record?.type !== type) throw new UsageError(`entry ${entry.index} is no ${type} record`);
    await this.#keys.verifySigner(entry);
    return entry as EntryOf<T>;
  }

  /** The newest entries of a subject that are records, their signers verified; none for a subject that the log does not know. */
  async newest(subject: string, limit: number): Promise<ReadEntry[]> {
    const entries = await this.#read(subject, limit);
    const records = entries.filter(({ record }) => record !== undefined);
    for (const entry of records) await this.#keys.verifySigner(entry);
    return records;
  }

  /**
   * The deployment that is in service.
   * @throws NotComparable when nothing is
   */
  async active(environment: string, service: string): Promise<EntryOf<'deployment'>> {
    const subject = `deploy/${environment}/${service}`;
    const { active } = await readStanding(this.#client, subject);
    if (active === undefined) throw new NotComparable(`nothing is in service as ${printable(subject)}, by the log`);
    await this.#keys.verifySigner(active);
    return active;
  }

  /**
   * The evaluation that a deployment is compared with: the one that is named, or the newest of its model in its configuration that
   * passed and was logged before the deployment. What was logged afterwards may have been made to fit what runs: it has to be named.
   * @throws NotComparable when there is none, or it failed, or is about something else
   */
  async baseline(deployment: EntryOf<'deployment'>, named: string | undefined): Promise<EntryOf<'evaluation'>> {
    const deployed = deployment.record;
    const isAbout = ({ model, config }: { model: Uint8Array; config: Uint8Array }): boolean =>
      equalBytes(model, deployed.model) && equalBytes(config, deployed.config);
    if (named !== undefined) {
      const entry = await this.entry(named, 'evaluation');
      if (!isAbout(entry.record))
        throw new NotComparable(`entry ${entry.index} evaluates another model or configuration than the one that is deployed`);
      if (entry.record.verdict !== 'pass')
        throw new NotComparable(`entry ${entry.index} is an evaluation that failed: nothing is compared with it`);
      return entry;
    }
    const { record: model } = await this.entry(deployed.model, 'model');
    const subjects = [...new Set([`evaluation/${deployed.service}`, `evaluation/${model.name}`, model.subject])];
    const isWanted = ({ record, index }: ReadEntry): boolean =>
      record?.type === 'evaluation' && record.verdict === 'pass' && index < deployment.index && isAbout(record);
    const found: ReadEntry[] = [];
    for (const subject of subjects) {
      const entry = await this.#find(subject, isWanted);
      if (entry !== undefined) found.push(entry);
    }
    // The deployment's own subject has all its verifications: it is read to its end only when nothing else is found.
    const last = found.length === 0 ? await this.#find(deployed.subject, isWanted) : undefined;
    if (last !== undefined) found.push(last);
    const newest = found.sort((a, b) => b.index - a.index)[0];
    if (newest === undefined)
      throw new NotComparable(
        `no evaluation of the deployed model in its configuration passed before entry ${deployment.index}, its deployment, under ${[...subjects, deployed.subject].map(printable).join(', ')}: record one with "treering evaluate" before a deployment, or name a later one with --evaluation`,
      );
    return newest as EntryOf<'evaluation'>;
  }

  /** The newest entry of a subject that is wanted. More and more are read: most of what is looked for is among the newest. */
  async #find(subject: string, isWanted: (entry: ReadEntry) => boolean): Promise<ReadEntry | undefined> {
    for (let limit = 16, seen = Number.POSITIVE_INFINITY; ; limit *= 4) {
      const entries = await this.#read(subject, limit);
      for (const entry of entries) {
        if (entry.index >= seen) continue;
        seen = entry.index;
        if (!isWanted(entry)) continue;
        await this.#keys.verifySigner(entry);
        return entry;
      }
      if (entries.length < limit) return undefined;
    }
  }

  async #read(subject: string, limit: number): Promise<ReadEntry[]> {
    return this.#client.history(subject, limit).catch((error: unknown) => {
      if (error instanceof ClientError && error.status === 404) return [];
      throw error;
    });
  }
}
