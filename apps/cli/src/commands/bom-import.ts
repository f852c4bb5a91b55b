import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EnrolledKeys, type LogClient } from '@treering/client';
import { equalBytes } from '@treering/merkle';
import { nodeEd25519 } from '@treering/note/node';
import { createAttachment, manifestRoot, printable, type RecordOf, validateRecord } from '@treering/record';
import type { ModelFiles } from '@treering/record/node';
import { segmentOf } from '@treering/recorder/segment';
import { type BomMetric, type ModelBom, readModelBom } from '../cyclonedx.js';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { hashFiles, type ModelFacts, type ModelFlags, proofName, recordModel } from './model.js';
import { entryId } from './read.js';

/** Flags of `bom import`. */
export interface BomImportFlags extends Omit<ModelFlags, 'name' | 'version'> {
  readonly path: string;
  readonly name?: string;
  readonly version?: string;
  readonly modelLeaf?: string;
  readonly configLeaf?: string;
  readonly dataset?: string;
  readonly verdict?: 'pass' | 'fail';
  readonly suite?: string;
}

/** Algorithms whose hashes are compared, and what Node calls them. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
  'SHA3-256': 'sha3-256',
  'SHA3-384': 'sha3-384',
  'SHA3-512': 'sha3-512',
};

/**
 * `bom import`: records a model as a CycloneDX ML-BOM describes it, with the digest of its files, never that of the BOM; or, when
 * the leaves of model and configuration are given, the evaluation that its model card holds.
 */
export async function importBom(session: Session, file: string, flags: BomImportFlags): Promise<void> {
  const path = resolve(session.cwd, file);
  const bytes = new Uint8Array(await readFile(path));
  const bom = readModelBom(bytes, printable(file));
  if (flags.modelLeaf !== undefined || flags.configLeaf !== undefined) return importEvaluation(session, file, bom, flags);
  const name = flags.name ?? segmentOf(bom.name);
  const version = flags.version ?? bom.version;
  if (name === undefined)
    throw new UsageError(`required option '--name <name>' not specified: ${file} has none that can be one`);
  if (version === undefined) throw new UsageError(`required option '--version <version>' not specified: ${file} has none`);
  await recordModel(session, flags.path, { ...flags, name, version }, async (files) => {
    await requireSameFiles(session, file, bom, resolve(session.cwd, flags.path), files);
    return factsOf(session, file, bom, bytes, flags.access);
  });
}

/** Says so when there is nothing to compare. @throws UsageError when a hash in the BOM is not that of the files */
async function requireSameFiles(session: Session, file: string, bom: ModelBom, path: string, files: ModelFiles): Promise<void> {
  const root = hex(manifestRoot(files.resources));
  const single = files.resources.length === 1 ? files.resources[0] : undefined;
  const differs = (what: string, said: string, found: string): UsageError =>
    new UsageError(`${printable(file)} says that ${what} is ${said}, and the files say ${found}: nothing is recorded`);
  let compared = bom.files.length;
  for (const { alg, content } of bom.hashes) {
    const known = [...(alg === 'SHA-256' ? [root] : []), ...(single === undefined ? [] : await hashOf(path, single.name, alg))];
    if (known.length === 0) {
      session.terminal.remark(`The BOM's ${printable(alg)} hash cannot be compared with these files.`);
      continue;
    }
    if (!known.includes(content)) throw differs(`the ${alg} hash of the model`, content, known[0]);
    compared++;
  }
  for (const { name, sha256 } of bom.files) {
    const resource = files.resources.find((known) => known.name === name);
    if (resource === undefined)
      throw differs(`${printable(name)} is a file of the model, whose SHA-256 hash`, sha256, 'that there is none');
    if (hex(resource.digest) !== sha256) throw differs(`the SHA-256 hash of ${printable(name)}`, sha256, hex(resource.digest));
  }
  if (compared === 0)
    session.terminal.remark(
      'The BOM holds no hash that these files can be compared with: nothing was compared, and that it is about them only you say.',
    );
}

/** The hash of a single file; nothing for an algorithm that is not known. */
async function hashOf(path: string, name: string, alg: string): Promise<string[]> {
  if (!Object.hasOwn(ALGORITHMS, alg)) return [];
  const hash = createHash(ALGORITHMS[alg]);
  const real = await realpath(path);
  await pipeline(createReadStream(name === '.' ? real : join(real, ...name.split('/'))), hash);
  return [hash.digest('hex')];
}

async function factsOf(
  session: Session,
  file: string,
  bom: ModelBom,
  bytes: Uint8Array,
  access: ModelFlags['access'],
): Promise<ModelFacts> {
  const about = { name: 'bom.cdx.json', media_type: 'application/vnd.cyclonedx+json', access };
  const attachment = createAttachment(bytes, about, new Uint8Array(randomBytes(16)));
  const unsaid = `Named in the CycloneDX BOM ${basename(file)}, which does not say where it comes from.`;
  return {
    parents: await Promise.all(bom.ancestors.map((ancestor) => parentOf(session, file, ancestor))),
    trainingData: bom.datasets.map(({ name, provenance, sha256 }) => ({
      name,
      provenance: provenance ?? unsaid,
      ...(sha256 === undefined ? {} : { digest: unhex(sha256) }),
    })),
    license: bom.license,
    sbom: [{ format: `CycloneDX ${bom.specVersion}`, digest: attachment.ref.digest }],
    attachments: [attachment],
  };
}

