import { z } from 'zod';
import { Refusal } from './refusal.js';

const containerSchema = z.object({ name: z.string().min(1).max(253), image: z.string().max(1024).default('') });
const containersSchema = z.array(containerSchema).max(1024);

const podSchema = z.object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Pod'),
  metadata: z.object({
    namespace: z.string().optional(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  spec: z.looseObject({
    containers: containersSchema.min(1),
    initContainers: containersSchema.nullish(),
    ephemeralContainers: containersSchema.nullish(),
    volumes: z
      .array(z.looseObject({ name: z.string().max(253), image: z.object({ reference: z.string().optional() }).nullish() }))
      .nullish(),
  }),
});

/** An image that a pod brings in, and where it says so. */
interface PodImage {
  readonly where: string;
  readonly image: string;
}

/** What counts of a pod. */
export interface Pod {
  readonly namespace: string | undefined;
  readonly annotations: ReadonlyMap<string, string>;
  /** In the order of the pod. */
  readonly containers: readonly { readonly name: string; readonly image: string }[];
  /** Images of init containers, of ephemeral ones, and of volumes. */
  readonly others: readonly PodImage[];
  /** As it came: to be compared. */
  readonly spec: unknown;
}

const KNOWN_LISTS: readonly string[] = ['containers', 'initContainers', 'ephemeralContainers'];

/** @throws Refusal for what is no pod, and for a pod with containers of a kind that did not exist when this was written */
export function parsePod(object: unknown): Pod {
  const { success, data, error } = podSchema.safeParse(object);
  if (!success) {
    const [{ path, message }] = error.issues;
    throw new Refusal('malformed', `the object is no pod that can be read: ${path.join('.') || 'object'}: ${message}`);
  }
  const { metadata, spec } = data;
  const unknown = Object.keys(spec).find((name) => /containers$/i.test(name) && !KNOWN_LISTS.includes(name));
  if (unknown !== undefined)
    throw new Refusal('containers', `this webhook does not know what spec.${unknown} starts: bring it up to date`);
  const lists = [spec.containers, spec.initContainers ?? [], spec.ephemeralContainers ?? []];
  const names = lists.flat().map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Refusal('containers', `two containers have the name ${twice}; give each its own`);
  return {
    namespace: metadata.namespace,
    annotations: new Map(Object.entries(metadata.annotations ?? {})),
    containers: spec.containers,
    others: [
      ...(spec.initContainers ?? []).map(({ name, image }) => ({ where: `the init container ${name}`, image })),
      ...(spec.ephemeralContainers ?? []).map(({ name, image }) => ({ where: `the ephemeral container ${name}`, image })),
      ...(spec.volumes ?? []).flatMap(({ name, image }) =>
        image === undefined || image === null ? [] : [{ where: `the volume ${name}`, image: image.reference ?? '' }],
      ),
    ],
    spec: (object as { spec: unknown }).spec,
  };
}
