import { readFileSync } from 'node:fs';
import { EvidenceError, holds } from '@treering/evidence';
import { createSigner, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { embedPack } from '@treering/report';
import { readTemplate } from '@treering/report/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { engineer } from '../../packages/evidence/test/pack-log.js';
import { INJECTED, KEYS_TEXT, POLICY_TEXT, ward } from '../../packages/report/test/ward.js';
import { headerEnd, suggesting, verifiedInNode } from './pack-bytes.js';
import { faintTexts, structuralFaults, unreachable } from './page-audit.js';
import { Desk, hasNetworkNamespaces, noBrowser, type OpenedPage, verdictOf, verify } from './report-page.js';

// The page of evidence in a real browser, opened as the file that it is. A CI run must have the browser.

const missing = noBrowser();
if (missing !== undefined) {
  if (process.env.CI) throw new Error(`${missing}; a CI run needs it`);
  console.log(`${missing}: the page of evidence is not tested in a browser`);
}
const inBrowser = missing === undefined ? test : test.skip;

const desk = new Desk();
test.after(() => desk.close());
const template = await readTemplate();
const { log, pack } = await ward();
const html = embedPack(template, pack);
const browser = missing === undefined ? await desk.browser() : undefined;

async function open(page = html, options = {}): Promise<OpenedPage> {
  return desk.open(browser as NonNullable<typeof browser>, page, options);
}

/** A page asks for itself and for nothing else, and the browser has nothing to complain of. */
function wasQuiet({ url, requests, complaints }: OpenedPage): void {
  assert.equal(requests, [url]);
  assert.equal(complaints, []);
}

inBrowser('a file that is opened is shown, and is not verified before there are keys', async () => {
  const opened = await open();
  const { page } = opened;
  const { heading, words } = await verdictOf(page, 'neutral');
  assert.is(heading, 'Not verified yet');
  assert.match(words, 'Paste the keys or the trust policy that you have from a source you trust');
  assert.is(await page.inputValue('#trust'), '', 'no keys are filled in');
  assert.not(await page.isVisible('#checked'));
  assert.ok(await page.isVisible('#stamp .unverified'));
  assert.match((await page.textContent('#limits')) ?? '', 'Nothing is proved yet');
  assert.match((await page.textContent('#about')) ?? '', 'log.test/evidence');
  await page.click('#keys button[type=submit]');
  assert.match((await page.textContent('#trust-error')) ?? '', 'there is no key and no policy');
  assert.is((await verdictOf(page, 'neutral')).state, 'neutral');
  wasQuiet(opened);
});

inBrowser('with the right keys everything that has to be proved is proved', async () => {
  const opened = await open();
  const { page } = opened;
  const { state, heading } = await verify(page, POLICY_TEXT);
  assert.equal([state, heading], ['holds', 'Everything that has to be proved is proved']);
  const listed = await page.$$eval('.claims > li', (items) => items.map((item) => (item as HTMLElement).dataset.claim));
  const { claims, required } = await verifiedInNode(pack, POLICY_TEXT);
  assert.ok(holds(claims, required));
  assert.equal(new Set(listed), new Set(claims.map(({ name }) => name)));
  assert.not(await page.isVisible('#stamp .unverified'));
  const report = (await page.textContent('#report')) ?? '';
  for (const words of [
    'model triage version 2.0 in configuration triage version 3 is in service since 3 July 2026',
    'Dr Mara Lindqvist',
    'according to an attachment of entry 3',
    'admitted bythe rule "engineers" of entry 0',
    'recordedafter 1 January 2026, 00:05:05 UTC and before 2 January 2026, 02:11:09 UTC, according to w1.test, w2.test',
    'It was never sent to the log, only its digest.',
    'case-2026-119',
    'removed: confidence: 0.65',
    'There is no verification or attestation of what runs.',
    'treering verify config-triage.trpack --policy regulator.policy',
  ])
    assert.ok(report.includes(words), words);
  wasQuiet(opened);
});

inBrowser('keys of the log alone leave the witnesses out, and say so', async () => {
  const { page } = await open();
  const { state, words } = await verify(page, KEYS_TEXT);
  assert.is(state, 'holds');
  assert.match(words, 'You asked for no witness');
});

inBrowser('keys that the file suggests are shown, and never used', async () => {
  const { page } = await open(embedPack(template, await suggesting(pack, POLICY_TEXT)));
  await verdictOf(page, 'neutral');
  assert.is(await page.inputValue('#trust'), '');
  assert.match((await page.textContent('#suggested')) ?? '', 'Compare them with those from your own source.');
  assert.is(await page.textContent('#suggested-text'), POLICY_TEXT);
  assert.not(await page.isVisible('#suggested-text'));
  const stranger = createSigner('log.test/evidence', KEY_TYPE.ed25519, new Uint8Array(32).fill(99));
  assert.is((await verify(page, formatVerifierKey(stranger.key))).state, 'fails');
  assert.is((await verify(page, POLICY_TEXT)).state, 'holds');
});

inBrowser('other keys prove nothing', async () => {
  const { page } = await open();
  const stranger = createSigner('log.test/evidence', KEY_TYPE.ed25519, new Uint8Array(32).fill(99));
  const wrong = await verify(page, formatVerifierKey(stranger.key));
  assert.equal([wrong.state, wrong.heading], ['fails', 'Not everything that has to be proved is']);
  assert.match(wrong.words, 'The head does not hold: the note carries no signature of a key that is trusted here.');
  assert.ok(await page.isVisible('#stamp .failed'));
  await page.fill('#trust', POLICY_TEXT.replace('quorum both', '').concat(`witness w3 ${witnessKey()}\nquorum w3\n`));
  await page.click('#keys button[type=submit]');
  await page.waitForFunction(() => document.querySelector('#verdict-words')?.textContent?.includes('witnesses'));
  const { state, words } = await verdictOf(page, 'fails');
  assert.is(state, 'fails');
  assert.match(words, 'The witnesses do not suffice: the quorum "w3" is not met; not cosigned by w3.');
});

inBrowser('a file of which a byte was altered never holds, and the page says what Node says', async () => {
  const header = await headerEnd(pack);
  for (let i = 0; i < 12; i++) {
    const at = header + Math.floor(((pack.length - header - 1) * (i + 0.5)) / 12);
    const altered = pack.slice();
    altered[at] ^= 0x01;
    const { page } = await open(embedPack(template, altered));
    await verdictOf(page, 'neutral', 'unreadable');
    const found = await verifiedInNode(altered, POLICY_TEXT).catch((error: unknown) => error as Error);
    if (found instanceof Error) {
      assert.instance(found, EvidenceError);
      const { state, words } = await verdictOf(page, 'unreadable');
      assert.is(state, 'unreadable');
      assert.ok(words.includes(found.message.slice(1)), `byte ${at}: ${words}`);
    } else {
      const { state, words } = await verify(page, POLICY_TEXT);
      assert.is(state, 'fails', `byte ${at}`);
      assert.not(holds(found.claims, found.required), `byte ${at}`);
      for (const { text } of found.claims.filter(({ verdict }) => verdict === 'failed'))
        assert.ok(words.includes(text), `byte ${at}: ${text}`);
    }
    await page.context().close();
  }
});

inBrowser('a file that is cut short, is no pack, or no base64 is said to be such', async () => {
  const told = async (page: string): Promise<string> => {
    const opened = await open(page);
    const { words } = await verdictOf(opened.page, 'unreadable');
    assert.not(await opened.page.isVisible('#keys'));
    return words;
  };
  assert.match(await told(embedPack(template, pack.subarray(0, 20_000))), 'the file is cut short');
  assert.match(await told(embedPack(template, new TextEncoder().encode('not a pack at all'))), 'it does not begin as one');
  assert.match(await told(template.replace('id="pack">', 'id="pack">*')), 'it is no base64');
});

inBrowser('markup in a record is shown, and does nothing', async () => {
  const { page } = await open();
  await verify(page, POLICY_TEXT);
  assert.is(await page.getAttribute('body', 'data-owned'), null);
  assert.equal(await page.$$('img, iframe, #report script'), []);
  assert.match((await page.textContent('#entry-18')) ?? '', INJECTED);
});

inBrowser('an empty page takes a pack and a policy from files, and from what is dropped', async () => {
  const opened = await open(template);
  const { page } = opened;
  await verdictOf(page, 'empty');
  assert.not(await page.isVisible('#keys'));
  await page.setInputFiles('#pack-file', desk.write('a.trpack', pack));
  await verdictOf(page, 'neutral');
  await page.setInputFiles('#trust-file', desk.write('regulator.policy', POLICY_TEXT));
  await page.waitForFunction(() => document.querySelector<HTMLTextAreaElement>('#trust')?.value.includes('quorum both'));
  assert.is((await verify(page, await page.inputValue('#trust'))).state, 'holds');
  const drop = (name: string, bytes: number[]): Promise<void> =>
    page.evaluate(
      ([fileName, content]) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([new Uint8Array(content)], fileName));
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
      },
      [name, bytes] as const,
    );
  await drop('other.trpack', [1, 2, 3]);
  await verdictOf(page, 'unreadable');
  await drop('other.trpack', [...pack]);
  await verdictOf(page, 'neutral');
  await drop('keys.txt', [...new TextEncoder().encode(KEYS_TEXT)]);
  await page.waitForFunction((text) => document.querySelector<HTMLTextAreaElement>('#trust')?.value === text, KEYS_TEXT);
  assert.is((await verify(page, KEYS_TEXT)).state, 'holds');
  wasQuiet(opened);
});

