import { encodeCbor } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EvidenceError, encodeItem, isPack, type PackItem, readPack } from '../src/index.js';
import { itemsOf, packOf } from './pack-items.js';
import { hospital, verified } from './pack-log.js';

const ward = await hospital();
const honest = await ward.log.pack({ subjects: ['deploy/prod/triage'], attachments: 'public' });
const items = await itemsOf(honest);
const MAGIC = honest.slice(0, 12);
const bstr = (content: Uint8Array): Uint8Array => encodeCbor(content);
const raw = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat([MAGIC, ...parts]));

async function refusal(pack: Uint8Array): Promise<string> {
  try {
    for await (const _ of readPack(pack));
  } catch (error) {
    if (error instanceof EvidenceError) return error.message;
    throw error;
  }
  return 'read';
}

/** The items with one of a kind changed, removed or put somewhere else. */
const [header, end] = [items[0], items[items.length - 1]];
const at = (kind: PackItem['kind']): number => items.findIndex((item) => item.kind === kind);
const without = (kind: PackItem['kind']): PackItem[] => items.filter((item) => item.kind !== kind);

test('items are read as they were written', async () => {
  assert.equal(packOf(items), honest);
  assert.ok(isPack(honest));
  assert.not(isPack(honest.slice(1)));
  assert.not(isPack(new Uint8Array(0)));
});

test('every end before the end is too early', async () => {
  for (let size = 0; size < honest.length; size += size < 3000 ? 1 : 97)
    assert.match(await refusal(honest.slice(0, size)), /cut short|does not begin/, `${size}`);
});

test('there is one order, and everything in it once', async () => {
  const gap = items[at('gap')];
  const four = [1, 2, 3, 4].map((byte): PackItem => ({ kind: 'head', note: Uint8Array.of(byte) }));
  const [attachment, absent] = [items[at('attachment')], items[at('absent')]];
  for (const [pack, message] of [
    [packOf(items.slice(1)), /does not begin with a header/],
    [packOf([header, ...items]), /header stands too late/],
    [packOf(without('head')), /do not end with a signed head/],
    [packOf([header, end]), /do not end with a signed head/],
    [packOf([...items.slice(0, at('gap')), gap, ...items.slice(at('gap'))]), /a gap follows a gap/],
    [packOf([...without('end'), { kind: 'mark' }, end]), /mark stands too late/],
    [packOf([...without('end'), attachment, end]), /not sorted, each once/],
    [packOf([...without('end'), absent, end]), /not sorted, each once/],
    [packOf([...items, end]), /bytes behind the end/],
    [packOf([...items.slice(0, at('head')), items[at('head')], ...items.slice(at('head'))]), /a head stands there twice/],
    [packOf([...items.slice(0, at('head')), ...four, ...items.slice(at('head'))]), /more than 3 heads stand at one place/],
    [raw(...items.map(encodeItem), Uint8Array.of(0)), /bytes behind the end/],
    [
      packOf([...items.slice(0, at('head')), { kind: 'mark' }, { kind: 'mark' }, ...items.slice(at('head'))]),
      /a mark follows a mark/,
    ],
  ] as const)
    assert.match(await refusal(pack), message);
});

test('what is no item is refused', async () => {
  const start = encodeItem(header);
  const bad = (...cbor: Parameters<typeof encodeCbor>[0][]): Uint8Array =>
    raw(start, ...cbor.map((one) => bstr(encodeCbor(one))));
  for (const [pack, message] of [
    [raw(Uint8Array.of(0xa0)), /is no byte string/],
    [raw(Uint8Array.of(0x5f)), /length of an item is malformed/],
    [raw(Uint8Array.of(0x5b, 0, 0, 0, 0, 0, 0, 0, 1)), /length of an item is malformed/],
    [raw(Uint8Array.of(0x58, 3), Uint8Array.of(0, 0, 0)), /longer than needed/],
    [raw(Uint8Array.of(0x59, 0, 30), new Uint8Array(30)), /longer than needed/],
    [raw(Uint8Array.of(0x5a, 0xff, 0xff, 0xff, 0xff)), /at most 1048576 are read/],
    [raw(start, Uint8Array.of(0x5a, 0xff, 0xff, 0xff, 0xff)), /at most \d+ are read/],
    [bad(7), /an item is no array/],
    [bad([99]), /kind that is not known/],
    [bad(['header']), /kind that is not known/],
    [bad([1]), /has 1 members, and not 0/],
    [bad([1, 'text']), /an entry must be 0 to 65535 bytes/],
    [bad([2, 0, new Uint8Array(32)]), /length of a gap is a number from 1 on/],
    [bad([2, 1, new Uint8Array(31)]), /hashes of a gap must be 32 to 3392 bytes/],
    [bad([3, new Uint8Array(0)]), /a head must be 1 to/],
    [bad([5, new Uint8Array(31), new Uint8Array(40)]), /a hash must be 32 bytes/],
    [bad([6, new Uint8Array(32), 'because']), /not said why/],
    [bad([7, 0, 0, new Uint8Array(1), new Uint8Array(32)]), /no list of hashes/],
    [raw(start, bstr(Uint8Array.of(0xff))), /this is no evidence pack/],
    [raw(bstr(encodeCbor([0, { v: 2 }]))), /the header, /],
    [raw(bstr(encodeCbor([0, 5]))), /the header, as a whole/],
  ] as const)
    assert.match(await refusal(pack), message);
});

test('a header says what it has to, and nothing else', async () => {
  const { header: known } = header as Extract<PackItem, { kind: 'header' }>;
  const { question } = known;
  for (const change of [
    { more: 1 },
    { v: 2 },
    { origin: '' },
    { left_out: { earlier: 0, later: 0 } },
    { left_out: { earlier: -1, later: 0, about: 0 } },
    { question: { ...question, subjects: ['b', 'a'] } },
    { question: { ...question, subjects: ['a', 'a'] } },
    { question: { ...question, subjects: ['A B'] } },
    { question: { ...question, attachments: 'all' } },
    { question: { ...question, from: -1 } },
    { question: { ...question, everything: false } },
  ]) {
    const changed = encodeCbor([0, { ...known, ...change } as never]);
    assert.match(await refusal(raw(bstr(changed))), /the header, /, JSON.stringify(change));
  }
});

test('the walk through the tree has to fit', async () => {
  for (const [changed, message] of [
    [
      items.map((item): PackItem => (item.kind === 'gap' ? { ...item, count: item.count + 1 } : item)),
      /has \d+ hashes|of \d+ entries/,
    ],
    [items.map((item): PackItem => (item.kind === 'gap' ? { ...item, count: 2 ** 53 - 1 } : item)), /larger than any/],
    [[header, { kind: 'mark' } as const, ...items.slice(1)], /position 0 is marked, and no entry names it/],
  ] as const) {
    const outcome = await verified(packOf(changed)).then(
      ({ claims }) => claims.find(({ name }) => name === 'included')?.text ?? '',
      (error: unknown) => (error instanceof EvidenceError ? error.message : String(error)),
    );
    assert.match(outcome, message);
  }
});

test('nothing is held that the file does not hold', async () => {
  // A pack that promises 32 MiB and ends costs what it has.
  const promise = raw(encodeItem(header), Uint8Array.of(0x5a, 0x01, 0xff, 0xff, 0xff), new Uint8Array(100));
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i++) assert.match(await refusal(promise), /cut short/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024);
});

test.run();
