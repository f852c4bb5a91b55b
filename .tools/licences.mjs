// node .tools/licences.mjs: writes docs/licences.md, what is shipped with or needed by what is shipped, and under which licence.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain } from './is-main.mjs';
import { productionPackages } from './production.mjs';
import { root } from './setup.mjs';

/** Licences (SPDX) under which what is needed may stand: each allows use, change and passing on without opening what uses it. */
export const ALLOWED = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense'];

/** Where the list stands, from the root. */
export const DOCUMENT = 'docs/licences.md';

/**
 * Whether an SPDX expression leaves a choice that is allowed: one of those joined by OR, all of those joined by AND. An exception
 * (WITH) is a licence of its own.
 */
export function isAllowed(expression = '') {
  const text = expression.trim().replace(/^\((.*)\)$/, '$1');
  if (/[()]/.test(text)) return false;
  return text.split(' OR ').some((choice) => choice.split(' AND ').every((licence) => ALLOWED.includes(licence.trim())));
}

/** The document: how many there are, of which licences, and each of them. */
export function licencesText(packages = productionPackages()) {
  const counts = new Map();
  for (const { licence = 'none' } of packages) counts.set(licence, (counts.get(licence) ?? 0) + 1);
  const byCount = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const compiled = packages.filter(({ runsAtInstall }) => runsAtInstall).map(({ id }) => id);
  return `# Licences

Treering is under the Apache License 2.0 (\`LICENSE\`). This is everything else that a published package of it needs to run, directly or
not, as the lock file has it: ${packages.length} packages. \`pnpm run licences\` writes this page; a test fails when it is not what the lock file
says, when a licence is not one of ${ALLOWED.join(', ')}, and when more packages come than [releases.md](releases.md) says.

${table(['licence', 'packages'], byCount)}

Compiled when they are installed, or asking to be: ${compiled.join(', ')}. Nothing else runs anything at its installation.

${table(
  ['package', 'version', 'licence'],
  packages.map(({ name, version, licence }) => [name, version, licence]),
)}
`;
}

/** A table as the formatter of Markdown leaves it. */
function table(head, rows) {
  const lines = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const format = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [format(lines[0]), format(widths.map((width) => '-'.repeat(width))), ...lines.slice(1).map(format)].join('\n');
}

if (isMain(import.meta.url)) writeFileSync(join(root, DOCUMENT), licencesText());
