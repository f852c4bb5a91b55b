import { type ChangeRecord, configDigest, type RecordOf, stateDigest } from '@treering/record';
import { EXAMPLES } from '../../record/test/examples.js';
import type { Draft } from './governed-log.js';

/** A version of a model; versions differ by their digest. */
export function modelDraft(name: string, fill = 1): Draft & { type: 'model' } {
  const { v: _v, reason: _reason, ...rest } = EXAMPLES.model.minimal;
  return { ...rest, subject: `model/${name}`, name, digest: new Uint8Array(32).fill(fill) };
}

/** A configuration; what is deployed with it differs by its version. */
export function configDraft(name: string, version = '1'): Draft & { type: 'config' } {
  const { v: _v, reason: _reason, ...rest } = EXAMPLES.config.minimal;
  return { ...rest, subject: `config/${name}`, name, version };
}

/** An entry that a deployment names. */
export interface Entry {
  readonly leaf: Uint8Array;
  readonly record?: ChangeRecord | undefined;
}

/** What is deployed; of an entry without a model or configuration, anything. */
function digestOf({ leaf, record }: Entry): Uint8Array {
  if (record?.type === 'model') return record.digest;
  return record?.type === 'config' ? configDigest(record) : leaf;
}

/** A deployment to production of a model with a configuration: an intent, unless `change` says otherwise. */
export function deploymentDraft(
  model: Entry,
  config: Entry,
  change: Partial<RecordOf<'deployment'>> = {},
): Draft & { type: 'deployment' } {
  const { v: _v, reason: _reason, ...rest } = EXAMPLES.deployment.minimal;
  const state = stateDigest(digestOf(model), digestOf(config), change.image);
  return { ...rest, model: model.leaf, config: config.leaf, state, ...change };
}

/** An approval of an entry, as approver unless `change` says otherwise. */
export function approvalDraft(
  subject: string,
  target: Entry,
  change: Partial<RecordOf<'approval'>> = {},
): Draft & { type: 'approval' } {
  return { type: 'approval', subject, target: target.leaf, decision: 'approve', role: 'approver', ...change };
}
