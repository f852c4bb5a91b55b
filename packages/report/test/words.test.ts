import { NoteError } from '@treering/note';
import { aroundChanges, diffLines } from '@treering/record';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { attachmentText, fileName } from '../src/model/attachment-text.js';
import { timeTicks } from '../src/model/time-axis.js';
import { counted, dayWords, grouped, momentWords, sizeWords } from '../src/model/time-words.js';
import { readTrust } from '../src/model/trust-text.js';
import { KEYS_TEXT, POLICY_TEXT } from './ward.js';

test('times, sizes and counts in words', () => {
  assert.is(momentWords(1_775_001_910), '1 April 2026, 00:05:10 UTC');
  assert.is(dayWords(1_775_001_910), '1 April 2026');
  assert.is(momentWords(2 ** 53), '9007199254740992 seconds after 1970');
  assert.equal([sizeWords(1), sizeWords(9_999), sizeWords(47_830)], ['1 byte', '9,999 bytes', '46.7 KiB (47,830 bytes)']);
  assert.is(sizeWords(64 * 1024 * 1024), '64.0 MiB (67,108,864 bytes)');
  assert.equal(
    [grouped(1_234_567), counted(1, 'entry', 'entries'), counted(0, 'record')],
    ['1,234,567', '1 entry', '0 records'],
  );
});

test('keys alone ask for no witness; a policy says what it asks for', () => {
  const keys = readTrust(`\n# from the operator's site\r\n  ${KEYS_TEXT.replaceAll('\n', '\r\n')}  \r\n`);
  assert.equal([keys.logs.length, keys.witnesses.length, keys.quorum], [2, 0, 'none']);
  const policy = readTrust(`\ufeff${POLICY_TEXT.replaceAll('\n', '\r\n')}`);
  assert.equal([policy.logs.length, policy.witnesses.length, policy.quorum], [2, 2, 'both']);
});

test('what is no key and no policy is refused, with the line', () => {
  const refuses = (text: string, why: RegExp): void => {
    assert.throws(
      () => readTrust(text),
      (error: unknown) => error instanceof NoteError && why.test(error.message),
    );
  };
  refuses(' \n', /no key and no policy/);
  refuses('hello', /^line 1 /);
  refuses(`${KEYS_TEXT}\nhello`, /^line 3 /);
  refuses(POLICY_TEXT.replace('quorum both', ''), /no quorum/);
});

test('a difference says how to get from one text to the other', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 }).map((lines) => lines.join('\n'));
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = diffLines(before, after) ?? [];
      const without = (kind: string): string =>
        lines
          .filter((line) => line.kind !== kind)
          .map((line) => line.text)
          .join('\n');
      assert.equal([without('added'), without('removed')], [before, after]);
      assert.is(
        lines.every(({ kind }) => kind === 'same'),
        before === after,
      );
    }),
  );
});

test('unchanged lines are left out, and texts that are too long are not compared', () => {
  const lines = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  const around = aroundChanges(diffLines(lines.join('\n'), lines.with(15, 'changed').join('\n')) ?? []);
  assert.equal([around.length, around[0], around[around.length - 1]], [10, undefined, undefined]);
  const long = (word: string): string => Array.from({ length: 1001 }, (_, i) => `${word} ${i}`).join('\n');
  assert.is(diffLines(long('a'), long('b')), undefined);
});

test('an axis has few ticks, in order, at round moments', () => {
  fc.assert(
    fc.property(fc.nat(4e9), fc.integer({ min: 1, max: 4e9 }), (from, span) => {
      const ticks = timeTicks(from, from + span, 7);
      assert.ok(ticks.length <= 8);
      for (const [i, { at }] of ticks.entries())
        assert.ok(at >= from && at <= from + span && (i === 0 || at > ticks[i - 1].at));
    }),
  );
  assert.equal(
    timeTicks(1_767_225_600, 1_785_600_000, 7).map(({ label }) => label),
    ['2026-01', '2026-03', '2026-05', '2026-07'],
  );
});

test('attachments that are text are told from others, and saved under a harmless name', () => {
  assert.is(attachmentText(new TextEncoder().encode('grüß dich\n')), 'grüß dich\n');
  assert.is(attachmentText(Uint8Array.of(0xff, 0xfe)), undefined);
  assert.is(attachmentText(Uint8Array.of(0x41, 0x00)), undefined);
  assert.equal(['a/b/report.pdf', '../.profile', 'a b;c', '..'].map(fileName), [
    'report.pdf',
    'profile',
    'a_b_c',
    'attachment',
  ]);
});

test.run();