inBrowser('the evidence and what is attached can be saved', async () => {
  const { page } = await open();
  await verify(page, POLICY_TEXT);
  const saved = async (button: string): Promise<{ name: string; bytes: Buffer }> => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(button)]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  const evidence = await saved('#elsewhere button');
  assert.is(evidence.name, 'config-triage.trpack');
  assert.ok(evidence.bytes.equals(pack));
  await page.click('#attachments summary');
  const attachment = await saved('#attachments details[open] button');
  assert.ok((await page.textContent('#attachments details[open] pre'))?.includes(attachment.bytes.toString('utf8')));
});

inBrowser('everybody can use it: labels, headings, keyboard, contrast in light and dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page } = await open(html, { colorScheme });
    await verdictOf(page, 'neutral');
    assert.equal(await faintTexts(page), [], `neutral, ${colorScheme}`);
    await verify(page, POLICY_TEXT);
    assert.equal(await structuralFaults(page), []);
    if (colorScheme === 'light') assert.equal(await unreachable(page), []);
    await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')));
    assert.equal(await faintTexts(page), [], colorScheme);
    const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const bright = Math.max(...(paper.match(/\d+/g) ?? []).map(Number)) > 200;
    assert.is(bright, colorScheme === 'light');
    await page.fill('#trust', KEYS_TEXT.replace('log.test', 'log.other'));
    await page.click('#keys button[type=submit]');
    assert.equal(await faintTexts(page), [], `an error, ${colorScheme}`);
  }
});

