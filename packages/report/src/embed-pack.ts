import { encodeBase64 } from '@treering/note';
import { ReportError } from './errors.js';

/** The largest pack that a page holds, in bytes: browsers read the page as one text. */
export const LARGEST_EMBEDDED = 64 * 1024 * 1024;

/** Where the pack stands in a page. It is data, which no browser runs. */
const START = '<script type="application/octet-stream" id="pack">';
const END = '</script>';

/**
 * Puts an evidence pack into the page that shows and verifies it. The pack is not looked at: whether it holds is told where the page
 * is opened.
 * @param template the page as it was built, without a pack (`readTemplate` of @treering/report/node)
 * @throws ReportError (report/too-large) above 64 MiB, (report/no-template) when the text is no such page
 */
export function embedPack(template: string, pack: Uint8Array): string {
  if (pack.length > LARGEST_EMBEDDED)
    throw new ReportError(
      'report/too-large',
      `the pack has ${pack.length} bytes, and a page holds at most ${LARGEST_EMBEDDED}: hand over the .trpack file beside an empty page`,
    );
  const parts = template.split(START + END);
  if (parts.length !== 2) throw new ReportError('report/no-template', 'this is no page with a place for a pack');
  return parts[0] + START + encodeBase64(pack) + END + parts[1];
}
