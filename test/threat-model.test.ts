import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DOCUMENT = readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8');

/** What the last cell of a row names: `test/fault/kill`, and `syscalls` behind it is in the same folder. Links lead to documents. */
function namedIn(row: string): string[] {
  const cell = row.split('|').at(-2) ?? '';
  let folder = '';
  return [...cell.matchAll(/`([^`]+)`|\]\(([^)]+)\)/g)].map(([, name, document]) => {
    if (document !== undefined) return join('docs', document);
    if (name.includes('/')) folder = dirname(name);
    return name.includes('/') ? name : join(folder, name);
  });
}

const start = DOCUMENT.indexOf('## Each attack and fault');
const rows = DOCUMENT.slice(start, DOCUMENT.indexOf('## Limits'))
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (what happens|---)/.test(line));

test('each attack names a test or a document that there is', () => {
  assert.ok(start > 0 && rows.length > 40, `${rows.length} rows`);
  for (const row of rows) {
    const found = namedIn(row).map((name) => ({
      name,
      exists: ['', '.ts', '.test.ts'].some((end) => existsSync(join(ROOT, name + end))),
    }));
    const missing = found.filter(({ exists }) => !exists).map(({ name }) => name);
    assert.equal(missing, [], row);
    assert.ok(found.length > 0 || row.includes('see above'), row);
  }
});

test('each test of faults is named by an attack', () => {
  const named = new Set(rows.flatMap(namedIn));
  const files = readdirSync(join(ROOT, 'test/fault')).filter((file) => file.endsWith('.test.ts'));
  const missing = files.filter((file) => !named.has(`test/fault/${file.replace('.test.ts', '')}`));
  assert.equal(missing, []);
});

test.run();
