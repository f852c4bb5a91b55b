import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import type { Server } from './five-servers.js';

/** One thing that is sent to every server, and how it may be answered. */
export interface RequestAttack {
  readonly what: string;
  readonly bytes: (server: Server) => string | Uint8Array;
  /** Statuses of all answers on the connection, for example [400]; a list of lists where several are right. */
  readonly answers: readonly (readonly number[])[];
  /** Not sent to the mirror, whose bodies have no limit but the time that they take. */
  readonly bounded?: boolean;
}

const GET = 'GET /healthz HTTP/1.1\r\nHost: x\r\n';
/** What is hidden in a body or behind one: were it taken for a request, there would be a second answer. */
const SMUGGLED = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

function post({ post: path, type }: Server, lines: readonly string[], body = ''): string {
  return [`POST ${path} HTTP/1.1`, 'Host: x', `Content-Type: ${type}`, ...lines, '', body].join('\r\n');
}

const chunked = (server: Server, body: string, ...more: string[]): string =>
  post(server, ['Transfer-Encoding: chunked', ...more], body);

/** A body that could be taken in two ways is taken in none. */
const FRAMING: readonly (readonly [string, (server: Server) => string])[] = [
  ['Content-Length and Transfer-Encoding', (s) => chunked(s, `0\r\n\r\n${SMUGGLED}`, 'Content-Length: 5')],
  [
    'Transfer-Encoding and Content-Length',
    (s) => post(s, ['Content-Length: 5', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`),
  ],
  ['two lengths', (s) => post(s, ['Content-Length: 5', 'Content-Length: 6'], `abcdef${SMUGGLED}`)],
  ['one length twice', (s) => post(s, ['Content-Length: 5', 'Content-Length: 5'], `abcde${SMUGGLED}`)],
  ...['5, 6', '5,5', '+5', '-1', '0x5', '5.0', '5e0', '99999999999999999999', '', '٥'].map(
    (length): [string, (server: Server) => string] => [
      `the length ${JSON.stringify(length)}`,
      (s) => post(s, [`Content-Length: ${Buffer.from(length).toString('latin1')}`], `abcde${SMUGGLED}`),
    ],
  ),
  ...[
    'chunked, identity',
    'identity',
    'identity, chunked',
    'gzip, chunked',
    'xchunked',
    'chunked\x0b',
    '"chunked"',
    'chunked;q=1',
    'chunked\r\nTransfer-Encoding: identity',
    'chunked\r\nTransfer-Encoding: chunked',
  ].map((coding): [string, (server: Server) => string] => [
    `the coding ${JSON.stringify(coding)}`,
    (s) => post(s, [`Transfer-Encoding: ${coding}`], `0\r\n\r\n${SMUGGLED}`),
  ]),
  ['a space before the colon of the coding', (s) => post(s, ['Transfer-Encoding : chunked'], `0\r\n\r\n${SMUGGLED}`)],
  ['a tab before the colon of the length', (s) => post(s, ['Content-Length\t: 5'], `abcde${SMUGGLED}`)],
  ['a coding in HTTP/1.0', (s) => chunked(s, `0\r\n\r\n${SMUGGLED}`).replace('HTTP/1.1', 'HTTP/1.0')],
  ...['zz', '-1', '0x5', '5 ', ' 5', '+5', '', 'FFFFFFFFFFFFFFFFF', '5\n', ';'].map(
    (size): [string, (server: Server) => string] => [
      `a chunk of size ${JSON.stringify(size)}`,
      (s) => chunked(s, `${size}\r\nabcde\r\n0\r\n\r\n${SMUGGLED}`),
    ],
  ),
  ['a chunk without its end of line', (s) => chunked(s, `5\r\nabcdeX0\r\n\r\n${SMUGGLED}`)],
  ['a chunk that ends with a line feed alone', (s) => chunked(s, `5\nabcde\n0\n\n${SMUGGLED}`)],
];

/** Lines that a lenient parser would read otherwise. */
const LINES: readonly (readonly [string, string])[] = [
  ['line feeds alone', 'GET /healthz HTTP/1.1\nHost: x\n\n'],
  ['a line feed alone between headers', 'GET /healthz HTTP/1.1\r\nHost: x\nX: y\r\n\r\n'],
  ['a carriage return alone', 'GET /healthz HTTP/1.1\r\nHost: x\rX: y\r\n\r\n'],
  ['a folded line', `${GET} folded\r\n\r\n`],
  ['a space in front of the first header', 'GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n'],
  ['a space before the colon', 'GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n'],
  ['a header without a colon', `${GET}nothing\r\n\r\n`],
  ['a header without a name', `${GET}: nothing\r\n\r\n`],
  ['a NUL in a name', `${GET}X\0Y: z\r\n\r\n`],
  ['a NUL in a value', `${GET}X: y\0z\r\n\r\n`],
  ['a NUL in the target', 'GET /health\0z HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a space in the target', 'GET /health z HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n'],
  ['two Hosts', `${GET}Host: y\r\n\r\n`],
  ['one Host twice', `${GET}host: x\r\n\r\n`],
  ...['x y', 'x/../y', 'user@x', 'x:99999', 'x#y', 'x?y', '[::1', '%00', 'x\\y'].map((host): [string, string] => [
    `the Host ${JSON.stringify(host)}`,
    `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  ]),
  ['a target without a slash', 'GET healthz HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['the target *', 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a target of another scheme', 'GET ftp://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a method in lower case', 'get /healthz HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a method that there is not', 'FROBNICATE /healthz HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['HTTP/1.2', 'GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n'],
  ['HTTP/11', 'GET /healthz HTTP/11\r\nHost: x\r\n\r\n'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
];

const bomb = Buffer.alloc(16 * 1024 * 1024);
const quick = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const BOMBS: readonly (readonly [string, Buffer])[] = [
  ['gzip', gzipSync(bomb)],
  ['deflate', deflateSync(bomb)],
  ['br', brotliCompressSync(bomb, quick)],
];

/** Everything that is sent to every server. */
export const REQUEST_ATTACKS: readonly RequestAttack[] = [
  ...FRAMING.map(([what, bytes]): RequestAttack => ({ what, bytes, answers: [[400]] })),
  ...LINES.map(([what, bytes]): RequestAttack => ({ what, bytes: () => bytes, answers: [[400]] })),
  { what: 'HTTP/2.0 in a request of HTTP/1', bytes: () => 'GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n', answers: [[505]] },
  { what: 'HTTP/0.9', bytes: () => 'GET /healthz\r\n\r\n', answers: [[505]] },
  { what: 'TRACE', bytes: () => 'TRACE /healthz HTTP/1.1\r\nHost: x\r\n\r\n', answers: [[501]] },
  { what: 'CONNECT', bytes: () => 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n', answers: [[]] },
  ...['DELETE', 'PATCH', 'PROPFIND', 'OPTIONS', 'PUT'].map((method) => ({
    what: method,
    bytes: () => `${method} /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    answers: [[404]],
  })),
  {
    what: 'an expectation that nobody knows',
    bytes: () => `${GET}Expect: 200-maybe\r\nConnection: close\r\n\r\n`,
    answers: [[417]],
  },
  {
    what: 'an upgrade',
    bytes: () => `${GET}Connection: close, Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
    answers: [[200]],
  },
  {
    what: 'a target with another host in it',
    bytes: () => SMUGGLED.replace('/healthz', 'http://169.254.169.254/healthz'),
    answers: [[200]],
  },
  { what: 'a header of 17 KiB', bytes: () => `${GET}X: ${'a'.repeat(17 * 1024)}\r\n\r\n`, answers: [[431]] },
  { what: 'a target of 17 KiB', bytes: () => `GET /${'a'.repeat(17 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`, answers: [[431]] },
  { what: '65 headers', bytes: () => `${GET}${'X: y\r\n'.repeat(64)}\r\n`, answers: [[431]] },
  { what: '1,000 headers', bytes: () => `${GET}${'X: y\r\n'.repeat(1000)}\r\n`, answers: [[431]] },
  {
    what: 'an extension of a chunk of 17 KiB',
    bytes: (s) => chunked(s, `5;${'a'.repeat(17 * 1024)}\r\nabcde\r\n0\r\n\r\n`),
    answers: [[413]],
  },
  { what: 'two requests at once', bytes: () => `${GET}\r\n${SMUGGLED}`, answers: [[200, 200]] },
  {
    what: 'fifty requests at once',
    bytes: () => `${GET}\r\n`.repeat(49) + SMUGGLED,
    answers: [Array.from({ length: 50 }, () => 200)],
  },
  {
    what: 'a request in a body that is refused unread',
    bytes: (s) =>
      post(
        { ...s, type: 'text/html' },
        [`Content-Length: ${SMUGGLED.length}`, 'Content-Encoding: br', 'Connection: close'],
        SMUGGLED,
      ),
    answers: [[415]],
  },
  {
    what: 'a request behind a body that is shorter than it says, and one that is whole',
    bytes: (s) => post(s, ['Content-Length: 3'], `abc${SMUGGLED}`),
    answers: [
      [400, 200],
      [401, 200],
      [202, 200],
      [404, 200],
      [403, 200],
      [200, 200],
    ],
  },
  ...BOMBS.map(
    ([coding, body]): RequestAttack => ({
      what: `16 MiB in ${coding}`,
      bytes: (s) =>
        Buffer.concat([
          Buffer.from(post(s, [`Content-Encoding: ${coding}`, `Content-Length: ${body.length}`, 'Connection: close'])),
          body,
        ]),
      // The mirror takes gzip, and no more of what it unpacks to than it asks for.
      answers: [[415], [404], [400]],
    }),
  ),
  {
    what: 'a length beyond the limit, and nothing behind it',
    bytes: (s) => post(s, ['Content-Length: 99999999999', 'Expect: 100-continue']),
    answers: [[413]],
    bounded: true,
  },
  {
    what: 'a chunked body beyond the limit',
    bytes: (s) => chunked(s, `10000\r\n${'x'.repeat(0x10000)}\r\n`.repeat(Math.ceil(s.largest / 0x10000) + 1)),
    answers: [[413]],
    bounded: true,
  },
];
