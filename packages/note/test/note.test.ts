import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  encodeBase64,
  encodeUtf8,
  formatNote,
  formatSignatureLine,
  KEY_TYPE,
  MAX_NOTE_SIZE,
  MAX_SIGNATURES,
  openCheckpoint,
  openNote,
  parseNote,
  parseSignatureLine,
} from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';
import { checkpoint, checkpointText, codeOf, greaseLine, ORIGIN, rawNote, signedBy, signer } from './fixtures.js';

const log = signer(ORIGIN);
const LINE = formatSignatureLine(log.sign(checkpointText));
const malformed = (bytes: Uint8Array, what: string): void =>
  assert.is(
    codeOf(() => parseNote(bytes)),
    'note/malformed',
    what,
  );

test('a note is split at its last empty line', () => {
  for (const text of ['one\n', 'one\n\ntwo\n', '\n', '\n\n\none\n', 'one\n\n', `one\n\n${LINE}\n`]) {
    const signed = signedBy([log], text);
    assert.is(parseNote(signed).text, text);
    assert.equal(openNote(parseNote(signed), [log.key]).verified.length, 1);
  }
});

test('signature lines that stand above the last empty line are text', () => {
  const note = parseNote(rawNote(`text\n\n${LINE}\n`, formatSignatureLine(greaseLine('other.example'))));
  assert.equal(
    note.signatures.map((s) => s.name),
    ['other.example'],
  );
});

test('without text, empty line, signature or final line break there is no note', () => {
  const bytes = (text: string): Uint8Array => encodeUtf8(text);
  malformed(bytes(''), 'nothing');
  malformed(bytes('text\n'), 'text alone');
  malformed(bytes(`${LINE}\n`), 'signature alone');
  malformed(bytes(`\n${LINE}\n`), 'empty text');
  malformed(bytes(`text\n${LINE}\n`), 'no empty line');
  malformed(bytes('text\n\n'), 'no signature');
  malformed(bytes(`text\n\n${LINE}`), 'no final line break');
  malformed(bytes(`text\n\n${LINE}\n\n`), 'an empty line behind');
  malformed(bytes(`text\n\n${LINE}\ntext\n`), 'a line that is no signature');
  assert.is(
    codeOf(() => formatNote({ text: 'text', signatures: [greaseLine('a')] })),
    'note/malformed',
  );
  assert.is(
    codeOf(() => formatNote({ text: 'text\n', signatures: [] })),
    'note/malformed',
  );
});

test('a signature line has one spelling', () => {
  const base64 = LINE.split(' ')[2];
  const five = encodeBase64(new Uint8Array(5));
  assert.equal(parseSignatureLine(`\u2014 a ${five}`), { name: 'a', id: '00000000', signature: new Uint8Array(1) });
  for (const line of [
    '',
    LINE.slice(1),
    LINE.replace('\u2014', '-'),
    LINE.replace('\u2014', '\u2013'),
    LINE.replace('\u2014 ', '\u2014'),
    ` ${LINE}`,
    `${LINE} `,
    `${LINE} x`,
    `\u2014 ${base64}`,
    `\u2014 a `,
    `\u2014 a ${base64.slice(0, -1)}`,
    `\u2014 a ${base64}=`,
    `\u2014 a ${five.replace('AAAAAAA=', 'AAAAAAB=')}`,
    `\u2014 a ${encodeBase64(new Uint8Array(4))}`,
    `\u2014 a AAAA_-==`,
  ]) {
    assert.is(
      codeOf(() => parseSignatureLine(line)),
      'note/malformed',
      JSON.stringify(line),
    );
  }
});

test('a name with a space of Unicode, a plus or a control character makes the note malformed', () => {
  const five = encodeBase64(new Uint8Array(5));
  for (const name of ['', 'a+b', 'a\u3000b', 'a\u00a0b', 'a\u2028b', 'a\u0085b', '\u2003']) {
    malformed(rawNote(checkpointText, LINE, `\u2014 ${name} ${five}`), JSON.stringify(name));
    const bad = { name, id: '00000000', signature: new Uint8Array(64) };
    assert.ok(codeOf(() => formatNote({ text: 'text\n', signatures: [bad] })) !== undefined, JSON.stringify(name));
  }
});

