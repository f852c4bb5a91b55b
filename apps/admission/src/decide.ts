import { isDeepStrictEqual } from 'node:util';
import { type PermitTrust, parsePinnedImage, verifyPermit } from '@treering/deployment';
import { EvidenceError } from '@treering/evidence';
import { equalBytes } from '@treering/merkle';
import { printable, stateDigest } from '@treering/record';
import type { AllowedImages } from './allowed-images.js';
import { type PodClaim, PREFIX, readClaim } from './claim.js';
import type { PermitBook } from './permit-book.js';
import { type Pod, parsePod } from './pod.js';
import { Refusal } from './refusal.js';
import type { AdmissionRequest } from './review.js';

/** What decides whether a pod is let in. */
export interface Rules {
  readonly trust: PermitTrust;
  /** Permits that pods need not bring along. */
  readonly book: PermitBook | undefined;
  /** Whether a permit in an annotation counts. */
  readonly annotated: boolean;
  /** What may run beside a permitted image. */
  readonly allowed: AllowedImages;
  /** The environment of each namespace that is bound to one. */
  readonly namespaces: ReadonlyMap<string, string>;
  /** Subresources of pods that may be connected to although that starts a process. */
  readonly connect: ReadonlySet<string>;
  /** Seconds that a permit may be old. */
  readonly maxAge: number | undefined;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Subresources whose objects are pods. */
const POD_FACES: readonly string[] = ['', 'ephemeralcontainers', 'resize', 'status'];
/** Connections to what runs already, through which the cluster starts nothing. */
const HARMLESS_CONNECTIONS: readonly string[] = ['portforward', 'proxy'];
/** Permits of the same state that are tried for one pod. */
const MAX_TRIED = 16;

/**
 * Decides about a request.
 * @throws Refusal when it is not let in; whatever else it throws is a refusal too
 */
export function decide(request: AdmissionRequest, rules: Rules): void {
  const { operation, resource, kind, subResource = '' } = request;
  const what = `${operation} of ${printable(resource.resource)}${subResource === '' ? '' : `/${printable(subResource)}`}`;
  if (resource.group !== '' || resource.version !== 'v1' || resource.resource !== 'pods')
    throw new Refusal('kind', `this webhook decides about pods, and not about ${what}: take that out of its rules`);
  if (operation === 'CONNECT') {
    decideConnect(subResource, rules);
    return;
  }
  if (operation === 'DELETE' && subResource === '') return;
  if (kind.group !== '' || kind.version !== 'v1' || kind.kind !== 'Pod' || !POD_FACES.includes(subResource))
    throw new Refusal('kind', `this webhook decides about pods, and not about ${what}: take that out of its rules`);
  if (operation !== 'CREATE' && operation !== 'UPDATE')
    throw new Refusal('operation', `this webhook does not know what ${what} starts: take that out of its rules`);
  const pod = parsePod(request.object);
  if (operation === 'UPDATE' && changesNothing(pod, request.oldObject)) return;
  decidePod(pod, request.namespace, rules);
}

function decideConnect(subResource: string, { connect }: Rules): void {
  if (HARMLESS_CONNECTIONS.includes(subResource) || connect.has(subResource)) return;
  throw new Refusal(
    'connect',
    `pods/${printable(subResource)} can start what no permit is for; the webhook's operator allows it with --allow-connect`,
  );
}

/** An update that leaves alone what runs and what is said of it: status, labels, finalizers. It starts nothing. */
function changesNothing(pod: Pod, oldObject: unknown): boolean {
  let before: Pod;
  try {
    before = parsePod(oldObject);
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
  const ours = ({ annotations }: Pod): unknown => [...annotations].filter(([name]) => name.startsWith(PREFIX)).sort();
  return isDeepStrictEqual(pod.spec, before.spec) && isDeepStrictEqual(ours(pod), ours(before));
}

function decidePod(pod: Pod, namespace: string | undefined, rules: Rules): void {
  if (namespace === undefined || namespace === '' || (pod.namespace !== undefined && pod.namespace !== namespace))
    throw new Refusal('malformed', 'the request does not say in which namespace the pod is to be');
  const claim = readClaim(pod.annotations);
  const bound = rules.namespaces.get(namespace);
  if (bound !== undefined && bound !== claim.environment)
    throw new Refusal(
      'environment',
      `the namespace ${printable(namespace)} is ${bound}, and the annotation ${PREFIX}environment says ${claim.environment}`,
    );
  requirePermit(claim, imageOf(pod, claim, rules), rules);
}

/** The digest of the image that needs the permit, when every other image is allowed. */
function imageOf({ containers, others }: Pod, { container = containers[0].name }: PodClaim, { allowed }: Rules): Uint8Array {
  const main = containers.find(({ name }) => name === container);
  if (main === undefined)
    throw new Refusal('containers', `the annotation ${PREFIX}container names ${printable(container)}, which is no container`);
  const pinned = (where: string, image: string) => {
    const found = parsePinnedImage(image);
    if (found === undefined)
      throw new Refusal(
        'not-pinned',
        `${printable(where)} runs ${printable(image) || 'no image'}: name it by its digest, as <repository>@sha256:<64 hex digits>`,
      );
    return found;
  };
  const beside = containers
    .filter((other) => other !== main)
    .map(({ name, image }) => ({ where: `the container ${name}`, image }));
  for (const { where, image } of [...beside, ...others])
    if (!allowed(pinned(where, image)))
      throw new Refusal(
        'image-not-allowed',
        `${printable(where)} runs ${printable(image)}, which the permit is not for; the webhook's operator allows it with --allow-image`,
      );
  return pinned(`the container ${main.name}`, main.image).digest;
}

function requirePermit({ permit, environment, service, model, config }: PodClaim, image: Uint8Array, rules: Rules): void {
  const { book, annotated, trust, maxAge, clock } = rules;
  const place = `${service} in ${environment}`;
  if (permit !== undefined && !annotated)
    throw new Refusal('annotation', `this cluster takes no permits from annotations: leave out ${PREFIX}permit`);
  const candidates = permit === undefined ? kept(book, environment, service, place) : [{ bytes: permit, state: undefined }];
  const state = stateDigest(model, config, image);
  // Only permits of this very state can hold; of the others, the newest says best what is wrong.
  const fitting = candidates.filter((one) => one.state !== undefined && equalBytes(one.state, state)).slice(0, MAX_TRIED);
  const fresh = maxAge === undefined ? undefined : { now: Math.floor(clock() / 1000), within: maxAge };
  let why = '';
  for (const { bytes } of fitting.length > 0 ? fitting : candidates.slice(0, 1)) {
    const found = examine(bytes, { environment, service, content: { model, config }, image, fresh }, trust);
    if (found === undefined) return;
    why ||= found;
  }
  throw new Refusal('not-permitted', `there is no permit for this: ${why} Deploy it with "treering gate" (${place})`);
}

function kept(book: PermitBook | undefined, environment: string, service: string, place: string) {
  if (book === undefined)
    throw new Refusal('no-permit', `the pod brings no permit: set ${PREFIX}permit to that of ${place} (base64 -w0 <file>)`);
  if (book.trouble !== undefined)
    throw new Refusal('no-permit', "the permits cannot be read now; the webhook's operator finds the cause in its records");
  const permits = book.of(environment, service);
  if (permits.length === 0)
    throw new Refusal('no-permit', `there is no permit for ${place}: deploy it with "treering gate", and put the permit there`);
  return permits;
}

/** What speaks against a permit, as sentences; undefined when nothing does. */
function examine(bytes: Uint8Array, question: Parameters<typeof verifyPermit>[1], trust: PermitTrust): string | undefined {
  try {
    const { permitted, claims } = verifyPermit(bytes, question, trust);
    if (permitted) return undefined;
    return claims
      .filter(({ name, verdict }) => verdict !== 'proved' && (name !== 'statement-signed' || trust.signerKeys !== 'any'))
      .map(({ text }) => printable(text))
      .join(' ');
  } catch (error) {
    if (error instanceof EvidenceError) return `It cannot be read: ${printable(error.message)}.`;
    throw error;
  }
}
