import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Checkpoint,
  decodeBase64,
  encodeBase64,
  encodeUtf8,
  formatCheckpoint,
  formatNote,
  formatSignerKey,
  formatVerifierKey,
  KEY_TYPE,
  type NoteErrorCode,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseSignatureLine,
  parseSignerKey,
  parseVerifierKey,
} from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';
import { checkpointText, codeOf, greaseLine, ORIGIN, seed, signer } from './fixtures.js';

const bounded = (numRuns: number) => ({ seed: 42, numRuns });

/** Text of a note: any well-formed Unicode without control characters, in lines. */
const lineOf = fc.string({ unit: 'binary', maxLength: 30 }).map((s) => s.replace(/[\p{Cc}\p{Cs}]/gu, ''));
const noteText = fc.array(lineOf, { minLength: 1, maxLength: 6 }).map((lines) => lines.map((line) => `${line}\n`).join(''));
const keyName = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .map((s) => `k${s.replace(/[\s\p{White_Space}+\p{Cc}\p{Cs}]/gu, '')}`);
const signature = fc.record(
  {
    name: keyName,
    id: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    signature: fc.uint8Array({ minLength: 1, maxLength: 80 }),
  },
  { noNullPrototype: true },
);
const note = fc.record({ text: noteText, signatures: fc.array(signature, { minLength: 1, maxLength: 5 }) });

const log = signer(ORIGIN);
const witness = signer('w1.example', KEY_TYPE.ed25519Cosignature);
const trust = { origin: ORIGIN, logKeys: [log.key], witnessKeys: [witness.key] };
const KEY_FILE = formatSignerKey(log.key, seed(`${ORIGIN} 1`));
const signedLines = [log.sign(checkpointText), witness.sign(checkpointText, 1_700_000_000n)];

test('a note survives formatting and parsing', () => {
  fc.assert(
    fc.property(note, (value) => {
      const read = parseNote(formatNote(value));
      assert.is(read.text, value.text);
      assert.equal(read.signatures, value.signatures);
    }),
    bounded(400),
  );
});

test('a checkpoint survives formatting and parsing', () => {
  const line = lineOf.map((s) => `x${s}`);
  const head = fc.record(
    {
      origin: line,
      size: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      root: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      extensions: fc.array(line, { maxLength: 3 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(head, (value: Checkpoint) => assert.equal(parseCheckpoint(formatCheckpoint(value)), value)),
    bounded(400),
  );
});

test('base64 survives, and has one spelling for each array of bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.is(encodeBase64(bytes), Buffer.from(bytes).toString('base64'));
      assert.equal(decodeBase64(encodeBase64(bytes)), bytes);
    }),
    bounded(300),
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ABgw/+09=-_ \n'), maxLength: 12 }), (text) => {
      if (codeOf(() => decodeBase64(text)) === undefined) assert.is(encodeBase64(decodeBase64(text)), text);
    }),
    bounded(3000),
  );
});

test('what parses as a note is written back byte for byte', () => {
  const pieces = [
    '\n',
    '\n\n',
    '\u2014 ',
    '\u2014 a AAAAAAA=\n',
    'a',
    ' ',
    'AAAAAAA=',
    '=',
    '+',
    '\ufeff',
    '\u3000',
    '\r',
    '\u0000',
    'é',
  ];
  let read = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (parts) => {
      const bytes = encodeUtf8(`text\n\n${parts.join('')}\u2014 a AAAAAAA=\n`);
      if (codeOf(() => parseNote(bytes)) !== undefined) return;
      read++;
      assert.equal(formatNote(parseNote(bytes)), bytes);
    }),
    bounded(4000),
  );
  assert.ok(read > 100, `${read} notes were read`);
});

