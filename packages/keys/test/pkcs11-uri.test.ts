import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KeyError, parsePkcs11Uri } from '../src/index.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const LEAST = 'pkcs11:object=k?module-path=/m.so';
/** What the least URI says. */
const LEAST_READ = {
  module: '/m.so',
  token: undefined,
  serial: undefined,
  object: 'k',
  id: undefined,
  pinSource: undefined,
};

function refuses(uri: string, message: RegExp): KeyError {
  let thrown: unknown;
  try {
    parsePkcs11Uri(uri);
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) assert.unreachable(`${uri} was read`);
  assert.instance(thrown, KeyError, `${uri}: ${thrown}`);
  const error = thrown as KeyError;
  assert.is(error.code, 'key/malformed', uri);
  assert.match(error.message, message, uri);
  return error;
}

test('every attribute is read', () => {
  const path = 'token=Log;serial=0123abcd;object=log.example;id=%01%ff;type=private';
  assert.equal(parsePkcs11Uri(`pkcs11:${path}?module-path=/usr/lib/m.so&pin-source=file:/run/pin`), {
    module: '/usr/lib/m.so',
    token: 'Log',
    serial: '0123abcd',
    object: 'log.example',
    id: Uint8Array.of(1, 255),
    pinSource: '/run/pin',
  });
});

test('a library and the label or the id of a key are enough', () => {
  assert.equal(parsePkcs11Uri(LEAST), LEAST_READ);
  assert.equal(parsePkcs11Uri('pkcs11:id=%00?module-path=/m.so'), { ...LEAST_READ, object: undefined, id: Uint8Array.of(0) });
});

test('the order of attributes does not matter', () => {
  const attributes = ['token=t', 'object=k', 'id=%02'];
  const read = parsePkcs11Uri(`pkcs11:${attributes.join(';')}?module-path=/m.so&pin-source=/p`);
  assert.equal(parsePkcs11Uri(`pkcs11:${attributes.reverse().join(';')}?pin-source=/p&module-path=/m.so`), read);
});

test('percent signs stand before two hex digits of a byte, and text is UTF-8', () => {
  const { token, object, module } = parsePkcs11Uri('pkcs11:token=a%20b%3B%3d;object=log%2fk%C3%A9y?module-path=/a%26b%3f.so');
  assert.equal([token, object, module], ['a b;=', 'log/kéy', '/a&b?.so']);
  assert.equal(parsePkcs11Uri('pkcs11:id=a%2541%25?module-path=/m').id, utf8('a%41%'), 'decoded once');
  assert.is(parsePkcs11Uri('pkcs11:object=k;type=%70rivate?module-path=/m.so').object, 'k');
  for (const end of ['%', '%4', '%4g', '%g4', '%%41', '% 41', '%+4', '%u0041', 'a%'])
    refuses(`pkcs11:object=${end}?module-path=/m.so`, /two hex digits/);
});

test('an id is bytes, and every byte can be named', () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const encoded = [...all].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  assert.equal(parsePkcs11Uri(`pkcs11:id=${encoded}?module-path=/m.so`).id, all);
});

test('letters beyond ASCII that are not encoded never become other letters', () => {
  // U+0141 ends in the byte of "A", and RFC 7512 allows neither.
  for (const uri of ['pkcs11:object=\u0141?module-path=/m.so', 'pkcs11:id=\u0141?module-path=/m.so'])
    refuses(uri, /not understood/);
  for (const uri of ['pkcs11:object=k;token=é?module-path=/m.so', 'pkcs11:object=k?module-path=/m\u{1f511}.so'])
    refuses(uri, /not understood/);
});

test('a value may hold an equals sign and, in the query, what separates the path', () => {
  assert.is(parsePkcs11Uri('pkcs11:object=a=b?module-path=/m.so').object, 'a=b');
  assert.is(parsePkcs11Uri('pkcs11:object=k?module-path=/a;b=c?d.so').module, '/a;b=c?d.so');
  assert.is(parsePkcs11Uri('pkcs11:object=a&b?module-path=/m.so').object, 'a&b');
});

