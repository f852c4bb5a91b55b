import type { Random } from '../random.js';
import type { Asked, Face } from './face.js';

const METHODS = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
const SEGMENTS = [
  '',
  '.',
  '..',
  '%2e%2e',
  '%2f',
  '%5c',
  '%00',
  '%',
  '%ff',
  '%0d%0a',
  'a'.repeat(3000),
  '000',
  'x001',
  '-1',
  '1e9',
  '9007199254740993',
  '__proto__',
  'constructor',
  'é',
  '٣',
  ';a=b',
  '*',
  'ab'.repeat(32),
];
const NAMES = [
  'leaf',
  'index',
  'size',
  'from',
  'to',
  'first',
  'second',
  'start',
  'end',
  'hash',
  'tree_size',
  'leaf_index',
  'limit',
  'before',
  'after',
  'prefix',
  'view',
  'entry',
  'all',
  'since',
  '__proto__',
  'wait',
];
const VALUES = [
  '',
  '0',
  '1',
  '2',
  '-1',
  '00',
  '1.5',
  '1e3',
  '9007199254740991',
  '9007199254740993',
  '18446744073709551616',
  'null',
  'json',
  'ab'.repeat(32),
  'AB'.repeat(32),
  '%ff',
  '%00',
  '%',
  '../..',
  'model/wink',
  'a'.repeat(3000),
  '[]',
  'commit',
];

/** A request without a meaning: any method, a path that is nearly one of the server's, any parameters. */
export function anyRequest({ paths }: Face, random: Random): Asked {
  const segments = random.pick(paths).split('/').slice(1);
  for (let changes = random.below(3); changes > 0; changes--) {
    const at = random.below(segments.length + 1);
    segments.splice(at, random.below(2), random.pick(SEGMENTS));
  }
  const pairs = Array.from({ length: random.below(4) }, () => `${random.pick(NAMES)}=${random.pick(VALUES)}`);
  const method = random.pick(METHODS);
  const query = pairs.length === 0 ? '' : `?${pairs.join('&')}`;
  const hasBody = !['GET', 'HEAD', 'OPTIONS'].includes(method);
  return {
    method,
    path: `/${segments.join('/')}${query}`,
    headers: headersFrom(random),
    ...(hasBody ? { body: random.bytes(random.below(40)) } : {}),
  };
}

const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ['Accept', ['application/json', 'application/cbor', '*/*', 'text/html;q=x', '']],
  ['Content-Type', ['application/json', 'application/cose', 'application/cbor-seq', 'text/plain', 'x', '']],
  ['Content-Encoding', ['gzip', 'identity', 'x']],
  ['Content-Length', ['0', '5', '-1', 'x', '99999999999999999999']],
  ['Authorization', ['Treering x', 'Bearer x', 'Treering', '']],
  ['If-None-Match', ['*', '"x"', 'W/"x"', ',,']],
  ['Range', ['bytes=0-1', 'bytes=-', 'x']],
  ['Last-Event-ID', ['0', '-1', 'x', '9007199254740993']],
  ['Accept-Encoding', ['gzip', 'gzip;q=0', '*;q=x']],
];

/** A few headers, with values that somebody may send. */
export function headersFrom(random: Random): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: random.below(3) }, () => random.pick(HEADERS)).map(([name, values]) => [name, random.pick(values)]),
  );
}
