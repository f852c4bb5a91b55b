import { type Approval, approvalsIn } from '../../model/approvals.js';
import type { EntryOf } from '../../model/content.js';
import { type Period, type Service, servicesIn } from '../../model/services.js';
import { counted, momentWords } from '../../model/time-words.js';
import { type Child, element } from '../element.js';
import { entryLink, moment, paragraph, person, section, table, type View } from '../view.js';

/** What was in service when, in plain sentences. */
export function summarySection(view: View): HTMLElement {
  const services = servicesIn(view.content);
  const parts: Child[] =
    services.length === 0
      ? [paragraph('There is no deployment in the file: it does not say what was in service.')]
      : services.map((service) => serviceWords(view, service));
  return section('summary', 'Summary', parts, paragraph(counts(view)));
}

function serviceWords(view: View, service: Service): Child {
  const { name, environment, periods, announced } = service;
  const last = periods[periods.length - 1];
  const heading = element('h3', {}, `${name} in ${environment}`);
  const soon =
    announced === undefined
      ? undefined
      : paragraph(
          'A deployment was announced last (',
          entryLink(view, announced.index),
          '); nothing in the file says that it took place.',
        );
  if (last === undefined) return [heading, soon ?? paragraph('Nothing was put into service.')];
  const row = (one: Period): Child[] => [
    moment(one.from),
    one.until === undefined ? 'no end in the file' : moment(one.until),
    version(view, one.model, 'model'),
    version(view, one.config, 'configuration'),
    approvers(view, one),
    entryLink(view, one.deployment.index),
  ];
  const headers = ['In service from', 'to', 'Model', 'Configuration', 'Approved by', 'Recorded in'];
  return [
    heading,
    paragraph(lastWords(view, last)),
    soon,
    table(`${name} in ${environment}`, headers, [...periods].reverse(), row),
  ];
}

function lastWords(view: View, { from, until, model, config, deployment, endedBy }: Period): Child {
  const what = ['model ', strong(model), ' in configuration ', strong(config)];
  const emergency = deployment.record.break_glass
    ? ' It was put into service as an emergency, without the approvals that the rules ask for.'
    : '';
  if (until === undefined)
    return ['By the newest record in the file, ', ...what, ` is in service since ${momentWords(from)}.`, emergency];
  return [
    'Nothing is in service by the newest record in the file. ',
    ...what,
    ` was in service from ${momentWords(from)} to ${momentWords(until)}`,
    endedBy === undefined ? '' : [' (', entryLink(view, endedBy), ')'],
    '.',
    emergency,
  ];
}

function strong(part: EntryOf<'model'> | EntryOf<'config'> | undefined): Child {
  if (part === undefined) return 'not in the file';
  return [element('strong', {}, part.record.name), ' version ', element('strong', {}, part.record.version)];
}

function version(view: View, part: EntryOf<'model'> | EntryOf<'config'> | undefined, what: string): Child {
  if (part === undefined) return `the ${what} is not in the file`;
  return [`${part.record.name} ${part.record.version} (`, entryLink(view, part.index), ')'];
}

function approvers(view: View, { approvals, deployment }: Period): Child {
  if (approvals.length === 0) return deployment.record.break_glass ? 'nobody: declared an emergency' : 'nobody';
  return approvals.map((one: Approval, i) => [
    i === 0 ? '' : '; ',
    person(view, one.id),
    ` as ${one.role} (`,
    entryLink(view, one.index),
    ')',
  ]);
}

function counts({ content }: View): string {
  const asked = content.entries.filter((entry) => entry.asked).length;
  const incidents = content.of('incident').length;
  const rejected = approvalsIn(content).filter(({ decision }) => decision === 'reject').length;
  const parts = [
    `The file holds ${counted(content.entries.length, 'entry', 'entries')} of the log, of which ${asked} answer the question.`,
    incidents === 0 ? 'No incident is in it.' : `${counted(incidents, 'incident')} ${incidents === 1 ? 'is' : 'are'} in it.`,
    rejected === 0 ? '' : `${counted(rejected, 'change')} ${rejected === 1 ? 'was' : 'were'} rejected by somebody.`,
    content.superseded.size === 0
      ? ''
      : `${counted(content.superseded.size, 'record')} ${content.superseded.size === 1 ? 'is' : 'are'} superseded by a later correction.`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}
