import { Refusal } from './refusal.js';

/** What a pod's annotations say that it runs. Whoever writes the pod says so; a permit decides whether that may run. */
export interface PodClaim {
  readonly service: string;
  readonly environment: string;
  /** Root of the model's manifest, 32 bytes. */
  readonly model: Uint8Array;
  /** `configDigest`, 32 bytes. */
  readonly config: Uint8Array;
  /** The permit itself, when the pod brings it along. */
  readonly permit: Uint8Array | undefined;
  /** The container that runs the permitted image; the first one when nothing is said. */
  readonly container: string | undefined;
}

/** What the names of the annotations begin with. */
export const PREFIX = 'treering.dev/';
/** Characters of a permit in base64: annotations of an object have 256 KiB together. */
const MAX_PERMIT = 262_144;

/** @throws Refusal that names the annotation */
export function readClaim(annotations: ReadonlyMap<string, string>): PodClaim {
  const required = (name: string, pattern: RegExp, form: string): string => {
    const value = annotations.get(`${PREFIX}${name}`);
    if (value === undefined) throw new Refusal('annotation', `the pod has no annotation ${PREFIX}${name}: set it to ${form}`);
    if (!pattern.test(value)) throw new Refusal('annotation', `the annotation ${PREFIX}${name} has to be ${form}`);
    return value;
  };
  const segment = /^[a-z0-9._@-]{1,200}$/;
  const digest = (name: string, form: string): Uint8Array =>
    new Uint8Array(Buffer.from(required(name, /^[0-9a-f]{64}$/, `${form}, 64 lower-case hex digits`), 'hex'));
  return {
    service: required('service', segment, 'the name of the service in its permit'),
    environment: required('environment', segment, 'the name of the environment in its permit'),
    model: digest('model', "the root of the model's manifest"),
    config: digest('config', 'the digest of the configuration'),
    permit: readPermit(annotations.get(`${PREFIX}permit`)),
    container: annotations.get(`${PREFIX}container`),
  };
}

function readPermit(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, 'base64');
  if (text === '' || text.length > MAX_PERMIT || bytes.toString('base64') !== text)
    throw new Refusal('annotation', `the annotation ${PREFIX}permit has to be a permit in base64 (base64 -w0 <file>)`);
  return new Uint8Array(bytes);
}
