import { type ArticleSection, articleSections, type IndexedRecord } from './article-sections.js';

/** A section, and what a log, or a file with a part of it, holds about it. */
export interface ArticleFinding {
  readonly section: ArticleSection;
  /** Indices of the entries that answer it, as they came. */
  readonly entries: readonly number[];
  /** Sentences about what is missing; none when everything that the section needs is there. */
  readonly missing: readonly string[];
}

/** Says for each section which entries answer it and what is missing. It looks at what records say, and at nothing else. */
export function indexByArticle(
  records: Iterable<{ readonly index: number; readonly record: IndexedRecord }>,
  sections: readonly ArticleSection[] = articleSections,
): ArticleFinding[] {
  const found = sections.map((section) => ({ section, entries: [] as number[], types: new Set<string>() }));
  for (const { index, record } of records) {
    for (const { section, entries, types } of found) {
      if (!section.answers.some(({ type, when }) => type === record.type && (when?.(record) ?? true))) continue;
      entries.push(index);
      types.add(record.type);
    }
  }
  return found.map(({ section, entries, types }) => ({ section, entries, missing: missingOf(section, types) }));
}

function missingOf({ needs, missing }: ArticleSection, types: ReadonlySet<string>): string[] {
  if (types.size === 0) return [missing];
  return needs.filter((need) => !need.types.some((type) => types.has(type))).map(({ what }) => `There is no ${what}.`);
}