/**
 * An ancestor. The leaf that the BOM names in this log counts when it is that of a model record whose inclusion and signature are
 * proved; the digest is then that of the record.
 * @throws UsageError when the BOM and that record contradict each other
 */
async function parentOf(
  session: Session,
  file: string,
  { name, sha256, properties }: ModelBom['ancestors'][number],
): Promise<RecordOf<'model'>['parents'][number]> {
  const leaf = properties.get('treering:leaf');
  const origin = session.trust().origin;
  if (leaf === undefined || properties.get('treering:origin') !== origin)
    return { name, ...(sha256 === undefined ? {} : { digest: unhex(sha256) }) };
  const client = session.client();
  const entry = await client.entry(entryId(leaf));
  const { index, record } = entry;
  if (record?.type !== 'model') {
    session.terminal.remark(
      `Entry ${index}, which the BOM names for its ancestor ${printable(name)}, is no model record: the ancestor is recorded without it.`,
    );
    return { name, ...(sha256 === undefined ? {} : { digest: unhex(sha256) }) };
  }
  await new EnrolledKeys(client, origin, nodeEd25519).verifySigner(entry);
  if (sha256 !== undefined && sha256 !== hex(record.digest))
    throw new UsageError(
      `${printable(file)} says that its ancestor ${printable(name)} has the SHA-256 hash ${sha256}, and entry ${index}, which it names, says ${hex(record.digest)}: nothing is recorded`,
    );
  session.terminal.remark(`The ancestor ${printable(name)} is entry ${index}: version ${record.version} of ${record.subject}.`);
  return { name, leaf: entry.leaf, digest: record.digest };
}

/** The model card's metrics as an evaluation of a model that is recorded already, in a configuration that is. */
async function importEvaluation(session: Session, file: string, bom: ModelBom, flags: BomImportFlags): Promise<void> {
  const { modelLeaf, configLeaf, dataset, verdict } = flags;
  if (modelLeaf === undefined || configLeaf === undefined)
    throw new UsageError('an evaluation is of a model in a configuration: give both --model-leaf and --config-leaf');
  if (verdict === undefined || dataset === undefined || !/^[0-9a-f]{64}$/.test(dataset))
    throw new UsageError(
      'a model card does not say on what it was measured and whether that is enough: give --dataset <SHA-256 in hex> and --verdict pass or fail',
    );
  if (bom.metrics.length === 0) throw new UsageError(`${printable(file)} holds no performance metrics`);
  const client = session.client();
  const model = await recordAt(client, modelLeaf, 'model');
  const config = await recordAt(client, configLeaf, 'config');
  const files = await hashFiles(resolve(session.cwd, flags.path), flags);
  if (!equalBytes(manifestRoot(files.resources), model.record.digest))
    throw new UsageError(`the files in ${printable(flags.path)} are not those of the model in entry ${model.index}`);
  await requireSameFiles(session, file, bom, resolve(session.cwd, flags.path), files);
  const subject = `evaluation/${model.record.name}`;
  const prev = await previousLeaf(client, subject);
  const record = validateRecord({
    v: 1,
    type: 'evaluation',
    subject,
    reason: flags.reason,
    model: model.leaf,
    config: config.leaf,
    suite: flags.suite ?? `Model card of ${bom.name} in CycloneDX`,
    dataset: unhex(dataset),
    metrics: bom.metrics.map((metric) => metricOf(metric, file)),
    verdict,
    tolerances: [],
    ...(prev === undefined ? {} : { prev }),
    ...(flags.ticket === undefined ? {} : { ticket: flags.ticket }),
  });
  const out = proofName(`evaluation-${model.record.name}`, model.record.version);
  const proof =
    flags.out === undefined ? join(dirname(resolve(session.cwd, flags.path)), out) : resolve(session.cwd, flags.out);
  await submitRecord(session, client, record, { proof, wait: flags.wait, rebase: flags.rebase });
}

async function recordAt<T extends 'model' | 'config'>(
  client: LogClient,
  leaf: string,
  type: T,
): Promise<{ index: number; leaf: Uint8Array; record: RecordOf<T> }> {
  const { index, leaf: hash, record } = await client.entry(entryId(leaf));
  if (record?.type !== type) throw new UsageError(`entry ${index} is no ${type} record`);
  return { index, leaf: hash, record: record as RecordOf<T> };
}

function metricOf(
  { type, value, slice, confidenceInterval }: BomMetric,
  file: string,
): RecordOf<'evaluation'>['metrics'][number] {
  const decimal = (text: string): string => {
    if (/^-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?$/.test(text)) return text;
    throw new UsageError(
      `${printable(file)} gives ${printable(type)} the value ${printable(text)}, which is no decimal number`,
    );
  };
  return {
    name: type,
    value: decimal(value),
    ...(slice === undefined ? {} : { slice }),
    ...(confidenceInterval === undefined
      ? {}
      : { interval: [decimal(confidenceInterval.lowerBound), decimal(confidenceInterval.upperBound)] }),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
