import { hex } from '@treering/note';
import { type ChangeRecord, renderRecord } from '@treering/record';
import { type ReportEntry, signedAt } from '../../model/content.js';
import { counted, momentWords } from '../../model/time-words.js';
import { type Child, element } from '../element.js';
import { details, entryLink, facts, paragraph, person, rest, section, type View } from '../view.js';

/** Entries that are shown; more would make the page slow, and are counted. */
const MOST_RECORDS = 2000;

/** The entries that are shown: those that were asked for first. */
export function chosenEntries(entries: readonly ReportEntry[]): { asked: ReportEntry[]; context: ReportEntry[] } {
  const asked = entries.filter((entry) => entry.asked).slice(0, MOST_RECORDS);
  return { asked, context: entries.filter((entry) => !entry.asked).slice(0, MOST_RECORDS - asked.length) };
}

/** Every record: what it says, who signed it and when, and by which rule it was admitted. */
export function recordsSection(view: View): HTMLElement {
  const { asked, context } = chosenEntries(view.content.entries);
  const list = (entries: readonly ReportEntry[]): Child => entries.map((entry) => recordDetails(view, entry));
  return section(
    'records',
    'Records',
    element('h3', {}, `Asked for (${counted(asked.length, 'record')})`),
    asked.length === 0 ? paragraph('No record in the file is one of those that were asked for.') : list(asked),
    element('h3', {}, `What they rest on (${counted(context.length, 'record')})`),
    context.length === 0 ? paragraph('There is nothing else in the file.') : list(context),
    rest(view.content.entries.length - asked.length - context.length, 'records'),
  );
}

/** The title of an entry, whatever it holds. */
export function entryTitle({ record, statement }: ReportEntry): string {
  if (record !== undefined) return renderRecord(record).title;
  if (statement === undefined) return 'Bytes that are no statement';
  return `A statement of ${statement.iss}, of the type ${statement.contentType ?? 'that is not said'}`;
}

function recordDetails(view: View, entry: ReportEntry): HTMLElement {
  const { index, record, statement } = entry;
  const at = signedAt(entry);
  const by = view.content.superseded.get(index);
  const admitted = 'rule' in entry.admission;
  const summary: Child[] = [
    element('span', { class: 'number' }, `Entry ${index}`),
    element(
      'span',
      { class: 'title' },
      entryTitle(entry),
      subjectOf(entry),
      by === undefined ? undefined : element('b', { class: 'tag' }, 'superseded'),
    ),
    admitted ? undefined : element('b', { class: 'tag bad' }, 'not admitted'),
    element('span', { class: 'when' }, at === undefined ? '' : momentWords(at)),
  ];
  const about = [
    ...(statement === undefined || record !== undefined ? [] : [['subject', statement.sub] as const]),
    ...(record === undefined ? [] : saysFacts(view, record)),
    ...signedFacts(view, entry, by),
  ];
  const out = details(summary, element('div', { id: `entry-${index}` }, facts(about)));
  out.className = 'record';
  return out;
}

/** What it is about, where the title does not say. */
function subjectOf({ record }: ReportEntry): Child {
  const told = record === undefined || ['model', 'config', 'system', 'charter', 'identity', 'deployment'].includes(record.type);
  return told ? undefined : [' ', element('span', { class: 'remark' }, record.subject)];
}

/** Facts that are a leaf hash. Others may look like one. */
const LINKS = [
  'previous record of the subject',
  'model',
  'config',
  'target',
  'deployment',
  'supersedes',
  'replaces',
  'plan',
  'baseline',
];

/** Facts of a record; leaf hashes that the file holds are linked. */
function saysFacts(view: View, record: ChangeRecord): (readonly [string, Child])[] {
  return renderRecord(record).facts.map(({ label, value }) => {
    const target = LINKS.includes(label) ? view.content.byLeafHex(value) : undefined;
    if (target === undefined) return [label, /^[0-9a-f]{64,}$/.test(value) ? element('code', {}, value) : value] as const;
    return [label, [entryLink(view, target.index), ` (${entryTitle(target)})`]] as const;
  });
}

function signedFacts(view: View, entry: ReportEntry, by: number | undefined): (readonly [string, Child])[] {
  const { statement, signer, admission, leaf } = entry;
  const at = signedAt(entry);
  const signedBy: Child =
    signer === undefined
      ? (statement?.iss ?? 'nobody')
      : [person(view, signer.id), `, ${signer.kind}, enrolled as ${signer.roles.join(', ') || 'nobody in particular'}`];
  return [
    ['signed by', signedBy],
    ['signed at', at === undefined ? 'it does not say' : `${momentWords(at)}, as the signer says`],
    ['recorded', view.report === undefined ? 'to be known when you have given your keys' : recordedWords(entry)],
    ['admitted by', 'rule' in admission ? ruleWords(view, admission.rule) : `no rule: ${admission.finding.message}`],
    ...(by === undefined ? [] : [['superseded by', entryLink(view, by)] as const]),
    ['leaf hash', element('code', {}, hex(leaf))],
  ];
}

/** Between which times the entry came into the log, according to witnesses. */
function recordedWords({ after, before }: ReportEntry): string {
  const names = [...new Set((before?.sightings ?? []).map(({ witness }) => witness))].join(', ');
  if (before?.by !== undefined) {
    const start = after?.from === undefined ? '' : `after ${momentWords(after.from)} and `;
    return `${start}before ${momentWords(before.by)}, according to ${names}`;
  }
  if (before?.signedAt !== undefined) return `before ${momentWords(before.signedAt)}, according to the log alone`;
  return 'no head that your keys signed says when';
}

function ruleWords(view: View, rule: string): Child {
  const policy = /^policy@([0-9]+)\/(.+)$/.exec(rule);
  if (policy === null) return rule;
  return [`the rule "${policy[2]}" of `, entryLink(view, Number(policy[1]))];
}