for (const [what, signatures] of [
  ['signed', signedLines.slice(0, 1)],
  ['cosigned', signedLines],
  ['cosigned checkpoint with a line of an unknown key', [greaseLine('g.example', 12), ...signedLines]],
] as const) {
  test(`any flipped bit of a ${what} checkpoint is refused, or leaves no more than was verified before`, () => {
    const bytes = formatNote({ text: checkpointText, signatures });
    const before = openCheckpoint(bytes, trust, nodeEd25519).note.verified.map((s) => `${s.name} ${s.timestamp}`);
    const outcomes = { refused: 0, fewer: 0, same: 0 };
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      if (codeOf(() => openCheckpoint(flipped, trust, nodeEd25519)) !== undefined) {
        outcomes.refused++;
        continue;
      }
      const opened = openCheckpoint(flipped, trust, nodeEd25519);
      assert.is(opened.note.text, checkpointText, `bit ${bit} changed the text`);
      const after = opened.note.verified.map((s) => `${s.name} ${s.timestamp}`);
      assert.ok(
        after.every((one) => before.includes(one)),
        `bit ${bit} changed what is verified: ${after}`,
      );
      assert.ok(after.length <= before.length);
      outcomes[after.length < before.length ? 'fewer' : 'same']++;
    }
    assert.ok(outcomes.refused > encodeUtf8(checkpointText).length * 8, JSON.stringify(outcomes));
    if (signatures.length < 3) assert.is(outcomes.same, 0, 'every bit of a known line counts');
    else assert.ok(outcomes.same > 0, 'a line of an unknown key may say anything');
    assert.is(outcomes.fewer > 0, signatures.length > 1, 'only name and id of the witness make its line unknown');
  });
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.string({
    unit: fc.constantFrom(
      ...'PRIVATE+KEY\n \t\u2014=#0149afAQ/\u3000\ud800',
      'log ',
      'witness ',
      'group ',
      'quorum ',
      'none',
      'all ',
      'w1',
      '\n\n',
    ),
    maxLength: 60,
  }),
  fc
    .tuple(
      fc.constantFrom(
        formatVerifierKey(log.key),
        KEY_FILE,
        checkpointText,
        `witness w1 ${formatVerifierKey(witness.key)}\ngroup g all w1\nquorum g\n`,
      ),
      fc.nat(),
      fc.string({ unit: 'binary', maxLength: 3 }),
    )
    .map(([text, at, put]) => `${text.slice(0, at % text.length)}${put}${text.slice((at % text.length) + put.length)}`),
);

const textParsers: Record<string, { parse: (text: string) => unknown; codes: readonly NoteErrorCode[] }> = {
  parseCheckpoint: { parse: parseCheckpoint, codes: ['note/malformed'] },
  parseSignatureLine: { parse: parseSignatureLine, codes: ['note/malformed'] },
  parsePolicy: { parse: parsePolicy, codes: ['note/bad-policy'] },
  parseVerifierKey: {
    parse: parseVerifierKey,
    codes: ['note/malformed', 'note/bad-key', 'note/weak-key', 'note/unknown-key-type'],
  },
  parseSignerKey: { parse: (text) => parseSignerKey(text, nodeEd25519), codes: ['note/bad-key', 'note/unknown-key-type'] },
};

for (const [name, { parse, codes }] of Object.entries(textParsers)) {
  test(`${name} throws nothing but a NoteError of its documented codes`, () => {
    let refused = 0;
    fc.assert(
      fc.property(hostile, (text) => {
        const code = codeOf(() => parse(text));
        if (code === undefined) return;
        refused++;
        assert.ok(codes.includes(code), `${code} for ${JSON.stringify(text)}`);
      }),
      bounded(1500),
    );
    assert.ok(refused > 100);
  });
}

test('parseNote and openCheckpoint throw nothing but a NoteError, whatever the bytes', () => {
  const good = formatNote({ text: checkpointText, signatures: signedLines });
  const changed = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => {
    const bytes = good.slice();
    for (const [at, byte] of changes) bytes[at] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), changed, hostile.map(encodeUtf8)), (bytes) => {
      const code = codeOf(() => parseNote(bytes));
      assert.ok(code === undefined || code === 'note/malformed' || code === 'note/too-large', `${code}`);
      codeOf(() => openCheckpoint(bytes, trust, nodeEd25519));
    }),
    bounded(3000),
  );
});

test.run();
