import type { Random } from './random.js';

/** What stands between fields, and what looks as if it did. */
const ODD = [
  '\r',
  '\t',
  '\u0000',
  '\u001b[2J',
  '\u0085',
  '\u00a0',
  '\u2028',
  '\u202e',
  '\u200b',
  '\ufeff',
  '  ',
  '+',
  '—',
  '\ud83d\ude00',
  'é',
  'e\u0301',
  '\u007f',
];
const NUMBERS = [
  '0',
  '00',
  '01',
  '-1',
  '+1',
  ' 1',
  '1 ',
  '1e3',
  '0x10',
  '１',
  '9007199254740991',
  '9007199254740993',
  '18446744073709551615',
  '18446744073709551616',
  '9'.repeat(4000),
  '',
];
/** Lines that mean something in YAML. */
const YAML = [
  '&a [*a, *a]',
  '*a',
  '<<: *a',
  '!!js/function "x"',
  '!!binary AAA=',
  '? [a, b]\n: c',
  '---',
  '...',
  '%YAML 1.1',
  '- - - -',
  '{a: {b: {c: [',
  '__proto__: {x: 1}',
  'a: |\n  x',
  'a: >-',
  '\t- x',
  'x: 1_000',
  'x: 0o17',
  'x: .inf',
  'x: ~',
  'x: yes',
  'x: 2001-01-01',
];

/** Lines repeated, left out, exchanged or changed within: for notes, keys, policies and files of settings. */
export function mutateLines(seed: Uint8Array, random: Random): Uint8Array {
  const lines = new TextDecoder('utf-8', { ignoreBOM: true }).decode(seed).split('\n');
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const at = random.below(lines.length);
    switch (random.below(8)) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(at, 0, lines[at] ?? '');
        break;
      case 2:
        lines.splice(at, 0, '');
        break;
      case 3: {
        const other = random.below(lines.length);
        [lines[at], lines[other]] = [lines[other], lines[at]];
        break;
      }
      case 4:
        if (random.oneIn(3))
          lines.splice(at, 0, ...new Array<string>(random.pick([2, 63, 64, 65, 256, 257])).fill(lines[at] ?? ''));
        break;
      default:
        lines[at] = changeLine(lines[at] ?? '', random);
    }
  }
  return new TextEncoder().encode(lines.join(random.oneIn(20) ? '\r\n' : '\n'));
}

/** The same, with what means something in YAML put between. */
export function mutateYaml(seed: Uint8Array, random: Random): Uint8Array {
  if (random.oneIn(2)) return mutateLines(seed, random);
  const lines = new TextDecoder().decode(seed).split('\n');
  const at = random.below(lines.length + 1);
  const indent = ' '.repeat(random.pick([0, 0, 2, 4]));
  if (random.oneIn(6))
    lines.splice(
      at,
      0,
      `${indent}x: ${random.pick(['[', '{a: ', '- '].map((open) => open.repeat(random.pick([10, 200, 2000]))))}`,
    );
  else lines.splice(at, random.below(2), `${indent}${random.pick(YAML)}`);
  const mutant = lines.join('\n');
  // Aliases of aliases: a few lines that stand for millions of items.
  const bomb = Array.from(
    { length: 9 },
    (_, i) => `b${i}: &b${i} [${new Array<string>(9).fill(i === 0 ? 'x' : `*b${i - 1}`).join(', ')}]`,
  ).join('\n');
  return new TextEncoder().encode(random.oneIn(30) ? `${bomb}\n${mutant}` : mutant);
}

function changeLine(line: string, random: Random): string {
  const fields = line.split(/(?<=[ +/])|(?=[ +/])/);
  const at = random.below(fields.length);
  const field = fields[at] ?? '';
  const place = random.below(field.length + 1);
  const kind = random.below(7);
  if (kind === 0) fields.splice(at, 1);
  else if (kind === 1) fields.splice(at, 0, field);
  else if (kind === 2) fields[at] = random.pick(NUMBERS);
  else if (kind === 3) fields[at] = `${field.slice(0, place)}${random.pick(ODD)}${field.slice(place)}`;
  else if (kind === 4) fields[at] = otherBase64(field, random);
  else if (kind === 5) fields[at] = field.toUpperCase() === field ? field.toLowerCase() : field.toUpperCase();
  else fields[at] = field.slice(0, place);
  return fields.join('');
}

/** Another spelling of the same or nearly the same bytes. */
function otherBase64(field: string, random: Random): string {
  switch (random.below(5)) {
    case 0:
      return field.replace(/=+$/, '');
    case 1:
      return `${field}=`;
    case 2:
      return field.replace(/.(?==*$)/, (last) => String.fromCharCode(last.charCodeAt(0) + 1));
    case 3:
      return field.replaceAll('+', '-').replaceAll('/', '_');
    default:
      return Buffer.from(random.bytes(random.pick([0, 1, 4, 31, 32, 33, 64, 76, 2428]))).toString('base64');
  }
}
