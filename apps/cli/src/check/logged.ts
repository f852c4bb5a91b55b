import { createHash } from 'node:crypto';
import { ClientError, type LogClient, type ReadEntry } from '@treering/client';
import {
  type DeploymentEntry,
  type InService,
  inService,
  type LoggedContent,
  type ObservedContent,
} from '@treering/deployment';
import { type Candidate, type GovernanceState, rulesFor, tallyApprovals, type Version } from '@treering/governance';
import { equalBytes } from '@treering/merkle';
import { hex } from '@treering/note';
import {
  type AttachmentRef,
  configDigest,
  parseManifest,
  RecordError,
  type RecordOf,
  type TensorDigest,
} from '@treering/record';
import { fetchAttachment } from '../commands/attachment.js';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { type DeploymentRead, readStanding } from '../standing.js';
import { textOf } from './observed.js';

/** What is in service in one environment, by service. What is announced only stands there as well. */
export type LoggedServices = ReadonlyMap<string, InService<DatedDeployment>>;

/** A deployment, and when it was signed. */
export interface DatedDeployment extends DeploymentEntry {
  /** Seconds since the epoch. */
  readonly iat: number | undefined;
}

/** The deployments of one environment, collected while a log is replayed from its beginning: none of them can be left out. */
export class SeenDeployments {
  readonly #prefix: string;
  readonly #entries = new Map<string, DatedDeployment[]>();

  constructor(environment: string) {
    this.#prefix = `deploy/${environment}/`;
  }

