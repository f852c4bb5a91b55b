import {
  decodeBase64,
  decodeUtf8,
  MAX_NOTE_SIZE,
  MAX_SIGNATURES,
  NoteError,
  parseCheckpoint,
  parseDecimal,
  parseNote,
} from '@treering/note';
import { decodeBase64Url, StatementError } from '@treering/statement';
import { mutateBytes } from '../mutate-bytes.js';
import { mutateLines } from '../mutate-lines.js';
import type { Random } from '../random.js';
import { cosignedNote, note } from '../targets/samples.js';
import { vectorNotes } from '../targets/vector-inputs.js';
import { type Comparison, requireSame, unlessRefused, type Verdict } from './comparison.js';

// A second reader of notes and checkpoints, byte by byte, from the words of https://c2sp.org/signed-note and
// https://c2sp.org/tlog-checkpoint alone.

const LINE_FEED = 0x0a;
/** Code points with the Unicode property White_Space. */
const SPACES = [
  9, 10, 11, 12, 13, 0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009,
  0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
];
const seeds = [note, cosignedNote, ...vectorNotes()];

/** The lines of a note, text before signatures, as one text that differs when anything differs; undefined for what is no note. */
function referenceNote(bytes: Uint8Array): { readonly text: Buffer; readonly shown: string } | undefined {
  const all = Buffer.from(bytes);
  // "The signed note MUST be valid UTF-8 and MUST NOT contain any ASCII control characters (those below U+0020) other than newline"
  if (!Buffer.from(all.toString('utf8'), 'utf8').equals(all)) return undefined;
  for (const byte of all) if (byte < 0x20 && byte !== LINE_FEED) return undefined;
  // "the text is separated from the signatures by an empty line": the last one, because signature lines are not empty.
  let split = -1;
  for (let i = 0; i + 1 < all.length; i++) if (all[i] === LINE_FEED && all[i + 1] === LINE_FEED) split = i;
  if (split < 0 || all.length === split + 2 || all.at(-1) !== LINE_FEED) return undefined;
  const signatures: string[] = [];
  for (const line of all
    .subarray(split + 2, -1)
    .toString('utf8')
    .split('\n')) {
    const signature = referenceSignature(line);
    if (signature === undefined) return undefined;
    signatures.push(signature);
  }
  const text = all.subarray(0, split + 1);
  return { text, shown: [text.toString('hex'), ...signatures].join('\n') };
}

/** "an em dash (U+2014), a space (U+0020), the key name, a space, the base64 of the key id and the signature" */
function referenceSignature(line: string): string | undefined {
  const points = [...line];
  if (points[0] !== '\u2014' || points[1] !== ' ') return undefined;
  const space = points.indexOf(' ', 2);
  if (space < 0) return undefined;
  const name = points.slice(2, space);
  if (name.length === 0 || name.some((c) => c === '+' || SPACES.includes(c.codePointAt(0) as number))) return undefined;
  const signature = referenceBase64(points.slice(space + 1).join(''));
  return signature === undefined || signature.length < 5 ? undefined : `${name.join('')} ${signature.toString('hex')}`;
}

/** Bytes of standard base64 in its one spelling: what encodes back to the same text. */
function referenceBase64(text: string, alphabet: 'base64' | 'base64url' = 'base64'): Buffer | undefined {
  const bytes = Buffer.from(text, alphabet);
  return bytes.toString(alphabet) === text ? bytes : undefined;
}

/** Digits of a 64-bit number in their one spelling. */
function referenceDecimal(text: string): bigint | undefined {
  if (text === '' || [...text].some((c) => !'0123456789'.includes(c))) return undefined;
  const value = BigInt(text);
  return String(value) === text && value < 2n ** 64n ? value : undefined;
}

/** Origin, size, root and extension lines of a checkpoint. */
function referenceCheckpoint(text: Buffer): string | undefined {
  if (text.at(-1) !== LINE_FEED) return undefined;
  const lines = text.subarray(0, -1).toString('utf8').split('\n');
  if (lines.length < 3 || lines.some((line) => line === '')) return undefined;
  const [size, root] = [referenceDecimal(lines[1]), referenceBase64(lines[2])];
  if (size === undefined || root?.length !== 32) return undefined;
  return [lines[0], size, root.toString('hex'), ...lines.slice(3)].join('\n');
}

