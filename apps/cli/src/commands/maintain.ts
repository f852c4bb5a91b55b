import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { dataFolder, fsck as examine, openAnchor, openLogKeys } from '@treering/log';
import { type LogTrust, parseVerifierKey } from '@treering/note';
import { printable } from '@treering/record';
import type { Storage } from '@treering/storage';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { requireLog } from './serve.js';

/** `fsck`: re-verifies everything that a log has stored. */
export async function fsck(session: Session, flags: { anchor?: string; vkey?: string }): Promise<number> {
  const { terminal, settings } = session;
  requireLog(settings.data);
  const folder = dataFolder(settings.data, flags.anchor ?? session.env.TREERING_ANCHOR);
  const trust = await localTrust(session, flags.vkey);
  const bar = terminal.progress('examining');
  const storage = openSqliteStorage(folder.store, { mode: 'read' });
  const report = await examine({ storage, anchor: openAnchor(folder), trust, progress: bar.update }).finally(async () => {
    bar.stop();
    await storage.close();
  });
  for (const { where, what } of report.findings)
    terminal.line(`${terminal.colour('bad', '✗')} ${printable(where)}: ${printable(what)}`);
  const counted = `${report.entries} entries, ${report.tiles} tiles, ${report.attachments} attachments`;
  terminal.line(
    report.findings.length === 0
      ? `${terminal.colour('good', '✓')} ${counted}: all is well`
      : `${counted}: ${report.findings.length} findings`,
  );
  terminal.result({ ...report });
  return report.findings.length === 0 ? EXIT.ok : EXIT.failed;
}

/** `backup`: a consistent copy of the store, while the log runs or not. */
export async function backup(session: Session, target: string): Promise<void> {
  const { terminal, settings } = session;
  requireLog(settings.data);
  const folder = dataFolder(settings.data);
  const path = resolve(session.cwd, target);
  if (existsSync(path)) throw new UsageError(`${path} exists; a backup never replaces anything`);
  await mkdir(dirname(path), { recursive: true });
  const bar = terminal.progress('copying');
  const storage: Storage = openSqliteStorage(folder.store, { mode: 'read' });
  try {
    await storage.backup(path, bar.update);
  } finally {
    bar.stop();
    await storage.close();
  }
  const copy = openSqliteStorage(path, { mode: 'read' });
  const size = await copy
    .head()
    .then((head) => head?.size ?? 0)
    .finally(() => copy.close());
  terminal.line(`${path} holds the log up to ${size} entries. Keys are not in it; keep them apart.`);
  terminal.line('A log that is started from it refuses to sign if it had grown since: that is what the head anchor is for.');
  terminal.result({ path, size });
}

async function localTrust({ settings, env }: Session, vkey: string | undefined): Promise<LogTrust> {
  if (vkey !== undefined) {
    const key = parseVerifierKey(vkey);
    return { origin: key.name, logKeys: [key] };
  }
  const keys = await openLogKeys(
    dataFolder(settings.data),
    { log_key: env.TREERING_SIGN_WITH, publication_key: env.TREERING_PUBLICATION_KEY },
    env,
  );
  const { signer, publicationSigner, previous, retired = [] } = keys;
  keys.close();
  const signers = [signer, publicationSigner, ...(previous === undefined ? [] : [previous.signer, previous.publicationSigner])];
  return { origin: signer.key.name, logKeys: [...signers.map(({ key }) => key), ...retired] };
}
