import {
  type ChangeRecord,
  decodeRecord,
  encodeRecord,
  formatManifest,
  headerLength,
  parseHeader,
  parseManifest,
  RecordError,
  recordFromJson,
  recordToJson,
} from '@treering/record';
import {
  attachReceipts,
  type CborInput,
  decodeCbor,
  encodeCbor,
  encodeCoseKey,
  fromJson,
  parseCoseKey,
  parseDsse,
  parseReceipt,
  parseSign1,
  parseStatement,
  readReceipts,
  StatementError,
} from '@treering/statement';
import { ALL_EXAMPLES } from '../../../packages/record/test/examples.js';
import { type Target, target } from '../target.js';
import { author, DIGEST, DSSE, receipt, record, statement } from './samples.js';
import { vectorBundles, vectorCbor, vectorCose } from './vector-inputs.js';

const errors = [StatementError];

/** A key without kid and algorithm is read from one encoding only; with them, it is the same key. */
function parseKey(bytes: Uint8Array): void {
  const key = parseCoseKey(bytes);
  const again = encodeCoseKey(key);
  const members = decodeCbor(bytes) as ReadonlyMap<number, unknown>;
  if (!members.has(2) && !members.has(3) && Buffer.compare(again, bytes) !== 0)
    throw new Error(`accepted, and written again it is ${Buffer.from(again).toString('hex')}`);
  if (Buffer.compare(parseCoseKey(again).x, key.x) !== 0) throw new Error('it is read as another key when it is written again');
}

const VALUES: readonly CborInput[] = [
  { a: [1, -2, 'x', null, true], b: { c: DIGEST } },
  new Map<number | string, CborInput>([
    [1, 'one'],
    [-1, 2 ** 53 - 1],
    ['ä', []],
  ]),
];

/** JSON, for parsers that take what `JSON.parse` gives. Its own error is none of theirs. */
const json = (bytes: Uint8Array): never => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as never;
  } catch {
    throw new StatementError('dsse/malformed', 'no JSON');
  }
};
const TENSORS = '{"t":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"__metadata__":{"a":"b"}}';
const RESOURCES = [
  { name: 'a', digest: DIGEST },
  { name: 'b/c', digest: DIGEST },
];

/** What is read of CBOR, COSE, envelopes and records. */
export const statementTargets: readonly Target[] = [
  target({
    name: 'cbor',
    form: 'cbor',
    parse: (bytes) => decodeCbor(bytes),
    format: encodeCbor,
    seeds: VALUES.map(encodeCbor),
    foreign: vectorCbor(),
    errors,
  }),
  target({
    name: 'cbor-any-order',
    form: 'cbor',
    parse: (bytes) => decodeCbor(bytes, { order: 'any', tags: [] }),
    seeds: VALUES.map(encodeCbor),
    foreign: vectorCbor(),
    errors,
  }),
  target({
    name: 'statement',
    form: 'cbor',
    parse: parseStatement,
    format: ({ entry }) => entry,
    seeds: [statement.entry],
    foreign: vectorCose(),
    errors,
  }),
  target({
    name: 'sign1',
    form: 'cbor',
    parse: (bytes) => parseSign1(bytes, 'any'),
    seeds: [statement.entry, receipt],
    foreign: vectorCose(),
    errors,
  }),
  target({ name: 'receipt', form: 'cbor', parse: parseReceipt, seeds: [receipt], foreign: vectorCose(), errors }),
  target({
    name: 'transparent-statement',
    form: 'cbor',
    parse: readReceipts,
    seeds: [attachReceipts(statement.entry, [receipt, receipt])],
    foreign: vectorCose(),
    errors,
  }),
  target({
    name: 'cose-key',
    form: 'cbor',
    parse: parseKey,
    seeds: [
      encodeCoseKey(author.key),
      encodeCbor(
        new Map<number, CborInput>([
          [1, 1],
          [2, Uint8Array.of(1, 2)],
          [3, -8],
          [-1, 6],
          [-2, author.key.x],
        ]),
      ),
    ],
    errors,
  }),
  target({ name: 'dsse', form: 'json', parse: parseDsse, seeds: [DSSE], foreign: vectorBundles(), errors }),
  target({
    name: 'json-view',
    form: 'json',
    parse: (bytes) => encodeCbor(fromJson(json(bytes))),
    seeds: ['{"a":{"$bytes":"AAAA"},"b":[1,{"$$bytes":"x"},null]}'],
    errors,
  }),
  target({
    name: 'record',
    form: 'cbor',
    parse: decodeRecord,
    format: (read: ChangeRecord) => encodeRecord(read),
    seeds: [record, ...ALL_EXAMPLES.map((example) => encodeRecord(example.record))],
    errors: [RecordError, StatementError],
  }),
  target({
    name: 'record-json',
    form: 'json',
    parse: (bytes) => recordFromJson(json(bytes)),
    seeds: ALL_EXAMPLES.map((example) => JSON.stringify(recordToJson(example.record))),
    errors: [RecordError, StatementError],
  }),
  target({
    name: 'manifest',
    form: 'json',
    parse: parseManifest,
    seeds: [formatManifest('m', RESOURCES)],
    errors: [RecordError],
  }),
  target({
    name: 'safetensors-header',
    form: 'json',
    parse: (bytes) => parseHeader(bytes, 16),
    seeds: [TENSORS],
    errors: [RecordError],
  }),
  target({
    name: 'safetensors-length',
    form: 'bytes',
    parse: headerLength,
    seeds: [Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0)],
    errors: [RecordError],
  }),
];
