import { createHash } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { printable } from '@treering/record';
import { embedPack, LARGEST_EMBEDDED } from '@treering/report';
import { readTemplate } from '@treering/report/node';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';

/** Writes the report page of a pack: one HTML file that holds the pack and verifies it. Returns its path. */
export async function writeReportPage(pack: string, path: string): Promise<string> {
  const { size } = await stat(pack);
  if (size > LARGEST_EMBEDDED)
    throw new UsageError(`${pack} is written; with ${size} bytes it is too large for a page, which holds ${LARGEST_EMBEDDED}`);
  await writeNew(path, embedPack(await readTemplate(), new Uint8Array(await readFile(pack))));
  return path;
}

/** `evidence page`: the page that verifies packs, without one; with a pack the report on it. */
export async function evidencePage(session: Session, pack: string | undefined, flags: { readonly out: string }): Promise<void> {
  const path = resolve(session.cwd, flags.out);
  const template = await readTemplate();
  if (pack === undefined) await writeNew(path, template);
  else await writeReportPage(resolve(session.cwd, pack), path);
  const digest = createHash('sha256').update(template).digest('hex');
  session.terminal.line(`${session.terminal.colour('good', '✓')} ${printable(path)}`);
  session.terminal.line(`  SHA-256 of the page without a pack: ${digest}`);
  session.terminal.result({ html: path, template_sha256: digest });
}

async function writeNew(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? new UsageError(`${path} exists`) : error;
  });
}
