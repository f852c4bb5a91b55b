import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import type { MeasuredEvent } from '@treering/attestation';
import { ClientError, EnrolledKeys, type LogClient } from '@treering/client';
import { nodeEd25519 } from '@treering/note/node';
import { configDigest, isSubject, manifestRoot, printable, type RecordOf } from '@treering/record';
import { hashModel } from '@treering/record/node';
import { commonFolder } from './config-content.js';
import { UsageError } from './exit.js';
import type { Session } from './session.js';
import { readStanding } from './standing.js';

/** What a service runs, as the log says, each entry proved and with its signature checked. */
export interface Deployed {
  readonly index: number;
  /** Leaf hash of the deployment, 32 bytes. */
  readonly leaf: Uint8Array;
  readonly record: RecordOf<'deployment'>;
  readonly model: RecordOf<'model'>;
  readonly config: RecordOf<'config'>;
}

/** What lies on this machine. */
export interface FilesHere {
  readonly model: string;
  readonly config: readonly string[];
  readonly ignore?: readonly string[];
  /** Digest of the image that runs, in hex. */
  readonly image?: string;
}

/** Files here are not those that the log says are deployed. */
class NotDeployed extends Error {
  override readonly name = 'NotDeployed';
  readonly code = 'cli/not-deployed';
}

/** The newest deployment that is in service. @throws UsageError when there is none */
export async function deployedNow(
  session: Session,
  client: LogClient,
  environment: string,
  service: string,
): Promise<Deployed> {
  const subject = `deploy/${environment}/${service}`;
  if (!isSubject(subject)) throw new UsageError('environment and service are each one segment of [a-z0-9._@-]');
  const { active: found } = await readStanding(client, subject);
  if (found === undefined) throw new UsageError(`nothing is in service on ${subject}, by the log`);
  const { index, leaf, record } = found;
  const keys = new EnrolledKeys(client, session.trust().origin, nodeEd25519);
  const [model, config] = [await client.entry(hex(record.model)), await client.entry(hex(record.config))];
  for (const entry of [found, model, config]) await keys.verifySigner(entry);
  if (model.record?.type !== 'model' || config.record?.type !== 'config')
    throw new UsageError(`entry ${index} does not name a model record and a config record`);
  return { index, leaf, record, model: model.record, config: config.record };
}

/** A deployment by its leaf hash, proved and with its signature checked, and where its service stands by the log. */
export interface FoundDeployment {
  readonly index: number;
  readonly record: RecordOf<'deployment'>;
  /** The entry that is in service on its subject; undefined when nothing is. */
  readonly inService: number | undefined;
}

/** The deployment that a leaf hash names; undefined when the log has no entry with it. @throws UsageError when it is none */
export async function deploymentOf(
  session: Session,
  client: LogClient,
  leaf: Uint8Array,
): Promise<FoundDeployment | undefined> {
  const entry = await client.entry(hex(leaf)).catch((error: unknown) => {
    if (error instanceof ClientError && error.status === 404) return undefined;
    throw error;
  });
  if (entry === undefined) return undefined;
  await new EnrolledKeys(client, session.trust().origin, nodeEd25519).verifySigner(entry);
  const { index, record } = entry;
  if (record?.type !== 'deployment' || record.phase !== 'active')
    throw new UsageError(`entry ${index}, which the evidence names, puts nothing into service`);
  const { active } = await readStanding(client, record.subject);
  return { index, record, inService: active?.index };
}

/**
 * What a loader measures: image, model and configuration, in this order, as they lie on this machine.
 * @throws NotDeployed when they are not what was deployed: then nothing may be loaded
 */
export async function measureFiles(
  session: Session,
  deployed: Deployed,
  files: FilesHere,
  pcr: number,
): Promise<MeasuredEvent[]> {
  const { record, model, config } = deployed;
  const event = (kind: MeasuredEvent['kind'], digest: Uint8Array, name: string): MeasuredEvent => ({ pcr, digest, kind, name });
  const image = imageOf(record, files.image);
  const bar = session.terminal.progress('hashing');
  const path = await realpath(resolve(session.cwd, files.model));
  const { resources } = await hashModel(path, { ignored: files.ignore ?? [], progress: bar.update }).finally(() => bar.stop());
  const root = manifestRoot(resources);
  if (hex(root) !== hex(model.digest))
    throw new NotDeployed(
      `${printable(files.model)} is not the model that entry ${deployed.index} deploys (${model.name} ${printable(model.version)})`,
    );
  await requireConfig(session, config, files.config);
  const named = (name: string, version: string): string =>
    Array.from(`${name} ${printable(version)}`)
      .slice(0, 200)
      .join('');
  return [
    ...(image === undefined ? [] : [event('image', image, `${record.service} image`)]),
    event('model', root, named(model.name, model.version)),
    event('config', configDigest(config), named(config.name, config.version)),
  ];
}

function imageOf({ image }: RecordOf<'deployment'>, given: string | undefined): Uint8Array | undefined {
  if (given !== undefined && !/^[0-9a-f]{64}$/.test(given)) throw new UsageError('--image takes 64 hex digits');
  if (image === undefined && given !== undefined) throw new UsageError('the deployment names no image: leave --image out');
  if (image !== undefined && given === undefined)
    throw new UsageError('the deployment names an image: say with --image <sha256> which one runs here');
  if (image !== undefined && given !== hex(image)) throw new NotDeployed('this is not the image that was deployed');
  return image;
}

/** The files are exactly those of the record, at their paths. */
async function requireConfig(session: Session, config: RecordOf<'config'>, paths: readonly string[]): Promise<void> {
  const full = paths.map((path) => resolve(session.cwd, path));
  const base = commonFolder(full);
  const wanted = new Map(config.files.map(({ path, digest }) => [path, hex(digest)]));
  for (const path of full) {
    const name = relative(base, path).split('\\').join('/');
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    if (wanted.get(name) !== digest) throw new NotDeployed(`${printable(name)} is not a file of the deployed configuration`);
    wanted.delete(name);
  }
  const [missing] = wanted.keys();
  if (missing !== undefined) throw new NotDeployed(`the deployed configuration also has the file ${printable(missing)}`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
