import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { reliabilityText } from './fault/report.js';
import { document, readOutcomes, type StoredOutcome } from './fault/results.js';
import { faultSize, forSize } from './fault/size.js';

const outcome: StoredOutcome = {
  name: 'pulled-plug',
  group: 'disk',
  scenario: 'the plug is pulled',
  runs: 1234,
  unit: 'plugs',
  acknowledged: 98_765,
  heads: 321,
  recovery: { median: 450, worst: 1239 },
  also: 'nobody was hurt',
  size: 'full',
  date: '2026-02-03',
  commit: '0123456789ab',
  machine: { cpu: 'Abacus', cores: 2, memory: '1 GiB', node: 'v20.20.2', os: 'Linux 6 x64' },
};
/** Without what aligns columns. */
const squeezed = (text: string): string => text.replace(/ +/g, ' ');
const PAGE = 'Before.\n\n<!-- faults -->\n\nold\n\n<!-- /faults -->\n\nAfter.\n';

test('the tables of docs/reliability.md are what the stored outcomes make of them', () => {
  const { path, text } = document(readOutcomes());
  assert.is(readFileSync(path, 'utf8'), text);
});

test('a row has what was done and counted, under the heading of its group', () => {
  const text = reliabilityText(PAGE, [outcome]);
  assert.match(text, /^## Its disk$/m);
  assert.ok(
    squeezed(text).includes('| the plug is pulled | 1,234 plugs | 98,765 | 0 | 321 | 0 | 0.45 s, 1.24 s | nobody was hurt |'),
    text,
  );
  assert.match(text, 'Run on Abacus, 2 cores, 1 GiB, Node 20.20.2, Linux 6 x64: 2026-02-03, commit 0123456789ab (full).');
  assert.ok(text.startsWith('Before.\n') && text.endsWith('After.\n'));
  assert.not.match(text, 'old');
});

test('where nothing is submitted, nothing is said to be lost', () => {
  const { acknowledged: _, heads: __, recovery: ___, ...rest } = outcome;
  assert.ok(squeezed(reliabilityText(PAGE, [rest])).includes('| 1,234 plugs | | | | | | nobody was hurt |'));
});

test('the size of a run comes from the environment, and an unknown one is refused', () => {
  assert.is(faultSize({}), 'quick');
  assert.is(faultSize({ TREERING_FAULT_SIZE: 'soak' }), 'soak');
  assert.throws(() => faultSize({ TREERING_FAULT_SIZE: 'huge' }), /use quick, full, soak/);
  assert.type(forSize({ quick: 1, full: 2 }), 'number');
});

test.run();
