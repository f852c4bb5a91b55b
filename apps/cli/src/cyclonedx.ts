import { parseStrictJson } from '@treering/foreign';
import { printable } from '@treering/record';
import { z } from 'zod';
import { UsageError } from './exit.js';

/*
 * The parts of a CycloneDX bill of materials (https://cyclonedx.org/docs/1.6/json/) that say something of a model. What is read
 * is read strictly; the rest of the BOM may be anything.
 */

const text = z.string().min(1);
const hash = z.looseObject({ alg: text, content: z.string().regex(/^(?:[0-9a-fA-F]{2}){16,64}$/, 'must be hex') });
const property = z.looseObject({ name: text, value: z.string().optional() });
const properties = z.array(property).optional();
const licenses = z
  .array(
    z.union([
      z.looseObject({ expression: text }),
      z.looseObject({ license: z.union([z.looseObject({ id: text }), z.looseObject({ name: text })]) }),
    ]),
  )
  .optional();
const reference = z.looseObject({ ref: text });
const data = z.looseObject({
  type: text,
  name: text.optional(),
  description: text.optional(),
  contents: z.looseObject({ url: text.optional() }).optional(),
  'bom-ref': text.optional(),
});
const metric = z.looseObject({
  type: text,
  value: text,
  slice: text.optional(),
  confidenceInterval: z.looseObject({ lowerBound: text, upperBound: text }).optional(),
});
const plain = z.looseObject({
  type: text,
  name: text,
  version: text.optional(),
  'bom-ref': text.optional(),
  description: text.optional(),
  hashes: z.array(hash).optional(),
  licenses,
  properties,
  data: z.array(data).optional(),
});
const component = plain.extend({
  components: z.array(plain).optional(),
  pedigree: z.looseObject({ ancestors: z.array(plain).optional() }).optional(),
  modelCard: z
    .looseObject({
      modelParameters: z.looseObject({ datasets: z.array(z.union([reference, data])).optional() }).optional(),
      quantitativeAnalysis: z.looseObject({ performanceMetrics: z.array(metric).optional() }).optional(),
    })
    .optional(),
});
const bom = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.enum(['1.5', '1.6', '1.7'], { error: 'must be 1.5, 1.6 or 1.7' }),
  metadata: z.looseObject({ component: component.optional() }).optional(),
  components: z.array(component).optional(),
});

type Component = z.infer<typeof component>;
type Plain = z.infer<typeof plain>;

/** A metric of a model card, as it stands there. */
export type BomMetric = z.infer<typeof metric>;

/** What a BOM says of one model. Nothing of it is believed before it is compared with the files. */
export interface ModelBom {
  readonly specVersion: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly license: string | undefined;
  /** Of the model as a whole: algorithm as CycloneDX writes it, and lower-case hex. */
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  /** Files of the model, with their SHA-256 in hex. */
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
  readonly ancestors: readonly { readonly name: string; readonly sha256?: string; readonly properties: Properties }[];
  readonly datasets: readonly { readonly name: string; readonly provenance?: string; readonly sha256?: string }[];
  readonly metrics: readonly BomMetric[];
}

/** Properties of a component; of two with one name the first. */
type Properties = ReadonlyMap<string, string>;

/**
 * Reads a BOM and finds the model that it is about: its own component, or the only one of that type that it lists.
 * @param path for messages
 * @throws UsageError when it is no CycloneDX 1.5 to 1.7 in JSON, or is not about one model
 */
export function readModelBom(bytes: Uint8Array, path: string): ModelBom {
  let value: unknown;
  try {
    value = parseStrictJson(bytes);
  } catch (error) {
    throw new UsageError(`${path} is no JSON: ${(error as Error).message}`);
  }
  const result = bom.safeParse(value);
  if (!result.success) {
    const [{ path: at, message }] = result.error.issues;
    throw new UsageError(`${path} is no CycloneDX BOM that is read here: ${printable(at.join('.'))} ${message}`);
  }
  const { metadata, components = [], specVersion } = result.data;
  const own = metadata?.component?.type === 'machine-learning-model' ? [metadata.component] : [];
  const listed = components.filter(({ type }) => type === 'machine-learning-model');
  const candidates = own.length > 0 ? own : listed;
  if (candidates.length !== 1)
    throw new UsageError(
      `${path} lists ${candidates.length === 0 ? 'no component' : `${candidates.length} components`} of the type machine-learning-model; a BOM that is recorded is about one`,
    );
  const [model] = candidates;
  return {
    specVersion,
    name: model.name,
    version: model.version,
    license: licenseOf(model, path),
    hashes: (model.hashes ?? []).map(({ alg, content }) => ({ alg, content: content.toLowerCase() })),
    files: filesOf(model, path),
    ancestors: (model.pedigree?.ancestors ?? []).map((ancestor) => ({
      name: ancestor.version === undefined ? ancestor.name : `${ancestor.name} ${ancestor.version}`,
      ...sha256Of(ancestor),
      properties: propertiesOf(ancestor),
    })),
    datasets: (model.modelCard?.modelParameters?.datasets ?? []).map((item) => datasetOf(item, components, path)),
    metrics: model.modelCard?.quantitativeAnalysis?.performanceMetrics ?? [],
  };
}

function licenseOf({ licenses: list = [] }: Component, path: string): string | undefined {
  const names = list.map((item) => {
    if ('expression' in item) return item.expression as string;
    const { license } = item as { license: { id?: string; name?: string } };
    return license.id ?? license.name;
  });
  const joined = names.join(' AND ');
  if (joined.length > 200) throw new UsageError(`${path} names licences of more than 200 characters; say --license`);
  return joined === '' ? undefined : joined;
}

function filesOf({ components = [] }: Component, path: string): { name: string; sha256: string }[] {
  return components
    .filter(({ type }) => type === 'file')
    .map((file) => {
      const { sha256 } = sha256Of(file);
      if (sha256 === undefined) throw new UsageError(`${path} lists the file ${printable(file.name)} without a SHA-256 hash`);
      return { name: file.name, sha256 };
    });
}

type DatasetItem = z.infer<typeof reference> | z.infer<typeof data>;

function datasetOf(item: DatasetItem, components: readonly Component[], path: string): ModelBom['datasets'][number] {
  if (!('ref' in item)) {
    const dataset = item as z.infer<typeof data>;
    if (dataset.name === undefined) throw new UsageError(`${path} lists a dataset without a name`);
    return { name: dataset.name, ...provenanceOf(dataset) };
  }
  const component = components.find((candidate) => candidate['bom-ref'] === item.ref);
  if (component !== undefined) {
    const [first] = component.data ?? [];
    return {
      name: component.version === undefined ? component.name : `${component.name} ${component.version}`,
      ...sha256Of(component),
      ...(first === undefined ? {} : provenanceOf(first)),
      ...(component.description === undefined ? {} : { provenance: component.description }),
    };
  }
  throw new UsageError(`${path} refers to the dataset ${printable(item.ref as string)}, which it does not describe`);
}

function provenanceOf({ description, contents }: z.infer<typeof data>): { provenance?: string } {
  const provenance = [description, contents?.url].filter((part) => part !== undefined).join(' ');
  return provenance === '' ? {} : { provenance };
}

function sha256Of({ hashes = [] }: Plain): { sha256?: string } {
  const found = hashes.find(({ alg }) => alg === 'SHA-256');
  return found === undefined || found.content.length !== 64 ? {} : { sha256: found.content.toLowerCase() };
}

function propertiesOf({ properties: list = [] }: Plain): Properties {
  return new Map([...list].reverse().map(({ name, value }) => [name, value ?? '']));
}
