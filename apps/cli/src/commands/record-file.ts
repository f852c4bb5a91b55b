import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type ChangeRecord, recordFromJson, recordSchemas } from '@treering/record';
import { type Json, StatementError } from '@treering/statement';
import { deployedState } from '../deployed-state.js';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { parseYaml } from '../yaml.js';

/** Flags of `record <type>`. */
export interface RecordFileFlags {
  readonly file: string;
  readonly reason?: string;
  readonly prev: boolean;
  readonly rebase: boolean;
  readonly out?: string;
  readonly wait: boolean;
}

/**
 * Records what a YAML or JSON file says: the JSON view of a record, where 64 hex digits may stand for 32 bytes. The state of a
 * deployment that does not say it is that of the records that it names.
 */
export async function recordFile(session: Session, type: string, flags: RecordFileFlags): Promise<void> {
  if (!Object.hasOwn(recordSchemas, type))
    throw new UsageError(`"${type}" is no record type; known are ${Object.keys(recordSchemas).join(', ')}`);
  const path = resolve(session.cwd, flags.file);
  const client = session.client();
  const given: Members = {
    v: 1,
    type,
    ...(await readMembers(path)),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
  };
  // What the file itself says of the newest record is meant: nobody's change is put on top of another one then.
  const named = given.prev !== undefined;
  if (flags.prev && given.prev === undefined && typeof given.subject === 'string') {
    const prev = await previousLeaf(client, given.subject);
    if (prev !== undefined) given.prev = Buffer.from(prev).toString('hex');
  }
  if (type === 'deployment' && given.state === undefined) {
    const [model, config, image] = [given.model, given.config, given.image].map(hexOf);
    if (model !== undefined && config !== undefined) given.state = await deployedState(client, model, config, image);
  }
  const record = readRecord(given);
  if (record.type !== type) throw new UsageError(`${path} describes a ${record.type} record, not a ${type} record`);
  const proof =
    flags.out === undefined
      ? join(session.cwd, `${record.subject.replace(/\//g, '-')}.tlog-proof`)
      : resolve(session.cwd, flags.out);
  await submitRecord(session, client, record, { proof, wait: flags.wait, rebase: flags.rebase && !named });
}

/** The record of a file that names its type. @throws UsageError or RecordError */
export async function readRecordFile(path: string): Promise<ChangeRecord> {
  return readRecord({ v: 1, ...(await readMembers(path)) });
}

type Members = { [key: string]: Json };

async function readMembers(path: string): Promise<Members> {
  let json: Json;
  try {
    json = parseYaml(await readFile(path, 'utf8')) as Json;
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new UsageError(`${path} does not describe a record`);
  return json;
}

function readRecord(json: Members): ChangeRecord {
  try {
    return recordFromJson(bytesFromHex(json));
  } catch (error) {
    if (error instanceof StatementError) throw new UsageError(error.message);
    throw error;
  }
}

/** A digest of a file, in hex. */
function hexOf(json: Json | undefined): string | undefined {
  return typeof json === 'string' && /^[0-9a-f]{64}$/.test(json) ? json : undefined;
}

/** People write digests in hex; nothing else in a record is exactly 64 hex digits long. */
function bytesFromHex(json: Json): Json {
  if (typeof json === 'string')
    return /^[0-9a-f]{64}$/.test(json) ? { $bytes: Buffer.from(json, 'hex').toString('base64url') } : json;
  if (Array.isArray(json)) return json.map(bytesFromHex);
  if (typeof json === 'object' && json !== null)
    return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, bytesFromHex(item)]));
  return json;
}