test('a line of an unknown key is ignored, whatever its name within the rules of signed-note', () => {
  const five = encodeBase64(new Uint8Array(5));
  const names = ['é', '\u202e\u2066x', 'a\u200bb', 'a\ufeffb', 'a\u007fb', 'a\u0080b', 'x'.repeat(300)];
  const refused = names.filter(
    (name) =>
      codeOf(() => openNote(parseNote(rawNote(checkpointText, LINE, `\u2014 ${name} ${five}`)), [log.key])) !== undefined,
  );
  assert.equal(refused, []);
});

test('an id is eight hex digits when a line is written', () => {
  for (const id of ['', '1', '0badcaf', '0badcafe0', 'xxxxxxxx']) {
    assert.ok(
      codeOf(() => formatSignatureLine({ name: 'a', id, signature: new Uint8Array(64) })) !== undefined,
      `id ${JSON.stringify(id)}`,
    );
  }
});

test('control characters but the line break are refused everywhere in a note', () => {
  for (let code = 0; code < 0x20; code++) {
    if (code === 0x0a) continue;
    const control = String.fromCharCode(code);
    malformed(rawNote(`te${control}xt\n`, LINE), `in the text: ${code}`);
    malformed(rawNote('text\n', `${LINE}${control}`), `in a line: ${code}`);
    malformed(rawNote('text\n', LINE.replace('log', `l${control}og`)), `in a name: ${code}`);
  }
  malformed(encodeUtf8(`${checkpointText}\n${LINE}\n`.replaceAll('\n', '\r\n')), 'CRLF');
});

test('bytes that are not UTF-8 are refused', () => {
  const good = signedBy([log], 'text\n');
  for (const bad of [[0xff], [0xc0, 0x80], [0xc3], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x80]]) {
    malformed(Uint8Array.of(...bad, ...good), bad.join());
  }
  assert.is(
    codeOf(() => formatNote({ text: '\ud800\n', signatures: [greaseLine('a')] })),
    'note/malformed',
    'a lone surrogate',
  );
});

test('a byte order mark and marks of direction are text like any other: kept, signed, and part of an origin', () => {
  for (const text of ['\ufefftext\n', 'text\u202egnp\u2069\n', '\u2028\n', '\u007f\n', 'a\u0301\n']) {
    const note = parseNote(signedBy([log], text));
    assert.is(note.text, text);
    assert.is(openNote(note, [log.key]).text, text);
    assert.is(
      codeOf(() => openNote({ ...note, text: text.slice(1) }, [log.key])),
      'note/bad-signature',
    );
  }
  const marked = Uint8Array.of(0xef, 0xbb, 0xbf, ...signedBy([log]));
  assert.is(
    codeOf(() => openCheckpoint(marked, { origin: ORIGIN, logKeys: [log.key] })),
    'note/wrong-origin',
  );
});

test('1 to 64 signatures are read, among them 16 and more of unknown keys; 65 are not', () => {
  const lines = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => formatSignatureLine(greaseLine(`g${i}.example`, 2428)));
  assert.is(MAX_SIGNATURES, 64);
  for (const count of [0, 15, 16, 17, 63]) {
    const opened = openNote(parseNote(rawNote(checkpointText, ...lines(count), LINE)), [log.key], nodeEd25519);
    assert.equal([opened.verified.length, opened.unverified.length], [1, count]);
  }
  malformed(rawNote(checkpointText, ...lines(64), LINE), '65 lines');
  const many = Array.from({ length: 65 }, () => greaseLine('g'));
  assert.is(
    codeOf(() => formatNote({ text: 'text\n', signatures: many })),
    'note/malformed',
  );
});

