import { readFile } from 'node:fs/promises';
import { ReportError } from '../errors.js';

/** Beside what TypeScript makes, from `src` and from `dist` alike. */
const PAGE = new URL('../../dist/page.html', import.meta.url);

/**
 * The page without a pack: a verifier into which a .trpack is dropped.
 * @throws ReportError (report/not-built) when the project was not built
 */
export async function readTemplate(): Promise<string> {
  try {
    return await readFile(PAGE, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new ReportError('report/not-built', 'the page is not built: run "npm run build"');
  }
}
