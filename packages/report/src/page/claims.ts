import type { Claim, PackReport } from '@treering/evidence';
import { type Child, element } from './element.js';
import { details } from './view.js';

/** A verdict is told by a sign and a word; the colour only repeats it. */
const SIGNS: Readonly<Record<Claim['verdict'], string>> = { failed: '✗', proved: '✓', 'not proved': '○' };

/** What is wrong: everything that failed or, when nothing did, what has to be proved and is not. */
export function shortcomings({ claims, required }: PackReport): Claim[] {
  const open = required.filter((name) => !claims.some((claim) => claim.name === name && claim.verdict === 'proved'));
  const failed = claims.filter(({ verdict }) => verdict === 'failed');
  return failed.length > 0 ? failed : claims.filter(({ name, verdict }) => verdict === 'not proved' && open.includes(name));
}

/** Every claim: failed ones first, then what is proved, then what is not. */
export function claimList({ claims, required }: PackReport): HTMLElement {
  const sorted = (['failed', 'proved', 'not proved'] as const).flatMap((verdict) =>
    claims.filter((one) => one.verdict === verdict),
  );
  return element('ol', { class: 'claims' }, ...sorted.map((claim) => claimItem(claim, required.includes(claim.name))));
}

function claimItem({ name, verdict, text, details: lines = [] }: Claim, required: boolean): HTMLElement {
  const how: Child =
    lines.length === 0
      ? undefined
      : details('How it was found', element('ul', { class: 'how' }, ...lines.map((line) => element('li', {}, line))));
  return element(
    'li',
    { 'data-verdict': verdict, 'data-claim': name },
    element('p', { class: 'badge' }, element('span', { 'aria-hidden': 'true' }, `${SIGNS[verdict]} `), verdict),
    element(
      'div',
      {},
      element('p', {}, text, ' ', element('span', { class: 'claim-name' }, name, required ? ', has to be proved' : '')),
      how,
    ),
  );
}