test('a note of the greatest size is read, one byte more is too large, however it looks', () => {
  const rest = signedBy([log], '\n').length - 1;
  const text = `${'x'.repeat(MAX_NOTE_SIZE - rest - 1)}\n`;
  const bytes = signedBy([log], text);
  assert.is(bytes.length, MAX_NOTE_SIZE);
  assert.is(openNote(parseNote(bytes), [log.key], nodeEd25519).verified.length, 1);
  assert.is(
    codeOf(() => parseNote(encodeUtf8(`x${new TextDecoder().decode(bytes)}`))),
    'note/too-large',
  );
  assert.is(
    codeOf(() => parseNote(new Uint8Array(MAX_NOTE_SIZE + 1))),
    'note/too-large',
  );
});

test('lines that repeat a key are all checked: one that fails refuses the note', () => {
  const line = log.sign(checkpointText);
  const bad = { ...line, signature: line.signature.map((byte, i) => (i === 5 ? byte ^ 1 : byte)) };
  assert.is(openNote({ text: checkpointText, signatures: [line, line] }, [log.key]).verified.length, 2);
  for (const signatures of [[line, bad], [bad, line], [bad]]) {
    assert.is(
      codeOf(() => openNote({ text: checkpointText, signatures }, [log.key])),
      'note/bad-signature',
    );
  }
  const unknown = greaseLine('g.example');
  assert.is(openNote({ text: checkpointText, signatures: [unknown, unknown, line] }, [log.key]).unverified.length, 2);
});

test('a key is known by name and id together', () => {
  const line = log.sign(checkpointText);
  for (const other of [
    { ...line, name: 'other.example' },
    { ...line, id: '00000000' },
  ]) {
    assert.is(
      codeOf(() => openNote({ text: checkpointText, signatures: [other] }, [log.key])),
      'note/no-known-signature',
    );
    assert.is(openNote({ text: checkpointText, signatures: [other, line] }, [log.key]).unverified.length, 1);
  }
});

test('two keys under one name and id: a line of either holds, and of neither does not', () => {
  const other = { ...log.key, publicKey: nodeEd25519.publicKey(new Uint8Array(32).fill(9)) };
  const line = log.sign(checkpointText);
  for (const keys of [
    [log.key, other],
    [other, log.key],
  ]) {
    assert.is(openNote({ text: checkpointText, signatures: [line] }, keys).verified[0].key, log.key);
    assert.is(
      codeOf(() => openNote({ text: 'else\n', signatures: [line] }, keys)),
      'note/bad-signature',
    );
  }
});

test('a checkpoint of another origin is refused though a trusted key signed it', () => {
  const trust = { origin: ORIGIN, logKeys: [log.key] };
  const text = checkpointText.replace(ORIGIN, 'log.example/other');
  assert.is(
    codeOf(() => openCheckpoint(signedBy([log], text), trust)),
    'note/wrong-origin',
  );
  assert.is(
    codeOf(() => openCheckpoint(signedBy([log], 'no checkpoint\n'), trust)),
    'note/malformed',
  );
});

test('an Ed25519 cosignature covers its time, and a time of 2^63 and more is refused', () => {
  const witness = signer('w.example', KEY_TYPE.ed25519Cosignature);
  const line = witness.sign(checkpointText, 2n ** 63n - 1n);
  assert.is(openNote({ text: checkpointText, signatures: [line] }, [witness.key]).verified[0].timestamp, 2n ** 63n - 1n);
  assert.is(
    codeOf(() => witness.sign(checkpointText, 2n ** 63n)),
    'note/malformed',
  );
  assert.is(
    codeOf(() => witness.sign(checkpointText, -1n)),
    'note/malformed',
  );
  for (const at of [0, 7]) {
    const signature = line.signature.slice();
    signature[at] ^= 0x80;
    assert.is(
      codeOf(() => openNote({ text: checkpointText, signatures: [{ ...line, signature }] }, [witness.key])),
      'note/bad-signature',
    );
  }
  assert.equal(openCheckpoint(signedBy([log]), { origin: ORIGIN, logKeys: [log.key] }).checkpoint, checkpoint);
});

test.run();
