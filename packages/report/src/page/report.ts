import { describeQuestion, type PackReport } from '@treering/evidence';
import type { PackContent } from '../model/content.js';
import { describedPeople } from '../model/people.js';
import { element } from './element.js';
import { approvalsSection } from './sections/approvals.js';
import { articlesSection } from './sections/articles.js';
import { attachmentsSection } from './sections/attachments.js';
import { changesSection } from './sections/changes.js';
import { decisionsSection } from './sections/decisions.js';
import { elsewhereSection } from './sections/elsewhere.js';
import { limitsSection } from './sections/limits.js';
import { metricsSection } from './sections/metrics.js';
import { chosenEntries, recordsSection } from './sections/records.js';
import { summarySection } from './sections/summary.js';
import { timelineSection } from './sections/timeline.js';
import { takeTurns } from './turns.js';
import type { View } from './view.js';

/** A file that the page shows. */
export interface ShownFile {
  /** Under which it is saved. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const SECTIONS: readonly ((view: View) => HTMLElement | undefined)[] = [
  summarySection,
  timelineSection,
  recordsSection,
  changesSection,
  metricsSection,
  approvalsSection,
  attachmentsSection,
  decisionsSection,
  articlesSection,
  limitsSection,
];

/** The sections of the report, made one after the other while the page stays awake, and the list of them. */
export async function reportSections(
  content: PackContent,
  report: PackReport | undefined,
  file: ShownFile,
): Promise<HTMLElement[]> {
  const { asked, context } = chosenEntries(content.entries);
  const shown = new Set([...asked, ...context].map(({ index }) => index));
  const view: View = { content, report, people: describedPeople(content), shown };
  const sections: HTMLElement[] = [];
  for (const make of SECTIONS) {
    await takeTurns();
    const made = make(view);
    if (made !== undefined) sections.push(made);
  }
  return [...sections, elsewhereSection(file.name, file.bytes)];
}

/** Links to the sections. */
export function contentsOf(sections: readonly HTMLElement[]): HTMLElement {
  const items = sections.map(({ id, firstElementChild }) =>
    element('li', {}, element('a', { href: `#${id}` }, firstElementChild?.textContent ?? '')),
  );
  return element('ol', {}, ...items);
}

/** The question of a file in a sentence. */
export function questionWords({ header }: PackContent): string {
  return header === undefined ? '' : `What is recorded about ${describeQuestion(header.question)}`;
}
