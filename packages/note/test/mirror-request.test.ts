import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeUtf8, formatAddEntriesHeader, formatMirrorInfo, NoteError, parseMirrorInfo } from '../src/index.js';

test('the header of an upload lies as the specification draws it', () => {
  const header = formatAddEntriesHeader({ origin: 'ab', start: 258n, end: 2n ** 63n, ticket: Uint8Array.of(9, 8, 7) });
  const expected = [0, 2, 0x61, 0x62, 0, 0, 0, 0, 0, 0, 1, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 3, 9, 8, 7];
  assert.equal(header, Uint8Array.from(expected));
  const large = { origin: 'x'.repeat(65_536), start: 0n, end: 0n, ticket: new Uint8Array(0) };
  assert.throws(
    () => formatAddEntriesHeader(large),
    (error: unknown) => error instanceof NoteError,
  );
});

test('what a mirror tells of itself is read as it was written', () => {
  for (const ticket of [new Uint8Array(0), Uint8Array.of(1, 2, 3), new Uint8Array(65_535).fill(7)]) {
    const info = { size: 2n ** 64n - 1n, next: 0n, ticket };
    assert.equal(parseMirrorInfo(encodeUtf8(formatMirrorInfo(info))), info);
  }
  assert.is(formatMirrorInfo({ size: 3n, next: 2n, ticket: Uint8Array.of(0) }), '3\n2\nAA==\n');
});

test('anything else is refused', () => {
  const bad = ['', '1\n2\n', '1\n2\n\n3\n', '1\n2\nAA==', '01\n2\n\n', '1\n-2\n\n', '1\n2\nAA=\n', '1\n2\nAB==\n', '1 \n2\n\n'];
  const tooLarge = `1\n2\n${'AAAA'.repeat(21_846)}\n`;
  for (const text of [...bad, tooLarge])
    assert.throws(
      () => parseMirrorInfo(encodeUtf8(text)),
      (error: unknown) => error instanceof NoteError,
      text.slice(0, 20),
    );
});

test.run();
