import { type CborInput, type CborValue, decodeCbor, encodeCbor, fromJson, type Json, toJson } from '@treering/statement';
import type { z } from 'zod';
import { attestation, decisionBatch, incident, verification } from './assurance-records.js';
import { approval, assessment, changePlan, config, deployment, evaluation, model, system } from './change-records.js';
import { RecordError } from './errors.js';
import { amendment, charter, correction, freeze, identity, mapHead, policy } from './governance-records.js';

/** The schema of each record type (formats.md section 5). Members that are not named are refused. */
export const recordSchemas = {
  charter,
  amendment,
  identity,
  policy,
  system,
  model,
  config,
  evaluation,
  approval,
  deployment,
  attestation,
  verification,
  incident,
  'decision-batch': decisionBatch,
  'change-plan': changePlan,
  assessment,
  correction,
  freeze,
  'map-head': mapHead,
} as const;

/** The name of a record type. */
export type RecordType = keyof typeof recordSchemas;
/** The record of one type. */
export type RecordOf<T extends RecordType> = z.infer<(typeof recordSchemas)[T]>;
/** Any record. */
export type ChangeRecord = { [T in RecordType]: RecordOf<T> }[RecordType];
/** A policy as it stands in charter and policy records. */
export type PolicyBody = RecordOf<'policy'>['policy'];
/** One rule of a policy. */
export type PolicyRule = PolicyBody['rules'][number];
/** How many must approve what, before it is deployed. */
export type ApprovalRule = NonNullable<PolicyBody['approvals']>[number];
/** What must be in the log before something is deployed. */
export type GateRule = NonNullable<PolicyBody['gates']>[number];
/** Somebody outside the log whose signatures count. */
export type Issuer = NonNullable<PolicyBody['issuers']>[number];
/** An identity provider whose tokens enrol keys. */
export type OidcProvider = NonNullable<PolicyBody['oidc']>[number];
/** A reference to content beside the log. */
export type AttachmentRef = NonNullable<ChangeRecord['attachments']>[number];

/** Where the subject of a record of this type must lie. */
function requiredSubject(record: ChangeRecord): string | undefined {
  switch (record.type) {
    case 'charter':
    case 'policy':
      return record.type;
    case 'amendment':
      return 'charter';
    case 'identity':
      return `identity/${record.id}`;
    case 'model':
    case 'config':
    case 'system':
      return `${record.type}/${record.name}`;
    case 'deployment':
      return `deploy/${record.environment}/${record.service}`;
    case 'freeze':
      // Freezes stand together, so that a replay finds them without reading everything.
      return record.subject.startsWith('freeze/') ? undefined : 'freeze/<name>';
    default:
      return undefined;
  }
}

/**
 * Checks a record against the schema of its type.
 * @throws RecordError record/unknown-type, or record/invalid with the first things that are wrong
 */
export function validateRecord(value: unknown): ChangeRecord {
  const type = typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(recordSchemas, type)) {
    throw new RecordError(
      'record/unknown-type',
      `${typeof type === 'string' ? JSON.stringify(type) : 'a record without type'} is no record type; known are ${Object.keys(recordSchemas).join(', ')}`,
    );
  }
  if (hasProto(value)) throw new RecordError('record/invalid', 'a record has no member __proto__');
  const result = (recordSchemas[type as RecordType] as z.ZodType<ChangeRecord>).safeParse(value);
  if (!result.success) {
    const issues = result.error.issues
      .slice(0, 5)
      .map((issue) => `${issue.path.map(String).join('.') || type}: ${issue.message}`);
    throw new RecordError('record/invalid', `the ${type} record is not valid: ${issues.join('; ')}`);
  }
  const wanted = requiredSubject(result.data);
  if (wanted !== undefined && result.data.subject !== wanted) {
    throw new RecordError('record/invalid', `the subject of this ${type} record must be ${wanted}, not ${result.data.subject}`);
  }
  return result.data;
}

/**
 * The payload of a statement: the record in deterministic CBOR.
 * @throws RecordError when it is not valid
 */
export function encodeRecord(record: ChangeRecord): Uint8Array {
  const payload = encodeCbor(validateRecord(record) as unknown as CborInput);
  // What cannot be read back is not written.
  decodeRecord(payload);
  return payload;
}

/**
 * Reads a payload.
 * @throws StatementError for CBOR outside the profile, RecordError for anything that is no valid record
 */
export function decodeRecord(payload: Uint8Array): ChangeRecord {
  return validateRecord(toPlain(decodeCbor(payload, { tags: [] })));
}

/** The lossless JSON view of a record: bytes as {"$bytes": base64url}. */
export function recordToJson(record: ChangeRecord): Json {
  return toJson(decodeCbor(encodeRecord(record)));
}

/**
 * Reads the JSON view of a record.
 * @throws StatementError or RecordError
 */
export function recordFromJson(json: Json): ChangeRecord {
  return decodeRecord(encodeCbor(fromJson(json)));
}

/** Maps with text keys as plain objects. A key that JavaScript treats specially is defined, never assigned. */
function toPlain(value: CborValue): unknown {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(toPlain);
  if (!(value instanceof Map)) throw new RecordError('record/invalid', 'a record holds no tags');
  const plain: Record<string, unknown> = {};
  for (const [key, item] of value) {
    if (typeof key !== 'string') throw new RecordError('record/invalid', 'the keys of a record are texts');
    if (key === '__proto__')
      Object.defineProperty(plain, key, { value: toPlain(item), enumerable: true, configurable: true, writable: true });
    else plain[key] = toPlain(item);
  }
  return plain;
}

/** Whether a member that JavaScript treats specially hides anywhere in a value. Schemas would pass over it in silence. */
function hasProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasProto);
}
