import { createHash } from 'node:crypto';
import { ClientError, type LogClient, type ReadEntry } from '@treering/client';
import type { DeploymentEntry, LoggedContent, ObservedContent } from '@treering/deployment';
import { type GovernanceState, rulesFor, tallyApprovals } from '@treering/governance';
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
import type { DatedDeployment } from '../seen-deployments.js';
import type { Session } from '../session.js';
import { textOf } from './observed.js';

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
