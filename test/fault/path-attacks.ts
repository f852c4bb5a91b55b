/** What stands for a number that it is not, or for none. */
const NUMBERS = [
  '-1',
  '+1',
  '0x0',
  '1e0',
  '00',
  '1.0',
  '%20',
  '%200',
  '٠',
  '０',
  '%D9%A0',
  '%EF%BC%90',
  '',
  'NaN',
  'Infinity',
  '__proto__',
  'constructor',
  '9007199254740993',
  '18446744073709551616',
  '9'.repeat(400),
];

/** What leads out of a folder where a path is taken for one. */
const CLIMBS = [
  '..',
  '%2e%2e',
  '.%2e',
  '%252e%252e',
  '..%2f',
  '..%5c',
  '..\\',
  '%c0%ae%c0%ae',
  '%u002e%u002e',
  '....//',
  '..;',
  '..%00',
  '%2e%2e%2f',
];
const SECRET_FILES = ['etc/passwd', 'keys/log.key', 'log.db', 'package.json'];

/**
 * Targets that look like one path, made from it: other spellings, numbers that are none, and ways out of a folder. None of them is the
 * path itself.
 */
export function disguisesOf(path: string): readonly string[] {
  const segments = path.slice(1).split('/');
  const replaced = (at: number, segment: string): string => `/${segments.with(at, segment).join('/')}`;
  const each = segments.flatMap((segment, at) => [
    replaced(at, `./${segment}`),
    replaced(at, `x/../${segment}`),
    replaced(at, `x/%2e%2e/${segment}`),
    replaced(at, `/${segment}`),
    replaced(at, `${segment}\\`),
    replaced(at, `${segment}%00`),
    replaced(at, `${segment};a=b`),
    replaced(at, `${segment}%20`),
    replaced(at, `${segment}.`),
    replaced(at, segment.toUpperCase()),
    replaced(at, [...segment].map((letter) => `%25${letter.charCodeAt(0).toString(16)}`).join('')),
    ...(/\d/.test(segment)
      ? NUMBERS.flatMap((number) => [replaced(at, number), replaced(at, segment.replace(/\d+/, number))])
      : []),
    ...CLIMBS.flatMap((climb) => [
      replaced(at, climb),
      `/${[...segments.slice(0, at), climb, climb, climb, climb].join('/')}/etc/passwd`,
    ]),
  ]);
  const whole = [
    `${path}/`,
    `${path}//`,
    `/${path}`,
    `//x${path}`,
    `/.${path}`,
    path.replaceAll('/', '%2f'),
    path.replace(/(.)\//g, '$1%2f'),
    path.replace(/(.)\//g, '$1%5c'),
    path.replace(/(.)\//g, '$1\\'),
    path.replace(/(.)\//g, '$1%252f'),
    `${path}%0d%0aX:%20y`,
    `${path}%`,
    `${path}%zz`,
    `${path}%ff`,
    `${path}/../../../../../../etc/passwd`,
    ...SECRET_FILES.flatMap((file) => CLIMBS.map((climb) => `/${`${climb}/`.repeat(6)}${file}`)),
  ];
  return [...new Set([...each, ...whole])].filter((target) => target !== path);
}
