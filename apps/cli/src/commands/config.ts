import { randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { createAttachment, validateRecord } from '@treering/record';
import { readConfigContent } from '../config-content.js';
import { UsageError } from '../exit.js';
import { gitState } from '../git.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { proofName } from './model.js';

/** Flags of `record config`. */
export interface ConfigFlags {
  readonly name: string;
  readonly version?: string;
  readonly reason: string;
  readonly systemPrompt?: string;
  readonly ticket?: string;
  readonly access: 'public' | 'restricted' | 'withheld';
  readonly out?: string;
  readonly wait: boolean;
  readonly rebase: boolean;
}

/** Records configuration files: their digests in the record, their content as salted attachments beside the log. */
export async function recordConfig(session: Session, paths: readonly string[], flags: ConfigFlags): Promise<void> {
  const full = paths.map((path) => resolve(session.cwd, path));
  const { folder, sources, ...content } = await readConfigContent(
    full,
    flags.systemPrompt === undefined ? undefined : resolve(session.cwd, flags.systemPrompt),
  );
  const git = await gitState(folder, full);
  const client = session.client();
  const subject = `config/${flags.name}`;
  const prev = await previousLeaf(client, subject);
  const attachments = sources.map(({ path, name, content }) =>
    createAttachment(content, { name, media_type: mediaType(path), access: flags.access }, new Uint8Array(randomBytes(16))),
  );
  const version = flags.version ?? (git === undefined ? undefined : `${git.commit.slice(0, 12)}${git.dirty ? '-dirty' : ''}`);
  if (version === undefined) throw new UsageError('--version is needed outside a git repository');
  const record = validateRecord({
    v: 1,
    type: 'config',
    subject,
    reason: flags.reason,
    name: flags.name,
    version,
    ...content,
    attachments: attachments.map((a) => a.ref),
    ...(prev === undefined ? {} : { prev }),
    ...(git === undefined ? {} : { git }),
    ...(flags.ticket === undefined ? {} : { ticket: flags.ticket }),
  });
  const proof =
    flags.out === undefined ? join(dirname(full[0]), proofName(flags.name, version)) : resolve(session.cwd, flags.out);
  await submitRecord(session, client, record, { attachments, proof, wait: flags.wait, rebase: flags.rebase });
}

function mediaType(path: string): string {
  if (/\.json$/i.test(path)) return 'application/json';
  if (/\.ya?ml$/i.test(path)) return 'application/yaml';
  return /\.(?:txt|md)$/i.test(path) ? 'text/plain' : 'application/octet-stream';
}
