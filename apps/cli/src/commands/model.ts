import { randomBytes } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  type Attachment,
  createAttachment,
  formatManifest,
  manifestRoot,
  type RecordOf,
  validateRecord,
} from '@treering/record';
import { hashModel } from '@treering/record/node';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';

/** Flags of `record model`. */
export interface ModelFlags {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
  readonly change?: string;
  readonly parent?: readonly string[];
  readonly trainingData?: readonly string[];
  readonly license?: string;
  readonly format?: string;
  readonly ignore?: readonly string[];
  readonly ticket?: string;
  readonly access: 'public' | 'restricted' | 'withheld';
  readonly out?: string;
  readonly wait: boolean;
  readonly rebase: boolean;
}

/** Hashes a model's files and records the version. */
export async function recordModel(session: Session, path: string, flags: ModelFlags): Promise<void> {
  const given = resolve(session.cwd, path);
  const real = await realpath(given);
  const bar = session.terminal.progress('hashing');
  const files = await hashModel(real, { ignored: flags.ignore ?? [], progress: bar.update }).finally(() => bar.stop());
  const client = session.client();
  const subject = `model/${flags.name}`;
  const prev = await previousLeaf(client, subject);
  const digest = manifestRoot(files.resources);
  const attach = (name: string, content: Uint8Array): Attachment =>
    createAttachment(content, { name, media_type: 'application/json', access: flags.access }, new Uint8Array(randomBytes(16)));
  const attachments = [attach('manifest.json', formatManifest(flags.name, files.resources, flags.ignore))];
  let tensors: RecordOf<'model'>['tensors'];
  if (files.tensors.length > 0) {
    const summary = files.tensors.map((t) => ({ ...t, digest: Buffer.from(t.digest).toString('hex') }));
    const attachment = attach('tensors.json', new TextEncoder().encode(`${JSON.stringify(summary)}\n`));
    attachments.push(attachment);
    tensors = { count: files.tensors.length, digest: attachment.ref.digest };
  }
  const record = validateRecord({
    v: 1,
    type: 'model',
    subject,
    reason: flags.reason,
    name: flags.name,
    version: flags.version,
    digest,
    change: flags.change ?? (prev === undefined ? 'new' : 'weights'),
    parents: (flags.parent ?? []).map((parent) =>
      /^[0-9a-f]{64}$/.test(parent) ? { leaf: new Uint8Array(Buffer.from(parent, 'hex')), name: parent } : { name: parent },
    ),
    training_data: (flags.trainingData ?? []).map(trainingData),
    size: { bytes: files.bytes, files: files.resources.length },
    attachments: attachments.map((a) => a.ref),
    ...(prev === undefined ? {} : { prev }),
    ...(tensors === undefined ? {} : { tensors }),
    ...(flags.license === undefined ? {} : { license: flags.license }),
    ...(flags.format === undefined ? {} : { format: flags.format }),
    ...(flags.ticket === undefined ? {} : { ticket: flags.ticket }),
  });
  const proof =
    flags.out === undefined ? join(dirname(given), proofName(flags.name, flags.version)) : resolve(session.cwd, flags.out);
  await submitRecord(session, client, record, { attachments, proof, wait: flags.wait, rebase: flags.rebase });
}

function trainingData(text: string): { name: string; provenance: string } {
  const [name, provenance] = [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)];
  if (!text.includes('=') || name === '' || provenance === '')
    throw new UsageError('--training-data reads <name>=<where it comes from>');
  return { name, provenance };
}

/** `<name>-<version>.tlog-proof`, with nothing in it that a file name may not hold. */
export function proofName(name: string, version: string): string {
  return `${name}-${version}`.replace(/[^A-Za-z0-9._@+-]/g, '_').concat('.tlog-proof');
}