test('attributes that are not known are refused, and named', () => {
  for (const name of ['manufacturer', 'slot-id', 'library-version', 'x-vendor', 'Object', ' object', '%6fbject', 'module-path'])
    assert.ok(refuses(`pkcs11:object=k;${name}=v?module-path=/m.so`, /is not known/).message.includes(name), name);
  for (const name of ['module-name', 'object', 'x-vendor', 'Module-path', '__proto__', 'constructor'])
    assert.ok(refuses(`${LEAST}&${name}=v`, /is not known/).message.includes(name), name);
});

test('an attribute without a value sign, or an empty one between separators, is refused', () => {
  for (const path of ['object', 'object=k;', ';object=k', 'object=k;;token=t', 'object=k;token', ' '])
    refuses(`pkcs11:${path}?module-path=/m.so`, /is not known/);
  for (const query of ['&', 'pin-source', '=']) refuses(`${LEAST}&${query}`, /is not known/);
});

test('an attribute that stands there twice is refused, also with the same value', () => {
  for (const name of ['token', 'serial', 'object', 'id'])
    for (const value of ['a', 'b']) refuses(`pkcs11:${name}=a;${name}=${value};type=private?module-path=/m.so`, /twice/);
  refuses('pkcs11:object=k;type=private;type=private?module-path=/m.so', /twice/);
  for (const value of ['/m.so', '/other.so']) refuses(`${LEAST}&module-path=${value}`, /module-path stands there twice/);
  refuses(`${LEAST}&pin-source=/a&pin-source=/b`, /pin-source stands there twice/);
});

test('a PIN never stands in it, and no message repeats it', () => {
  for (const uri of [
    `${LEAST}&pin-value=4711`,
    'pkcs11:object=k?pin-value=4711&module-path=/m.so',
    'pkcs11:object=k;pin-value=4711?module-path=/m.so',
    'pkcs11:pin-value=4711',
    `${LEAST}&pin-value=`,
  ]) {
    const { message } = refuses(uri, /TREERING_PKCS11_PIN or pin-source/);
    assert.not.match(message, /4711/);
  }
});

test('a message repeats no value of an attribute that is not known', () => {
  for (const name of ['pin', 'PIN-VALUE', 'pin%2Dvalue'])
    assert.not.match(refuses(`${LEAST}&${name}=4711`, /is not known/).message, /4711/);
});

test('the source of the PIN is a file, with or without the scheme', () => {
  const pinSourceOf = (value: string) => parsePkcs11Uri(`${LEAST}&pin-source=${value}`).pinSource;
  assert.is(pinSourceOf('file:/run/pin'), '/run/pin');
  assert.is(pinSourceOf('/run/pin'), '/run/pin');
  assert.is(pinSourceOf('file:%2Frun%2Fmy%20pin'), '/run/my pin');
  assert.is(pinSourceOf('file:file:a'), 'file:a', 'one scheme is taken away');
});

test('only private keys are asked for', () => {
  for (const type of ['public', 'cert', 'secret-key', 'data', 'Private', ''])
    refuses(`pkcs11:object=k;type=${type}?module-path=/m.so`, /type is private/);
});

test('what names no library or no key is refused', () => {
  for (const uri of ['pkcs11:object=k', 'pkcs11:object=k?', 'pkcs11:object=k?pin-source=/p'])
    refuses(uri, /module-path=<library>/);
  for (const path of ['', 'token=t', 'token=t;serial=1;type=private'])
    refuses(`pkcs11:${path}?module-path=/m.so`, /object=<label> or id=<bytes>/);
  refuses('pkcs11:', /module-path/);
});

test('what is no such URI is refused', () => {
  for (const uri of [
    '',
    'pkcs11',
    'PKCS11:object=k?module-path=/m.so',
    ` ${LEAST}`,
    'file:/k',
    'pkcs12:object=k?module-path=/m.so',
  ])
    refuses(uri, /begins with pkcs11:/);
  refuses(`${LEAST}\n`, /not understood/);
});

test.run();
