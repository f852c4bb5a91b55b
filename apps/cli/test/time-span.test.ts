import { InvalidArgumentError } from 'commander';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { timerSpan, timeSpan } from '../src/time-span.js';

test('a time span is a number of seconds, or of the unit behind it', () => {
  const table: Readonly<Record<string, number>> = { '1': 1, '3600': 3600, '90s': 90, '15m': 900, '12h': 43_200, '7d': 604_800 };
  for (const [text, seconds] of Object.entries(table)) {
    assert.is(timeSpan(text), seconds, text);
    assert.is(timerSpan(text), seconds, text);
  }
  assert.is(timeSpan('999999999d'), 86_399_999_913_600);
});

test('anything else is none', () => {
  for (const text of [
    '',
    '0',
    '0s',
    '01',
    '-1',
    '+1',
    '1.5h',
    '1e3',
    ' 1',
    '1 h',
    '1H',
    '1w',
    '1ms',
    's',
    '1h30m',
    '1000000000',
  ])
    for (const read of [timeSpan, timerSpan])
      assert.throws(
        () => read(text),
        (error: Error) => error instanceof InvalidArgumentError && /such as 90s/.test(error.message),
        text,
      );
});

test('a timer waits for 24 days at most', () => {
  for (const text of ['24d', '576h', '34560m', '2073600']) assert.is(timerSpan(text), 2_073_600, text);
  for (const text of ['25d', '577h', '34561m', '2073601'])
    assert.throws(
      () => timerSpan(text),
      (error: Error) => error instanceof InvalidArgumentError && /at most 24 days/.test(error.message),
      text,
    );
});

test.run();
