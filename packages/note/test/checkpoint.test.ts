import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Checkpoint, encodeBase64, formatCheckpoint, parseCheckpoint } from '../src/index.js';
import { checkpoint, checkpointText, codeOf, ORIGIN, seed } from './fixtures.js';

const ROOT = encodeBase64(checkpoint.root);

test('a checkpoint is origin, size and root on a line each', () => {
  assert.is(checkpointText, `${ORIGIN}\n20\n${ROOT}\n`);
  assert.equal(parseCheckpoint(checkpointText), checkpoint);
});

test('every size of 64 bits survives, exact', () => {
  for (const size of [0n, 1n, 9n, 10n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    const head: Checkpoint = { ...checkpoint, size };
    assert.equal(parseCheckpoint(formatCheckpoint(head)), head);
  }
});

test('an origin need not look like a URL; extension lines are kept as they are', () => {
  for (const origin of ['go.sum database tree', 'a+b', '日志', ' ', 'rekor.sigstore.dev - 2605736670972794746']) {
    const head: Checkpoint = { origin, size: 1n, root: seed('r'), extensions: ['Timestamp: 1', ' ', '\u2014 x'] };
    assert.equal(parseCheckpoint(formatCheckpoint(head)), head);
  }
});

test('a size has one spelling', () => {
  const sizes = [
    '',
    '00',
    '01',
    '020',
    '+1',
    '-0',
    '-1',
    ' 1',
    '1 ',
    '1_0',
    '1.0',
    '1e1',
    '0x10',
    '0b1',
    '１',
    '٣',
    'Infinity',
    '1n',
    `${2n ** 64n}`,
    '9'.repeat(400),
  ];
  for (const size of sizes)
    assert.is(
      codeOf(() => parseCheckpoint(`${ORIGIN}\n${size}\n${ROOT}\n`)),
      'note/malformed',
      JSON.stringify(size.slice(0, 30)),
    );
});

test('a root is 32 bytes in one spelling', () => {
  const roots = [
    '',
    'x',
    encodeBase64(seed('r').subarray(1)),
    encodeBase64(Uint8Array.of(...seed('r'), 0)),
    ROOT.slice(0, -1),
    `${ROOT}=`,
    ` ${ROOT}`,
    `${ROOT} `,
  ];
  // The last character before the padding carries two unused bits.
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  roots.push(`${ROOT.slice(0, 42)}${last[last.indexOf(ROOT[42]) + 1]}=`);
  roots.push(`${ROOT.slice(0, 20)}\u00a0${ROOT.slice(20)}`, encodeBase64(new Uint8Array(32).fill(0xff)).replaceAll('/', '_'));
  for (const root of roots)
    assert.is(
      codeOf(() => parseCheckpoint(`${ORIGIN}\n20\n${root}\n`)),
      'note/malformed',
      JSON.stringify(root),
    );
});

test('empty lines, missing lines and a missing final line break are refused', () => {
  for (const text of [
    '',
    '\n',
    `${ORIGIN}\n`,
    `${ORIGIN}\n20\n`,
    `${ORIGIN}\n20\n${ROOT}`,
    `\n20\n${ROOT}\n`,
    `${ORIGIN}\n20\n${ROOT}\n\n`,
    `${ORIGIN}\n20\n${ROOT}\n\nextension\n`,
    `\n${ORIGIN}\n20\n${ROOT}\n`,
    `${ORIGIN}\n20\n${ROOT}\nextension`,
    `${ORIGIN}\r\n20\r\n${ROOT}\r\n`,
  ]) {
    assert.is(
      codeOf(() => parseCheckpoint(text)),
      'note/malformed',
      JSON.stringify(text),
    );
  }
});

test('what would not read back the same is not written', () => {
  const broken: readonly Partial<Checkpoint>[] = [
    { origin: '' },
    { origin: 'a\nb' },
    { origin: `${ORIGIN}\n20\n${ROOT}` },
    { size: -1n },
    { size: 2n ** 64n },
    { root: seed('r').subarray(1) },
    { root: new Uint8Array(0) },
    { extensions: [''] },
    { extensions: ['a\nb'] },
    { extensions: ['a\n'] },
  ];
  for (const part of broken) {
    assert.is(
      codeOf(() => formatCheckpoint({ ...checkpoint, ...part })),
      'note/malformed',
      JSON.stringify(part, (_, v) => (typeof v === 'bigint' ? `${v}` : v)),
    );
  }
});

test.run();
