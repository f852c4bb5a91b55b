import { type Approval, approvalsIn } from '../../model/approvals.js';
import type { Child } from '../element.js';
import { entryLink, moment, paragraph, person, remark, section, table, type View } from '../view.js';
import { entryTitle } from './records.js';

/** Who approved or rejected what, in which role. */
export function approvalsSection(view: View): HTMLElement {
  const approvals = approvalsIn(view.content);
  if (approvals.length === 0) return section('approvals', 'Approvals', paragraph('There is no approval in the file.'));
  const row = (one: Approval): Child[] => [
    moment(one.at),
    person(view, one.id),
    one.role,
    one.decision === 'approve' ? '✓ approved' : '✗ rejected',
    one.target === undefined
      ? 'something that is not in the file'
      : [entryTitle(one.target), ' (', entryLink(view, one.target.index), ')'],
    one.expires === undefined ? 'not limited' : ['until ', moment(one.expires / 1000)],
    entryLink(view, one.index),
  ];
  return section(
    'approvals',
    'Approvals',
    table('Approvals', ['Signed at', 'Who', 'Role', 'Decision', 'About', 'Good', 'Recorded in'], approvals, row),
    remark(
      'The id of a person is a pseudonym. A name beside it is what an attachment says of the record that enrolled the key.',
    ),
  );
}