/** Notes, checkpoints, base64 and decimals. */
export const noteComparison: Comparison = {
  name: 'differential-notes',
  scenario: 'notes and checkpoints, and a second reader written from the specifications',
  compare(random: Random): Verdict {
    compareTexts(random);
    const bytes = inputFrom(random);
    const read = unlessRefused(() => parseNote(bytes), [NoteError]);
    const reference = referenceNote(bytes);
    const lines = reference?.shown.split('\n').length ?? 0;
    // The only differences: how large a note is, and how many lines are read of it.
    if (bytes.length > MAX_NOTE_SIZE || lines - 1 > MAX_SIGNATURES) return 'refused';
    const shown =
      read &&
      [
        Buffer.from(read.text, 'utf8').toString('hex'),
        ...read.signatures.map(({ name, id, signature }) => `${name} ${id}${Buffer.from(signature).toString('hex')}`),
      ].join('\n');
    requireSame(shown, reference?.shown, bytes);
    if (read === undefined || reference === undefined) return 'refused';
    const head = unlessRefused(() => parseCheckpoint(read.text), [NoteError]);
    const fields = head && [head.origin, head.size, Buffer.from(head.root).toString('hex'), ...head.extensions].join('\n');
    requireSame(fields, referenceCheckpoint(reference.text), bytes);
    return 'accepted';
  },
};

/** A note whose signature's name has any one character in it. */
function oddName(random: Random): Uint8Array {
  const odd = random.oneIn(2)
    ? random.pick(SPACES)
    : random.pick([random.below(0x80), random.below(0xd800), 0x10000 + random.below(0x1000)]);
  const name = `a${String.fromCodePoint(odd)}${random.pick(['', 'b'])}`;
  return new TextEncoder().encode(`text\n\n\u2014 ${name} ${Buffer.from(random.bytes(8)).toString('base64')}\n`);
}

function inputFrom(random: Random): Uint8Array {
  const seed = random.pick(seeds);
  const kind = random.below(8);
  if (kind === 0) return seed;
  if (kind === 1) return oddName(random);
  return kind < 4 ? mutateBytes(seed, random) : mutateLines(seed, random);
}

/** What notes are made of, on its own. */
function compareTexts(random: Random): void {
  const length = random.pick([0, 1, 2, 3, 4, 31, 32, 33]);
  const encoded = Buffer.from(random.bytes(length)).toString(random.pick(['base64', 'base64url']));
  const text = Buffer.from(mutateBytes(Buffer.from(encoded), random)).toString('latin1');
  for (const tried of [encoded, text, text.trim(), `${text}=`]) {
    const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex');
    requireSame(hex(unlessRefused(() => decodeBase64(tried), [NoteError])), hex(referenceBase64(tried)), tried);
    requireSame(
      hex(unlessRefused(() => decodeBase64Url(tried), [StatementError])),
      hex(referenceBase64(tried, 'base64url')),
      tried,
    );
  }
  const digits = random.pick([
    '',
    '0',
    '00',
    '1',
    '18446744073709551615',
    '18446744073709551616',
    '９',
    '+1',
    '1 ',
    String(random.below(2 ** 31)),
  ]);
  requireSame(
    unlessRefused(() => parseDecimal(digits, 'x'), [NoteError]),
    referenceDecimal(digits),
    digits,
  );
  const bytes = Uint8Array.from([...(random.oneIn(4) ? [0xef, 0xbb, 0xbf] : []), ...random.bytes(random.below(6))]);
  const shown = Buffer.from(bytes).toString('utf8');
  const isValid = Buffer.from(shown, 'utf8').equals(bytes);
  requireSame(
    unlessRefused(() => decodeUtf8(bytes), [NoteError]),
    isValid ? shown : undefined,
    bytes,
  );
}
