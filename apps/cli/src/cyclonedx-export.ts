import type { ManifestResource, RecordOf } from '@treering/record';

/** A model record in a log, and what is said of it there. */
export interface ExportedModel {
  readonly origin: string;
  readonly index: number;
  /** 32 bytes */
  readonly leaf: Uint8Array;
  /** When it was signed, in seconds since the epoch. */
  readonly signedAt: number | undefined;
  readonly record: RecordOf<'model'>;
  /** The files, when the manifest can be read. */
  readonly resources: readonly ManifestResource[] | undefined;
  readonly evaluations: readonly { readonly leaf: Uint8Array; readonly record: RecordOf<'evaluation'> }[];
}

/** The value of a JSON member that is left out when there is nothing in it. */
type Members = Readonly<Record<string, unknown>>;

/**
 * A model record as a CycloneDX 1.6 ML-BOM (https://cyclonedx.org/docs/1.6/json/). The same record gives the same bytes: its serial
 * number is made from the leaf, its time is that of the signature.
 */
export function formatModelBom(model: ExportedModel): Uint8Array {
  const { record, leaf, signedAt } = model;
  const datasets = record.training_data.map(datasetComponent);
  const bom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(leaf)}`,
    version: 1,
    metadata: {
      ...(signedAt === undefined ? {} : { timestamp: new Date(signedAt * 1000).toISOString() }),
      component: modelComponent(model, datasets),
    },
    ...some('components', datasets),
  };
  return new TextEncoder().encode(`${JSON.stringify(bom, null, 2)}\n`);
}

function modelComponent(model: ExportedModel, datasets: readonly Members[]): Members {
  const { record, origin, index, leaf, resources } = model;
  const metrics = model.evaluations.flatMap(({ record: evaluation }) => evaluation.metrics.map(metricOf));
  const { size, source } = record;
  const facts: Readonly<Record<string, string | undefined>> = {
    'treering:origin': origin,
    'treering:index': String(index),
    'treering:leaf': hex(leaf),
    'treering:subject': record.subject,
    'treering:change': record.change,
    'treering:format': record.format,
    'treering:bytes': size === undefined ? undefined : String(size.bytes),
    'treering:parameters': size?.parameters === undefined ? undefined : String(size.parameters),
    'treering:source:kind': source?.kind,
    'treering:source:repository': source?.repository,
    'treering:source:revision': source?.revision,
    'treering:source:dirty': source?.dirty === undefined ? undefined : String(source.dirty),
  };
  const cited = model.evaluations.map(({ leaf: of }) => ({ name: 'treering:evaluation', value: hex(of) }));
  return {
    type: 'machine-learning-model',
    'bom-ref': `leaf:${hex(leaf)}`,
    name: record.name,
    version: record.version,
    description: record.reason,
    hashes: [sha256(record.digest)],
    ...(record.license === undefined ? {} : { licenses: [{ license: { name: record.license } }] }),
    ...(record.parents.length === 0
      ? {}
      : { pedigree: { ancestors: record.parents.map((parent) => ancestor(parent, origin)) } }),
    ...some('components', (resources ?? []).map(fileComponent)),
    modelCard: {
      ...(datasets.length === 0 ? {} : { modelParameters: { datasets: datasets.map((d) => ({ ref: d['bom-ref'] })) } }),
      ...(metrics.length === 0 ? {} : { quantitativeAnalysis: { performanceMetrics: metrics } }),
    },
    properties: [...propertiesOf(facts), ...cited],
  };
}

function ancestor({ name, leaf, digest }: RecordOf<'model'>['parents'][number], origin: string): Members {
  const where = leaf === undefined ? {} : { 'treering:origin': origin, 'treering:leaf': hex(leaf) };
  return {
    type: 'machine-learning-model',
    name,
    ...(digest === undefined ? {} : { hashes: [sha256(digest)] }),
    ...some('properties', propertiesOf(where)),
  };
}

/** A file of the model; one that is the whole model has no name of its own in the manifest. */
function fileComponent({ name, digest }: ManifestResource): Members {
  return { type: 'file', name, hashes: [sha256(digest)] };
}

function datasetComponent({ name, digest, provenance }: RecordOf<'model'>['training_data'][number], i: number): Members {
  return {
    type: 'data',
    'bom-ref': `dataset:${i}`,
    name,
    description: provenance,
    ...(digest === undefined ? {} : { hashes: [sha256(digest)] }),
    data: [{ type: 'dataset', name }],
  };
}

function metricOf({ name, value, slice, interval }: RecordOf<'evaluation'>['metrics'][number]): Members {
  return {
    type: name,
    value,
    ...(slice === undefined ? {} : { slice }),
    ...(interval === undefined ? {} : { confidenceInterval: { lowerBound: interval[0], upperBound: interval[1] } }),
  };
}

function propertiesOf(facts: Readonly<Record<string, string | undefined>>): { name: string; value: string }[] {
  return Object.entries(facts).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

function some(name: string, items: readonly unknown[]): Members {
  return items.length === 0 ? {} : { [name]: items };
}

function sha256(digest: Uint8Array): Members {
  return { alg: 'SHA-256', content: hex(digest) };
}

/** A UUID of the kind whose bits are the maker's own (RFC 9562 section 5.8), from the first 16 bytes of a leaf. */
function uuidOf(leaf: Uint8Array): string {
  const bytes = leaf.slice(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x80;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
