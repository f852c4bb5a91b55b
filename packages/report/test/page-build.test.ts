import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildPage, LARGEST_PAGE } from '../../../.tools/build-page.mjs';
import { readTemplate } from '../src/node/index.js';

const page = await readTemplate();

test('the page is small, and the same whenever it is built', async () => {
  assert.is(LARGEST_PAGE, 307_200);
  assert.ok(Buffer.byteLength(page) <= LARGEST_PAGE, `${Buffer.byteLength(page)} bytes`);
  const [one, two] = [await buildPage(), await buildPage()];
  assert.is(one, two);
  assert.ok(one === page, 'dist/page.html is not what the sources make: run "npm run build"');
});

test('the page may run its one script, use its one style, and load and send nothing', () => {
  const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page) ?? [];
  const only = (pattern: RegExp): string => {
    const found = [...page.matchAll(pattern)];
    assert.is(found.length, 1, String(pattern));
    return `'sha256-${createHash('sha256').update(found[0][1]).digest('base64')}'`;
  };
  assert.equal(policy.split('; '), [
    "default-src 'none'",
    `script-src ${only(/<script>([\s\S]*?)<\/script>/g)}`,
    `style-src ${only(/<style>([\s\S]*?)<\/style>/g)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ]);
});

test('nothing in the page names a place to load from', () => {
  const markup = page.replace(/<(script|style)>[\s\S]*?<\/\1>/g, '');
  assert.not.match(markup, /\b(?:src|srcset|action|formaction|poster|data|manifest)=/);
  assert.not.match(markup, /href="(?!#)/);
  assert.not.match(markup, /<link|<iframe|<object|<base|<img|\son[a-z]+=/);
  assert.not.match(page, /@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|serviceWorker|import\(/);
});

test.run();
