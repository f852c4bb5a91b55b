import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { embedPack } from '@treering/report';
import { readTemplate } from '@treering/report/node';
import type { Page } from 'playwright-core';
import { INJECTED, POLICY_TEXT, ward } from '../packages/report/test/ward.js';
import { Desk, noBrowser, verdictOf, verify } from './e2e/report-page.js';

// npm run pictures: makes the pictures of docs/regulators.md again, with Debian's Chromium.

const FOLDER = fileURLToPath(new URL('../docs/pictures/', import.meta.url));
const why = noBrowser();
if (why !== undefined) {
  console.error(`no pictures: ${why}`);
  process.exit(1);
}
mkdirSync(FOLDER, { recursive: true });
const desk = new Desk();
const browser = await desk.browser();
const { pack } = await ward();
const template = await readTemplate();

async function picture(page: Page, name: string, height: number): Promise<void> {
  await page.evaluate(() => window.scrollTo(0, 0));
  writeFileSync(join(FOLDER, `${name}.png`), await page.screenshot({ clip: { x: 0, y: 0, width: 1100, height } }));
  console.log(`docs/pictures/${name}.png`);
}

const opened = await desk.open(browser, embedPack(template, pack));
await verdictOf(opened.page, 'neutral');
await picture(opened.page, 'not-verified-yet', 880);
await verify(opened.page, POLICY_TEXT);
await picture(opened.page, 'verified', 880);
const timeline = opened.page.locator('svg').first();
await timeline.scrollIntoViewIfNeeded();
writeFileSync(join(FOLDER, 'timeline.png'), await timeline.screenshot());
console.log('docs/pictures/timeline.png');

// Somebody changes one letter of a record.
const altered = pack.slice();
const at = Buffer.from(pack).indexOf(INJECTED.slice(0, 8)) + 1;
altered[at] ^= 1;
const wrong = await desk.open(browser, embedPack(template, altered));
await verify(wrong.page, POLICY_TEXT);
await picture(wrong.page, 'altered', 880);
await desk.close();
