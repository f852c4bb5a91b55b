import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ClientError, EnrolledKeys, type LogClient, type ReadEntry } from '@treering/client';
import { equalBytes } from '@treering/merkle';
import { nodeEd25519 } from '@treering/note/node';
import { type ManifestResource, parseManifest, printable, type RecordOf } from '@treering/record';
import { formatModelBom } from '../cyclonedx-export.js';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { fetchAttachment } from './attachment.js';
import { entryId } from './read.js';

/** Flags of `bom export`. */
export interface BomExportFlags {
  readonly out?: string;
  readonly evaluation?: readonly string[];
}

/** `bom export`: a logged model record as a CycloneDX ML-BOM. What it says is proved before it is written. */
export async function exportBom(session: Session, id: string, flags: BomExportFlags): Promise<void> {
  const { terminal, cwd } = session;
  const client = session.client();
  const { origin } = session.trust();
  const keys = new EnrolledKeys(client, origin, nodeEd25519);
  const read = async <T extends 'model' | 'evaluation'>(
    text: string,
    type: T,
  ): Promise<ReadEntry & { record: RecordOf<T> }> => {
    const entry = await client.entry(entryId(text));
    if (entry.record?.type !== type) throw new UsageError(`entry ${entry.index} is no ${type} record`);
    await keys.verifySigner(entry);
    return entry as ReadEntry & { record: RecordOf<T> };
  };
  const model = await read(id, 'model');
  const evaluations = await Promise.all((flags.evaluation ?? []).map((text) => read(text, 'evaluation')));
  for (const { index, record } of evaluations)
    if (!equalBytes(record.model, model.leaf)) throw new UsageError(`entry ${index} is an evaluation of another model`);
  const resources = await filesOf(session, client, model.record);
  const { index, leaf, record, statement } = model;
  const bom = formatModelBom({ origin, index, leaf, record, resources, evaluations, signedAt: statement.iat });
  const path = flags.out === undefined ? join(cwd, `${record.name}.cdx.json`) : resolve(cwd, flags.out);
  await writeFile(path, bom, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? new UsageError(`${printable(path)} exists; --out says where else`) : error;
  });
  terminal.line(`${terminal.colour('good', '✓')} entry ${index} as a CycloneDX ML-BOM: ${printable(path)}`);
  terminal.result({ index, leaf: Buffer.from(leaf).toString('hex'), files: resources?.length ?? null, path });
}

/** The files in the attached manifest; undefined when there is none, or it is not given out. */
async function filesOf(
  session: Session,
  client: LogClient,
  record: RecordOf<'model'>,
): Promise<readonly ManifestResource[] | undefined> {
  const ref = record.attachments?.find(({ name }) => name === 'manifest.json');
  if (ref === undefined) return undefined;
  const without = (why: string): undefined => {
    session.terminal.remark(`The files of the model are not listed: ${why}.`);
    return undefined;
  };
  if (ref.access === 'withheld') return without('its manifest is withheld');
  let bytes: Uint8Array;
  try {
    bytes = await fetchAttachment(session, client, ref);
  } catch (error) {
    if (!(error instanceof ClientError) || ![401, 403, 404, 410].includes(error.status ?? 0)) throw error;
    return without(error.message);
  }
  const { root, resources } = parseManifest(bytes);
  if (!equalBytes(root, record.digest))
    throw new ClientError('client/not-verified', 'the attached manifest is not that of the model');
  return resources;
}
