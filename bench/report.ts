import type { Summary } from './benchmark.js';
import { machineText } from './machine.js';
import { README_ROWS } from './readme-rows.js';
import type { Measured } from './results.js';

/** The mark between which the table of README.md stands. */
const README = 'bench:README';
/** Stands for all benchmarks that have no mark of their own in docs/performance.md. */
const OTHERS = 'bench:others';

/**
 * docs/performance.md with the tables of all benchmarks between their marks: `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.
 * @throws Error when a mark is not closed, or `bench:others` is missing
 */
export function performanceText(text: string, benchmarks: readonly Measured[]): string {
  const names = [...text.matchAll(/^<!-- bench:(\S+) -->$/gm)].map(([, name]) => name);
  let next = text;
  for (const name of names.filter((candidate) => `bench:${candidate}` !== OTHERS)) {
    const measured = benchmarks.find((benchmark) => benchmark.name === name);
    next = replaceBetween(next, `bench:${name}`, measured === undefined ? 'Not measured yet.' : sectionOf(measured));
  }
  const others = benchmarks.filter(({ name }) => !names.includes(name));
  const sections = others.map((measured) => `## ${measured.name}\n\n${sectionOf(measured)}`);
  return replaceBetween(next, OTHERS, sections.join('\n\n'));
}

/** README.md with its table. @throws Error without its marks */
export function readmeText(text: string, benchmarks: readonly Measured[]): string {
  const rows = README_ROWS.flatMap(({ what, benchmark, subject, figures }) => {
    const results = benchmarks.find(({ name }) => name === benchmark)?.results.filter((result) => result.subject === subject);
    const [first, ...more] = figures.map((figure) => results?.find((result) => result.figure === figure));
    if (first === undefined) return [];
    const measured = [first, ...more].flatMap((result) => (result === undefined ? [] : [valueWithUnit(result)])).join(', ');
    return [[what, measured, first.rival ?? '', first.ratio === undefined ? '' : threeDigits(first.ratio)]];
  });
  const shown = benchmarks.filter(({ name }) => README_ROWS.some(({ benchmark }) => benchmark === name));
  const machines = [...new Set(shown.map(({ machine }) => machineText(machine)))];
  const lines = [
    ...(shown.some(({ quick }) => quick) ? ['Some of these come from a quick run, and mean nothing yet.'] : []),
    `Medians, each beside a rival of the same run; the machine: ${machines.join('; and ')}.`,
    '',
    ...table([['what', 'measured', 'rival', 'ratio'], ...rows]),
  ];
  return replaceBetween(text, README, rows.length === 0 ? 'Not measured yet.' : lines.join('\n'));
}

/** What was measured where and when, and the tables. */
function sectionOf(measured: Measured): string {
  const { title, date, commit, quick, results, skipped } = measured;
  const most = Math.max(1, ...results.map(({ trials }) => trials));
  return [
    `${title[0].toUpperCase()}${title.slice(1)}.`,
    '',
    ...tablesOf(results).flatMap((lines) => [...lines, '']),
    `${most === 1 ? 'One trial' : `Medians of ${most} trials, minimum and maximum in brackets; what has none was measured once`}; ${machineText(measured.machine)}; ${date}, commit ${commit}.`,
    ...(quick ? ['This was a quick run, which shows that everything works: its figures mean nothing.'] : []),
    ...skipped.map(({ subject, reason }) => `Not measured: ${subject}, because ${reason}.`),
  ].join('\n');
}

/** One table for all subjects that have the same figures: subjects as rows, or as columns when there are many figures. */
function tablesOf(results: readonly Summary[]): string[][] {
  const groups = new Map<string, Summary[]>();
  for (const subject of new Set(results.map((result) => result.subject))) {
    const own = results.filter((result) => result.subject === subject);
    // The benchmark's first figure is what it is about; memory may be known of some subjects only.
    const key = own.length > WIDE ? own.map(({ figure }) => figure).join() : '';
    groups.set(key, [...(groups.get(key) ?? []), ...own]);
  }
  return [...groups].map(([key, group]) => (key === '' ? subjectsAsRows(group) : figuresAsRows(group)));
}

/** With more figures than these a row would be too wide to read. */
const WIDE = 5;

function subjectsAsRows(results: readonly Summary[]): string[] {
  const subjects = [...new Set(results.map(({ subject }) => subject))];
  const figures = [...new Set(results.map(({ figure }) => figure))];
  const rows = subjects.map((subject) => {
    const own = results.filter((result) => result.subject === subject);
    return [
      subject,
      ...figures.map((figure) => valueWithRange(own.find((result) => result.figure === figure))),
      comparison(own[0]),
    ];
  });
  return table([['', ...figures, 'ratio'], ...rows]);
}

function figuresAsRows(results: readonly Summary[]): string[] {
  const subjects = [...new Set(results.map(({ subject }) => subject))];
  const compared = subjects.filter((subject) =>
    results.some((result) => result.subject === subject && result.ratio !== undefined),
  );
  const find = (subject: string, figure: string) =>
    results.find((result) => result.subject === subject && result.figure === figure);
  const rows = [...new Set(results.map(({ figure }) => figure))].map((figure) => [
    figure,
    ...subjects.map((subject) => valueWithRange(find(subject, figure))),
    ...compared.map((subject) => comparison(find(subject, figure))),
  ]);
  return table([['', ...subjects, ...compared.map((subject) => `ratio of ${subject}`)], ...rows]);
}

function comparison(result: Summary | undefined): string {
  return result?.ratio === undefined ? '' : `${threeDigits(result.ratio)} × ${result.rival}`;
}

function valueWithRange(result: Summary | undefined): string {
  if (result === undefined) return '';
  const { median, min, max, trials } = result;
  return trials === 1 ? threeDigits(median) : `${threeDigits(median)} (${threeDigits(min)}–${threeDigits(max)})`;
}

/** `1,410 entries/s`, `p99 ms 81` reads as `p99 81 ms`. */
function valueWithUnit({ figure, median }: Summary): string {
  const words = figure.split(' ');
  const [unit, ...name] = words.reverse();
  return [...name.reverse(), threeDigits(median), unit].join(' ');
}

/** Three digits that say something, and separators between thousands. */
export function threeDigits(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return rounded >= 1000 ? rounded.toLocaleString('en') : String(rounded);
}

/** A Markdown table with its columns aligned. */
/** A table of Markdown with aligned columns; the first row is its head. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  const [head, ...body] = rows;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body.map(line)];
}

/** Replaces what stands between two marks on lines of their own. @throws Error unless both are there once */
/**
 * Puts content between `<!-- MARK -->` and `<!-- /MARK -->`.
 * @throws Error unless the text has just one such place
 */
export function replaceBetween(text: string, mark: string, content: string): string {
  const [opening, closing] = [`<!-- ${mark} -->\n`, `<!-- /${mark} -->`];
  const [before, rest, ...more] = text.split(opening);
  const parts = rest?.split(closing);
  if (parts?.length !== 2 || more.length > 0) throw new Error(`there is not one place for ${mark}`);
  return `${before}${opening}\n${content}${content === '' ? '' : '\n\n'}${closing}${parts[1]}`;
}
