import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];

/** Why there is no browser to test with; undefined when there is one. */
export function noBrowser(): string | undefined {
  return existsSync(EXECUTABLE) ? undefined : `${EXECUTABLE} is not installed`;
}

/** Whether a process may have a network of its own, without interfaces. */
export function hasNetworkNamespaces(): boolean {
  try {
    execFileSync('unshare', ['-rn', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A page that was opened as a file, and everything that it asked for. */
export interface OpenedPage {
  readonly page: Page;
  readonly url: string;
  /** URLs of all requests. */
  readonly requests: string[];
  /** Errors of scripts, and what the browser complained of. */
  readonly complaints: string[];
}

/** Opens pages in Chromium, each in a context of its own. */
export class Desk {
  readonly folder = mkdtempSync(join(tmpdir(), 'treering-report-'));
  readonly #browsers: Browser[] = [];
  #files = 0;

  /** @param isolated in a network namespace without interfaces */
  async browser(isolated = false): Promise<Browser> {
    const executablePath = isolated ? this.write('chromium', `#!/bin/sh\nexec unshare -rn ${EXECUTABLE} "$@"\n`) : EXECUTABLE;
    chmodSync(executablePath === EXECUTABLE ? this.folder : executablePath, 0o700);
    const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
    this.#browsers.push(browser);
    return browser;
  }

  /** Opens the file that holds this page. */
  async open(browser: Browser, html: string, options: BrowserContextOptions = {}): Promise<OpenedPage> {
    const url = pathToFileURL(this.write(`triage-${this.#files++}.html`, html)).href;
    const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...options });
    // Functions that tests run in the page are named by this, which is not there.
    await context.addInitScript('globalThis.__name = (value) => value;');
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => complaints.push(message.text()));
    await page.goto(url);
    return { page, url, requests, complaints };
  }

  /** Writes a file and returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  async close(): Promise<void> {
    for (const browser of this.#browsers) await browser.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What the page says about the file, once it has come to a verdict. */
export interface Verdict {
  readonly state: string;
  readonly heading: string;
  readonly words: string;
}

/** Waits until the page is in one of these states. */
export async function verdictOf(page: Page, ...states: readonly string[]): Promise<Verdict> {
  await page.waitForFunction((wanted) => wanted.includes(document.body.dataset.state ?? ''), states);
  return {
    state: (await page.getAttribute('body', 'data-state')) ?? '',
    heading: (await page.textContent('#verdict-heading')) ?? '',
    words: (await page.textContent('#verdict-words')) ?? '',
  };
}

/** Pastes keys and verifies. */
export async function verify(page: Page, keys: string): Promise<Verdict> {
  await verdictOf(page, 'neutral', 'holds', 'fails');
  await page.fill('#trust', keys);
  await page.click('#keys button[type=submit]');
  // The click is answered at once: the state is no longer that of before.
  return verdictOf(page, 'holds', 'fails', 'unreadable');
}