  /** An entry that was admitted. */
  see(index: number, { record, statement, leaf }: Candidate): void {
    if (record?.type !== 'deployment' || !record.subject.startsWith(this.#prefix)) return;
    const service = record.subject.slice(this.#prefix.length);
    this.#entries.set(service, [...(this.#entries.get(service) ?? []), { index, leaf, record, iat: statement.iat }]);
  }

  /** Where each service stands. */
  standings(): Map<string, InService<DatedDeployment>> {
    return new Map([...this.#entries].map(([service, entries]) => [service, inService(entries)]));
  }
}

/** Seconds in which an announcement comes to something. */
const SOON = 3_600;

/**
 * Whether what is announced may go live any moment, so that its files may lie there before the log says `active`: it is young, nobody
 * has rejected it, and it lacks no approvals.
 * @param now seconds since the epoch
 */
export function mayGoLive(state: GovernanceState, announced: DatedDeployment | undefined, now: number): boolean {
  if (announced === undefined || announced.iat === undefined || now - announced.iat > SOON) return false;
  const version = state.newest(hex(announced.leaf));
  if (version === undefined) return false;
  return rulesFor(state, version.subject).every((rule) => {
    const { approved, rejected } = tallyApprovals(state, version, rule, now);
    return rejected.length === 0 && (announced.record.break_glass === true || approved.length >= rule.need);
  });
}

/**
 * Reads what is in service by the log. Which records are the newest is proved by the replay that led to `state`.
 * @throws ClientError
 */
export async function readInService(client: LogClient, state: GovernanceState, environment: string): Promise<LoggedServices> {
  const prefix = `deploy/${environment}/`;
  const out = new Map<string, InService<DatedDeployment>>();
  for (const version of state.versionsOf('deployment')) {
    if (!version.subject.startsWith(prefix)) continue;
    out.set(version.subject.slice(prefix.length), await standingOf(client, version));
  }
  return out;
}

async function standingOf(client: LogClient, newest: Version): Promise<InService<DatedDeployment>> {
  const standing = await readStanding(client, newest.subject);
  // The log may not leave out the newest one; what it leaves out before can only make something look as if it were not in service.
  const known = newest.deployment?.phase === 'active' ? standing.active : standing.announced;
  if (newest.deployment?.phase !== 'ended' && (known === undefined || !equalBytes(known.leaf, newest.leaf)))
    throw new ClientError(
      'client/not-verified',
      `the log lists no record of ${newest.subject} that is as new as entry ${newest.index}`,
    );
  const { active, announced } = standing;
  return { active: dated(active), announced: dated(announced) };
}

function dated(read: DeploymentRead | undefined): DatedDeployment | undefined {
  return read === undefined ? undefined : { ...read, iat: read.statement.iat };
}

/**
 * What the log says of the model and the configuration of a deployment, as much as is needed to say what differs.
 * @returns undefined when the log does not have them: where no approvals are asked for, anything can be named
 */
export async function readContent(
  session: Session,
  client: LogClient,
  deployment: DeploymentEntry,
  observed: ObservedContent | undefined,
): Promise<LoggedContent | undefined> {
  const [model, config] = await Promise.all([find(client, deployment.record.model), find(client, deployment.record.config)]);
  if (model?.record?.type !== 'model' || config?.record?.type !== 'config') return undefined;
  const parts = { model: { index: model.index, record: model.record }, config: { index: config.index, record: config.record } };
  const sameConfig = observed?.config === undefined || equalBytes(observed.config.digest, configDigest(parts.config.record));
  // Also of a model with the same digest, which does not cover the names of the files.
  const files = observed?.model === undefined ? {} : await filesOfModel(session, client, parts.model.record);
  const texts = sameConfig ? new Map<string, string>() : await textsOfConfig(session, client, parts.config.record);
  return { deployment, model: { ...parts.model, ...files }, config: { ...parts.config, texts } };
}

async function find(client: LogClient, leaf: Uint8Array): Promise<ReadEntry | undefined> {
  return client.entry(hex(leaf)).catch((error: unknown) => {
    if (error instanceof ClientError && error.status === 404) return undefined;
    throw error;
  });
}

async function filesOfModel(session: Session, client: LogClient, { attachments, digest }: RecordOf<'model'>) {
  const [manifest, tensors] = await Promise.all([
    content(session, client, attachments, 'manifest.json'),
    content(session, client, attachments, 'tensors.json'),
  ]);
  try {
    const read = manifest === undefined ? undefined : parseManifest(manifest);
    const resources = read !== undefined && equalBytes(read.root, digest) ? read.resources : undefined;
    return { resources, tensors: tensors === undefined ? undefined : tensorsOf(tensors) };
  } catch (error) {
    // Somebody attached something else under these names: it says nothing.
    if (error instanceof RecordError || error instanceof SyntaxError || error instanceof TypeError) return {};
    throw error;
  }
}

/** @throws SyntaxError or TypeError for anything but a list of tensors */
function tensorsOf(bytes: Uint8Array): TensorDigest[] {
  const list = JSON.parse(new TextDecoder().decode(bytes)) as {
    name: string;
    dtype: string;
    shape: number[];
    digest: string;
  }[];
  return list.map(({ name, dtype, shape, digest }) => {
    if (typeof name !== 'string' || typeof digest !== 'string') throw new TypeError('this is no list of tensors');
    return { name, dtype, shape, digest: new Uint8Array(Buffer.from(digest, 'hex')) };
  });
}

async function textsOfConfig(session: Session, client: LogClient, record: RecordOf<'config'>): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const { path, digest } of record.files) {
    const bytes = await content(session, client, record.attachments, path);
    if (bytes === undefined || !equalBytes(sha256(bytes), digest)) continue;
    const text = textOf(bytes);
    if (text !== undefined) texts.set(path, text);
  }
  return texts;
}

/** An attachment, or undefined when it is not given out to who asks here: then it is only not said what differs within. */
async function content(
  session: Session,
  client: LogClient,
  attachments: readonly AttachmentRef[] | undefined,
  name: string,
): Promise<Uint8Array | undefined> {
  const ref = attachments?.find((one) => one.name === name);
  if (ref === undefined || ref.access === 'withheld') return undefined;
  try {
    return await fetchAttachment(session, client, ref);
  } catch (error) {
    const refused = error instanceof ClientError && error.status !== undefined && error.status < 500;
    if (refused || error instanceof UsageError) return undefined;
    throw error;
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
