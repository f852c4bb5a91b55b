const deep = (open: string, close: string, times: number): string => open.repeat(times) + close.repeat(times);

/** Bodies made of a good one, that some reader of JSON takes for something else. None of them may be taken for more than the good one. */
export function jsonAttacksOn(good: string): readonly (readonly [string, Uint8Array])[] {
  const inner = good.slice(1);
  const texts: readonly (readonly [string, string])[] = [
    ['__proto__ with members', `{"__proto__":{"polluted":true,"isAdmin":true},${inner}`],
    ['constructor and prototype', `{"constructor":{"prototype":{"polluted":true}},${inner}`],
    [
      '__proto__ alone',
      '{"__proto__":{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1"},"entity":"a","action":"b","data":{}}}',
    ],
    ['a member twice', `${good.slice(0, -1)},"kind":"X","entity":"x","request":{"uid":"other"}}`],
    ['an array', `[${good}]`],
    ['a string of JSON', JSON.stringify(good)],
    ['null', 'null'],
    ['a number', '1'],
    ['nothing', ''],
    ['white space', ' \n\t'],
    ['arrays in arrays', deep('[', ']', 100_000)],
    ['arrays that never end', '['.repeat(200_000)],
    ['objects in objects', deep('{"a":', '}', 30_000).replace(/:\}/, ':1}')],
    ['an object around objects', `{"x":${deep('[', ']', 100_000)},${inner}`],
    ['numbers beyond every bound', `{"x":[1e999,-1e999,1e-999,${'9'.repeat(400)}],${inner}`],
    ['NaN', `{"x":NaN,${inner}`],
    ['a number with a leading zero', `{"x":01,${inner}`],
    ['a comment', `{/* x */${inner}`],
    ['a comma too many', `${good.slice(0, -1)},}`],
    ['single quotes', good.replaceAll('"', "'")],
    ['something behind it', `${good}{}`],
    ['a NUL behind it', `${good}\0`],
    ['a byte order mark', `\ufeff${good}`],
    ['lone surrogates', `{"x":"\\ud800","\\udfff":1,${inner}`],
    ['control characters in a text', `{"x":"a\nb",${inner}`],
    ['a name of 100 KB', `{"${'x'.repeat(100_000)}":1,${inner}`],
    ['20,000 members', `{${Array.from({ length: 20_000 }, (_, i) => `"k${i}":0,`).join('')}${inner}`],
  ];
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  return [
    ...texts.map(([what, text]) => [what, bytes(text)] as const),
    ['UTF-16', new Uint8Array(Buffer.from(good, 'utf16le'))],
    ['bytes that are no UTF-8', Buffer.concat([bytes('{"x":"'), Uint8Array.of(0xc3, 0x28, 0xff), bytes(`",${inner}`)])],
    ['an overlong slash', Buffer.concat([bytes('{"x":"'), Uint8Array.of(0xc0, 0xaf), bytes(`",${inner}`)])],
  ];
}
