import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { embedPack, LARGEST_EMBEDDED, ReportError, type ReportErrorCode } from '../src/index.js';
import { readTemplate } from '../src/node/index.js';

const template = await readTemplate();

function refuses(make: () => unknown, code: ReportErrorCode): void {
  assert.throws(make, (error: unknown) => error instanceof ReportError && error.code === code);
}

test('the bytes stand in the page, and nothing else of it changes', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const page = embedPack(template, bytes);
  const [, text] = /<script type="application\/octet-stream" id="pack">([^<]*)<\/script>/.exec(page) ?? [];
  assert.equal(new Uint8Array(Buffer.from(text, 'base64')), bytes);
  assert.is(page.replace(text, ''), template);
});

test('only one pack goes into a page, and only into such a page', () => {
  refuses(() => embedPack(embedPack(template, Uint8Array.of(1)), Uint8Array.of(2)), 'report/no-template');
  refuses(() => embedPack('<html></html>', Uint8Array.of(1)), 'report/no-template');
  refuses(() => embedPack(template + template, Uint8Array.of(1)), 'report/no-template');
});

test('a pack that no page can hold is refused', () => {
  refuses(() => embedPack(template, new Uint8Array(LARGEST_EMBEDDED + 1)), 'report/too-large');
});

test.run();
