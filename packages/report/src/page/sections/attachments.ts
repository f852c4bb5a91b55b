import type { Absence, DisclosedAttachment } from '@treering/evidence';
import { hex } from '@treering/note';
import { attachmentText, fileName, MOST_SHOWN } from '../../model/attachment-text.js';
import type { LeftOut } from '../../model/content.js';
import { grouped, sizeWords } from '../../model/time-words.js';
import { type Child, element, longText } from '../element.js';
import { saveFile } from '../embedded.js';
import { details, entryLink, MOST_ROWS, paragraph, remark, rest, section, table, type View } from '../view.js';

const WHY: Readonly<Record<Absence, string>> = {
  'not-asked': 'was not asked for',
  withheld: 'was never sent to the log, only its digest',
  restricted: 'may be read by enrolled people only',
  erased: 'was erased from the log',
  unavailable: 'was not given out by the log',
  'too-large': 'is too large for the file',
};

/** What is attached to records: in the file, or left out and why. */
export function attachmentsSection(view: View): HTMLElement {
  const { attachments, leftOut } = view.content;
  const shown = attachments.slice(0, MOST_ROWS).map((one) => disclosed(view, one));
  const row = ({ ref, index, why }: LeftOut): Child[] => [
    ref.name,
    sizeWords(ref.size),
    `It ${WHY[why]}.`,
    element('code', {}, hex(ref.digest)),
    entryLink(view, index),
  ];
  return section(
    'attachments',
    'Attachments',
    element('h3', {}, 'In the file'),
    shown.length === 0 ? paragraph('No attachment is in the file.') : shown,
    rest(attachments.length - shown.length, 'attachments'),
    element('h3', {}, 'Left out'),
    leftOut.length === 0
      ? paragraph('No attachment was left out.')
      : [
          table('Attachments that were left out', ['Name', 'Size', 'Why', 'Digest with salt', 'Named in'], leftOut, row),
          remark('Why an attachment is not there is said by whoever made the file. Its digest is part of the record.'),
        ],
  );
}

function disclosed(view: View, { ref, index, content }: DisclosedAttachment): Child {
  const text = attachmentText(content);
  const save = element('button', { type: 'button', class: 'plain', 'aria-label': `Save ${ref.name}` }, 'Save as a file');
  save.addEventListener('click', () => saveFile(fileName(ref.name), content));
  const out = details(
    [
      element('span', { class: 'title' }, ref.name),
      element('span', { class: 'when' }, `${sizeWords(ref.size)}, ${ref.media_type}, entry ${index}`),
    ],
    element('div', {}, paragraph('Attached to ', entryLink(view, index), '. ', save), shownText(text)),
  );
  out.className = 'record';
  return out;
}

function shownText(text: string | undefined): Child {
  if (text === undefined) return paragraph('It is no text, and is not shown here.');
  const start = text.slice(0, MOST_SHOWN);
  return [
    element('pre', {}, longText(start)),
    text.length > start.length
      ? remark(`${grouped(text.length - start.length)} more characters are not shown; save the file to read them.`)
      : undefined,
  ];
}
