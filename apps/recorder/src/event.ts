import { Problem } from '@treering/server';
import { z } from 'zod';
import { shownSource } from './without-secrets.js';

/** What the registry says of one version of a model. */
export interface RegistryEvent {
  /** `<entity>.<action>` as MLflow names it. */
  readonly event: string;
  /** The model's name in the registry. */
  readonly name: string;
  readonly version: string;
  /** Where its files are, when the event says it; without what may be a password or token in it. */
  readonly source: string | undefined;
  /** What happened, as a sentence. */
  readonly sentence: string;
}

const envelope = z.looseObject({ entity: z.string().max(100), action: z.string().max(100), data: z.looseObject({}) });
const name = z.string().min(1).max(1000);
const version = z.string().regex(/^[0-9A-Za-z._-]{1,100}$/, 'is no version');
const short = z.string().max(5000);
const payloads = {
  'model_version.created': z.looseObject({ name, version, source: z.string().min(1).max(5000) }),
  'model_version_alias.created': z.looseObject({ name, version, alias: short }),
  'model_version_tag.set': z.looseObject({ name, version, key: short, value: short }),
};

/**
 * Reads the body of a delivery.
 * @returns undefined, with the event's name, for an event that announces no content of a model; and what may be kept of the body,
 * which reads as the same event: neither a password in a source nor the value of a tag
 * @throws Problem 400 when it is not as MLflow writes it
 */
export function parseEvent(body: Uint8Array): {
  readonly event: string;
  readonly about: RegistryEvent | undefined;
  readonly kept: Uint8Array;
} {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new Problem(400, 'recorder/malformed', 'the body of this delivery is no JSON');
  }
  const { entity, action, data } = read(envelope, json);
  const event = `${entity}.${action}`;
  const keep = (members: object): Uint8Array => new TextEncoder().encode(JSON.stringify({ entity, action, data: members }));
  switch (event) {
    case 'model_version.created': {
      const of = read(payloads[event], data);
      const source = shownSource(of.source);
      const sentence = `Version ${of.version} of ${of.name} was registered in MLflow.`;
      return { event, about: { event, ...pick(of), source, sentence }, kept: keep({ ...pick(of), source }) };
    }
    case 'model_version_alias.created': {
      const of = read(payloads[event], data);
      const sentence = `Version ${of.version} of ${of.name} got the alias ${of.alias} in MLflow.`;
      const kept = keep({ ...pick(of), alias: of.alias });
      return { event, about: { event, ...pick(of), source: undefined, sentence }, kept };
    }
    case 'model_version_tag.set': {
      const of = read(payloads[event], data);
      const sentence = `Version ${of.version} of ${of.name} got the tag ${of.key} in MLflow.`;
      const kept = keep({ ...pick(of), key: of.key, value: '' });
      return { event, about: { event, ...pick(of), source: undefined, sentence }, kept };
    }
    default:
      return { event, about: undefined, kept: keep({}) };
  }
}

function pick({ name, version }: { name: string; version: string }): { name: string; version: string } {
  return { name, version };
}

function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  throw new Problem(
    400,
    'recorder/malformed',
    `the body of this delivery is not as MLflow writes it: ${path.join('.')} ${message}`,
  );
}
