import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDataset } from '../src/dataset.js';
import { EvaluationError } from '../src/errors.js';
import { parseMapping } from '../src/mapping.js';
import { parseTolerance } from '../src/tolerance.js';
import { isError } from './answers.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const refuses = (content: string | Uint8Array, message: RegExp): void =>
  assert.throws(
    () => parseDataset(typeof content === 'string' ? bytes(content) : content),
    isError('evaluation/dataset', message),
  );

test('a data set has the digest of its bytes, and examples with ids', () => {
  const text =
    '{"input":{"a":[1]},"expected":"spam","slice":"night"}\n{"id":"x","input":null,"expected":true,"slice":["a","b","a"]}\r\n';
  const { digest, kind, examples } = parseDataset(bytes(text));
  assert.is(Buffer.from(digest).toString('hex'), createHash('sha256').update(text).digest('hex'));
  assert.is(kind, 'label');
  assert.equal(examples, [
    { id: 'line-1', input: { a: [1] }, expected: 'spam', slices: ['night'] },
    { id: 'x', input: null, expected: 'true', slices: ['a', 'b'] },
  ]);
  assert.is(parseDataset(bytes('{"input":1,"expected":2.5}')).kind, 'number');
});

test('what is no data set is refused, with the line', () => {
  const good = '{"input":1,"expected":"a"}\n';
  refuses('', /no example/);
  refuses(`${good}\n${good}`, /line 2 is empty/);
  refuses(`${good}{"input":1`, /line 2 is no JSON/);
  refuses(`${good}[1]\n`, /line 2: /);
  refuses('{"expected":"a"}\n', /line 1: input/);
  refuses('{"input":1}\n', /line 1: expected/);
  refuses('{"input":1,"expected":""}\n', /line 1: expected/);
  refuses('{"input":1,"expected":"a","label":"b"}\n', /line 1: .*label/);
  refuses('{"input":1,"expected":"a","slice":"a\\u202eb"}\n', /slice: must not hold control/);
  refuses(
    '{"id":"x","input":1,"expected":"a"}\n{"id":"x","input":2,"expected":"a"}\n',
    /line 2 has the id x, which line 1 has/,
  );
  refuses('{"id":"line-2","input":1,"expected":"a"}\n{"input":2,"expected":"a"}\n', /line 2 has the id line-2/);
  refuses('{"input":1,"expected":1}\n{"input":1,"expected":"1"}\n', /line 2 expects no number/);
  refuses(`${good}{"input":1,"expected":1}\n`, /line 2 expects a number/);
  refuses(Uint8Array.of(0xff, 0xfe), /no UTF-8/);
  refuses(`\ufeff${good}`, /line 1 is no JSON/);
  refuses(`{"input":"${'x'.repeat(1024 * 1024)}","expected":"a"}`, /line 1 is longer/);
});

test('what readers of JSON would change or take for something else is refused, with the line', () => {
  const good = '{"input":1,"expected":"a"}\n';
  const line = (input: string): string => `${good}{"input":${input},"expected":"a"}\n`;
  for (const number of ['12345678901234567890', '9007199254740992', '-9007199254740993', '1e400', '-1e400', '1e300', '1e-400'])
    for (const input of [number, `[${number}]`, `{"x":${number}}`])
      refuses(line(input), /line 2 has the number .*, which readers of JSON change/);
  refuses('{"input":1,"expected":1e400}\n', /line 1 has the number 1e400/);
  refuses('{"input":1,"expected":1e300}\n', /line 1 has the number 1e300/);
  refuses(`${good}{"input":1,"expected":"a","expected":"b"}\n`, /line 2 has the member "expected" twice/);
  refuses(line('[{"a":1,"\\u0061":2}]'), /line 2 has the member "a" twice/);
  refuses(line('{"a":{"b":1},"c":[1,{"d":2}],"a":3}'), /line 2 has the member "a" twice/);
  refuses(line('['.repeat(70) + ']'.repeat(70)), /line 2 is nested more than 64 deep/);
  refuses(line('['.repeat(400_000) + ']'.repeat(400_000)), /line 2 is nested more than 64 deep/);
  const fine = '{"a":[9007199254740991,-0.5e3,0,0.0e9,1e-300,"1e400","{\\"a\\":1,","\\\\"],"b":{"a":["a","a"]},"c":{"a":1}}';
  assert.equal(parseDataset(bytes(line(fine))).examples[1].input, JSON.parse(fine));
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (input) => {
      try {
        assert.equal(parseDataset(bytes(line(JSON.stringify(input)))).examples[1].input, JSON.parse(JSON.stringify(input)));
      } catch (error) {
        assert.match((error as Error).message, /which readers of JSON change/);
        assert.match(JSON.stringify(input), /[0-9]{16}|e[+-][0-9]/);
      }
    }),
  );
});

test('as many examples as can be measured in reasonable time, and no more', () => {
  const lines = (count: number): string => '{"input":1,"expected":"a"}\n'.repeat(count);
  assert.is(parseDataset(bytes(lines(50_000))).examples.length, 50_000);
  refuses(lines(50_001), /it has 50001 lines, and may have 50000/);
});

test('as many slices as a record can carry, and no more', () => {
  const lines = (count: number): string =>
    Array.from({ length: count }, (_, i) => `{"input":1,"expected":"a","slice":"s${i}"}\n`).join('');
  assert.is(parseDataset(bytes(lines(32))).examples.length, 32);
  refuses(lines(33), /33 slices, and may have 32/);
});

test('whatever is given to a parser, it is read or refused with an error of this package', () => {
  const calm = (parse: () => unknown): void => {
    try {
      parse();
    } catch (error) {
      assert.instance(error, EvaluationError);
    }
  };
  const line = fc.record(
    { id: fc.anything(), input: fc.json(), expected: fc.anything(), slice: fc.anything() },
    { requiredKeys: [] },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (content) => calm(() => parseDataset(content))));
  fc.assert(
    fc.property(fc.array(line), (lines) => calm(() => parseDataset(bytes(lines.map((one) => JSON.stringify(one)).join('\n'))))),
  );
  fc.assert(fc.property(fc.anything(), (value) => calm(() => parseMapping(value))));
  fc.assert(fc.property(fc.string(), (text) => calm(() => parseTolerance(`accuracy${text}`))));
});

test.run();
