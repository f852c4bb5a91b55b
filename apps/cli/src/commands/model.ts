import { randomBytes } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  type Attachment,
  createAttachment,
  formatManifest,
  manifestRoot,
  type RecordOf,
  validateRecord,
} from '@treering/record';
import { hashModel, type ModelFiles, type Progress } from '@treering/record/node';
import { GENERATION_CONFIG } from '../config-content.js';
import { UsageError } from '../exit.js';
import { type HuggingFaceFacts, readHuggingFace } from '../huggingface.js';
import { type ModelSource, modelSource } from '../model-source.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';

/** Flags of `record model`. */
export interface ModelFlags {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
  readonly change?: string;
  readonly parent?: readonly string[];
  readonly trainingData?: readonly string[];
  readonly license?: string;
  readonly format?: string;
  readonly ignore?: readonly string[];
  readonly ticket?: string;
  readonly access: 'public' | 'restricted' | 'withheld';
  readonly out?: string;
  readonly wait: boolean;
  readonly rebase: boolean;
}

/** What somebody else than the user says of a model: it counts where no flag does. */
export interface ModelFacts {
  readonly parents?: ModelRecord['parents'];
  readonly trainingData?: ModelRecord['training_data'];
  readonly license?: string | undefined;
  readonly source?: ModelSource;
  readonly sbom?: ModelRecord['sbom'];
  /** Beside those that are made here. */
  readonly attachments?: readonly Attachment[];
}

/** A model's record that can be signed, and what to know before. */
export interface PreparedModel {
  readonly record: ModelRecord;
  readonly attachments: readonly Attachment[];
  readonly files: ModelFiles;
  readonly huggingFace: HuggingFaceFacts | undefined;
}

type ModelRecord = RecordOf<'model'>;

/** Hashes a model's files and records the version. */
export async function recordModel(
  session: Session,
  path: string,
  flags: ModelFlags,
  factsOf: (files: ModelFiles) => ModelFacts | Promise<ModelFacts> = () => ({}),
): Promise<PreparedModel> {
  const { terminal, cwd } = session;
  const given = resolve(cwd, path);
  const client = session.client();
  const bar = terminal.progress('hashing');
  const files = await hashFiles(given, flags, bar.update).finally(() => bar.stop());
  const said = await factsOf(files);
  const source = said.source ?? (await modelSource(given, files, terminal.remark));
  const facts = source === undefined ? said : { ...said, source };
  const prev = await previousLeaf(client, `model/${flags.name}`);
  const prepared = await prepareModel(given, files, flags, facts, prev);
  if (prepared.huggingFace?.decodes === true)
    terminal.remark(
      `${GENERATION_CONFIG} says how the model decodes, which is configuration: "treering record" with --config-name, or "treering record config", records it.`,
    );
  const { record, attachments } = prepared;
  const proof = flags.out === undefined ? join(dirname(given), proofName(flags.name, flags.version)) : resolve(cwd, flags.out);
  await submitRecord(session, client, record, { attachments, proof, wait: flags.wait, rebase: flags.rebase });
  return prepared;
}

/** Hashes the files of a model, which may lie behind a link. */
export async function hashFiles(path: string, flags: Pick<ModelFlags, 'ignore'>, progress?: Progress): Promise<ModelFiles> {
  return hashModel(await realpath(path), {
    ignored: flags.ignore ?? [],
    ...(progress === undefined ? {} : { progress }),
  });
}

/**
 * The record of a model whose files were hashed: what the flags say, then what is known from elsewhere, then what the files say.
 * @throws UsageError or RecordError for what contradicts itself or cannot be recorded
 */
export async function prepareModel(
  path: string,
  files: ModelFiles,
  flags: Omit<ModelFlags, 'out' | 'wait' | 'rebase'>,
  facts: ModelFacts,
  prev: Uint8Array | undefined,
): Promise<PreparedModel> {
  const real = await realpath(path);
  const subject = `model/${flags.name}`;
  const huggingFace = await readHuggingFace(real, files);
  const { source } = facts;
  const attach = (name: string, content: Uint8Array): Attachment =>
    createAttachment(content, { name, media_type: 'application/json', access: flags.access }, new Uint8Array(randomBytes(16)));
  const attachJson = (name: string, value: unknown): Attachment =>
    attach(name, new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  const attachments = [attach('manifest.json', formatManifest(flags.name, files.resources, flags.ignore))];
  let tensors: ModelRecord['tensors'];
  if (files.tensors.length > 0) {
    const summary = files.tensors.map((t) => ({ ...t, digest: Buffer.from(t.digest).toString('hex') }));
    const attachment = attachJson('tensors.json', summary);
    attachments.push(attachment);
    tensors = { count: files.tensors.length, digest: attachment.ref.digest };
  }
  if (huggingFace !== undefined) attachments.push(attachJson('huggingface.json', huggingFace.summary));
  attachments.push(...(facts.attachments ?? []));
  const parameters = huggingFace?.parameters;
  const license = flags.license ?? facts.license ?? huggingFace?.license;
  const format = flags.format ?? (parameters === undefined ? undefined : 'safetensors');
  const record = validateRecord({
    v: 1,
    type: 'model',
    subject,
    reason: flags.reason,
    name: flags.name,
    version: flags.version,
    digest: manifestRoot(files.resources),
    change: flags.change ?? (prev === undefined ? 'new' : 'weights'),
    parents: flags.parent?.map(parentOf) ?? facts.parents ?? [],
    training_data: flags.trainingData?.map(trainingData) ?? facts.trainingData ?? [],
    size: { bytes: files.bytes, files: files.resources.length, ...(parameters === undefined ? {} : { parameters }) },
    attachments: attachments.map((a) => a.ref),
    ...(prev === undefined ? {} : { prev }),
    ...(tensors === undefined ? {} : { tensors }),
    ...(license === undefined ? {} : { license }),
    ...(format === undefined ? {} : { format }),
    ...(flags.ticket === undefined ? {} : { ticket: flags.ticket }),
    ...(facts.sbom === undefined ? {} : { sbom: facts.sbom }),
    ...(source === undefined ? {} : { source }),
  }) as ModelRecord;
  return { record, attachments, files, huggingFace };
}

function parentOf(parent: string): ModelRecord['parents'][number] {
  return /^[0-9a-f]{64}$/.test(parent) ? { leaf: new Uint8Array(Buffer.from(parent, 'hex')), name: parent } : { name: parent };
}

function trainingData(text: string): { name: string; provenance: string } {
  const [name, provenance] = [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)];
  if (!text.includes('=') || name === '' || provenance === '')
    throw new UsageError('--training-data reads <name>=<where it comes from>');
  return { name, provenance };
}

/** `<name>-<version>.tlog-proof`, with nothing in it that a file name may not hold. */
export function proofName(name: string, version: string): string {
  return `${name}-${version}`.replace(/[^A-Za-z0-9._@+-]/g, '_').concat('.tlog-proof');
}
