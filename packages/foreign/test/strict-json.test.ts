import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseStrictJson } from '../src/strict-json.js';

const read = (text: string): unknown => parseStrictJson(new TextEncoder().encode(text));

test('whatever JSON.stringify writes is read as it is', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 1), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assert.equal(read(text), JSON.parse(text));
    }),
  );
});

const SAME = [
  '{"a":1}',
  '{"a":{"a":1},"b":{"a":2}}',
  '[{"a":1},{"a":1}]',
  '{"a":"a","b":"a"}',
  '{"a":["b","b",{"c":1}],"b":1}',
];
for (const text of [...SAME, '{"a":"\\\\","b":"\\"a\\":1,","a\\"":1}', '{"__proto__":1,"constructor":2,"":3}', '"{"', '[]'])
  test(`${text} has no name twice`, () => assert.equal(read(text), JSON.parse(text)));

for (const text of [
  '{"a":1,"a":1}',
  '{"a":1,"b":{},"a":2}',
  '{"a":1,"\\u0061":2}',
  '[[{"x":{"a":[],"a":{}}}]]',
  '{"__proto__":1,"__proto__":2}',
  '{ "a" : "}" , "a" : "{" }',
  '{"":1,"":2}',
  '{"a":[{"b":1},{"c":",\\""}],"a":1}',
])
  test(`${text} has a name twice`, () => assert.throws(() => read(text), /there twice/));

test('a name put a second time anywhere is found', () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1, maxKeys: 5 });
  fc.assert(
    fc.property(object, fc.nat(), fc.jsonValue(), (value, at, more) => {
      const members = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}:${JSON.stringify(item)}`);
      const again = `${JSON.stringify(Object.keys(value)[at % members.length])}:${JSON.stringify(more)}`;
      assert.throws(() => read(`[{${[...members, again].join(',')}}]`), /there twice/);
    }),
  );
});

test('length does no harm, and what is nested deeply is refused, however much stack there is', () => {
  const deep = (depth: number, open = '[', close = ']') => `${open.repeat(depth)}1${close.repeat(depth)}`;
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ]) {
    assert.ok(read(deep(128, open, close)));
    for (const depth of [129, 5000])
      assert.throws(() => read(deep(depth, open, close)), /more than 128 objects and lists lie in one another/);
  }
  assert.ok(read(`[${'[1],'.repeat(5000)}1]`), 'side by side there may be many');
  const wide = `{${Array.from({ length: 50_000 }, (_, i) => `"n${i}":${i}`).join(',')}}`;
  assert.is(Object.keys(read(wide) as object).length, 50_000);
});

test.run();