inBrowser('a narrow page is not wider than the screen, and a link opens what it leads to', async () => {
  const { page } = await open(html, { viewport: { width: 360, height: 700 } });
  await verify(page, POLICY_TEXT);
  assert.is(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  assert.not(await page.isVisible('#entry-25'));
  await page.click('#summary a[href="#entry-25"]');
  assert.ok(await page.isVisible('#entry-25'));
});

inBrowser('on paper everything is open, and there are no controls', async () => {
  const opened = await open();
  const { page } = opened;
  await verify(page, POLICY_TEXT);
  const paper = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
  assert.ok((paper.match(/\/Type\s*\/Page\b/g) ?? []).length > 1);
  assert.is(await page.$$eval('details[open]', (all) => all.length), 0, 'what was closed is closed again');
  await page.emulateMedia({ media: 'print' });
  await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')));
  // biome-ignore lint/performance/useDomNodeTextContent: only what is seen counts
  const text = await page.innerText('body');
  for (const words of [
    'Verify\n',
    'Save as a file',
    'Save the evidence as',
    'Policy from a file',
    'Evidence from a file',
    'Skip to',
  ])
    assert.not(text.includes(words), words);
  for (const words of ['Everything that has to be proved is proved', 'id 68762f1b', 'leaf hash', 'Sensitivity: 0.96'])
    assert.ok(text.includes(words), words);
  assert.equal(await faintTexts(page), []);
  wasQuiet(opened);
});

inBrowser('a long file is verified while the page stays awake, and is shown in part', async () => {
  for (let n = 0; n < 2100; n++)
    await log.add(engineer, {
      type: 'incident',
      subject: `incident/many-${n}`,
      severity: 'low',
      aware_at: log.now * 1000,
      affected: [],
    });
  log.head();
  const opened = await open(embedPack(template, await log.pack({ subjects: ['incident/**'], attachments: 'none' })));
  const { page } = opened;
  await verdictOf(page, 'neutral');
  await page.evaluate(() => {
    const count = (): void => {
      document.body.dataset.frames = String(Number(document.body.dataset.frames ?? 0) + 1);
      requestAnimationFrame(count);
    };
    count();
  });
  const { state } = await verify(page, POLICY_TEXT);
  assert.is(state, 'holds');
  assert.ok(Number(await page.getAttribute('body', 'data-frames')) > 10, 'the page was drawn while it worked');
  assert.is(await page.$$eval('#records details', (all) => all.length), 2000);
  assert.match((await page.textContent('#records')) ?? '', /[0-9]+ more records are in the file, and were examined/);
  wasQuiet(opened);
});

const isolated = missing === undefined && hasNetworkNamespaces();
if (!isolated) console.log('without a browser and network namespaces, the page is not opened where there is no network at all');

(isolated ? test : test.skip)('where there is no network at all, it verifies', async () => {
  const opened = await desk.open(await desk.browser(true), html);
  assert.is((await verify(opened.page, POLICY_TEXT)).state, 'holds');
  wasQuiet(opened);
});

/** The key of a witness that nobody asked. */
function witnessKey(): string {
  return formatVerifierKey(createSigner('w3.test', KEY_TYPE.ed25519Cosignature, new Uint8Array(32).fill(98)).key);
}

test.run();
