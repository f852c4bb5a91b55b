import { createCipheriv, randomBytes, scryptSync } from 'node:crypto';
import { createSigner, formatSignerKey, KEY_TYPE } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decryptKey, encryptKey, isEncrypted, KeyError, type KeyErrorCode } from '../src/index.js';

const PASSPHRASE = 'correct horse battery staple';
/** The least that is read: 2^10, a few milliseconds. */
const CHEAP = '10';
/** Where the sealed part begins, in front of which stand the cost and 24 characters of salt. */
const sealedAt = (text: string): number => text.indexOf('+10+') + 4 + 25;
const seed = new Uint8Array(32).fill(7);
const plainOf = (name: string): string => formatSignerKey(createSigner(name, KEY_TYPE.ed25519, seed).key, seed);

/** An encrypted key file made as the documentation says, for the line of a plain one. */
function sealedBy(passphrase: string, plain: string, logN = CHEAP): string {
  const [, , name, id] = plain.split('+');
  const [salt, nonce] = [randomBytes(16), randomBytes(12)];
  const head = `ENCRYPTED+KEY+${name}+${id}+${logN}+${salt.toString('base64')}`;
  const key = scryptSync(passphrase, salt, 32, { N: 2 ** Number(CHEAP), r: 8, p: 1 });
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(head));
  const ciphertext = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
  return `${head}+${Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString('base64')}`;
}

async function refuses(text: string, code: KeyErrorCode | RegExp, what: string, passphrase = PASSPHRASE): Promise<void> {
  let thrown: unknown;
  try {
    await decryptKey(text, passphrase);
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) assert.unreachable(`${what} was opened`);
  assert.instance(thrown, KeyError, `${what}: ${thrown}`);
  const error = thrown as KeyError;
  if (typeof code === 'string') assert.is(error.code, code, `${what}: ${error.message}`);
  else assert.match(error.code, code, `${what}: ${error.message}`);
  assert.not.ok(passphrase.trim() !== '' && error.message.includes(passphrase), `${what}: the message repeats the passphrase`);
}

test('a key of every type that signs comes back whole', async () => {
  for (const type of [KEY_TYPE.ed25519, KEY_TYPE.ed25519Cosignature, KEY_TYPE.mldsa44Cosignature]) {
    const { key } = createSigner('log.example/a', type, seed);
    const text = await encryptKey(key, seed, PASSPHRASE);
    assert.ok(isEncrypted(text));
    assert.equal(await decryptKey(text, PASSPHRASE), { name: 'log.example/a', type, seed });
  }
});

test('what is written is one line with name, id and 2^17, without the seed, and never the same twice', async () => {
  const { key } = createSigner('ada', KEY_TYPE.ed25519, seed);
  const [one, other] = [await encryptKey(key, seed, PASSPHRASE), await encryptKey(key, seed, PASSPHRASE)];
  for (const text of [one, other]) {
    const [, , name, id, logN, ...rest] = text.split(/\+(?=.*\+.*={0,2}$)/).slice(0, 5);
    assert.equal([name, id, logN, ...rest], ['ada', key.id, '17']);
    assert.not.match(text, /\s/);
    assert.not.ok(text.includes(Buffer.from(seed).toString('base64').slice(2, 40)));
  }
  const tail = (text: string): string => text.slice(text.indexOf('+17+') + 4);
  const [saltOf, nonceOf] = [(text: string) => tail(text).slice(0, 24), (text: string) => tail(text).slice(25, 41)];
  assert.is.not(saltOf(one), saltOf(other));
  assert.is.not(nonceOf(one), nonceOf(other));
});

test('a file that somebody else made as the documentation says is opened', async () => {
  const text = sealedBy(PASSPHRASE, plainOf('ada'));
  assert.equal(await decryptKey(text, PASSPHRASE), { name: 'ada', type: KEY_TYPE.ed25519, seed });
});

test('no other passphrase opens it', async () => {
  const text = sealedBy(PASSPHRASE, plainOf('ada'));
  const others = ['', ' ', PASSPHRASE.toUpperCase(), `${PASSPHRASE} `, PASSPHRASE.slice(1), `${PASSPHRASE}\n`];
  for (const other of others) await refuses(text, 'key/passphrase', JSON.stringify(other), other);
});

test('a passphrase is the same text however the keyboard composes it', async () => {
  const composed = 'für das Büro'.normalize('NFC');
  const text = sealedBy(composed, plainOf('ada'));
  assert.is((await decryptKey(text, composed.normalize('NFD'))).name, 'ada');
  await refuses(text, 'key/passphrase', 'without the marks', 'fur das Buro');
});

test('a passphrase of fewer than 8 characters is not taken, and not repeated', async () => {
  const { key } = createSigner('ada', KEY_TYPE.ed25519, seed);
  for (const short of ['', 'geheim7']) {
    try {
      await encryptKey(key, seed, short);
      assert.unreachable('was taken');
    } catch (error) {
      assert.instance(error, KeyError);
      assert.is((error as KeyError).code, 'key/passphrase');
      assert.not.match((error as KeyError).message, /geheim7/);
    }
  }
  assert.ok(isEncrypted(await encryptKey(key, seed, 'geheim78')));
});

test('no byte of it can be changed', async () => {
  // With a name of five letters the base64 fills its last character.
  const text = sealedBy(PASSPHRASE, plainOf('grace'));
  assert.not.match(text.slice(-1), /=/);
  for (let at = 0; at < text.length; at++) {
    for (const bit of [0x01, 0x20, 0x80]) {
      const bytes = Buffer.from(text, 'latin1');
      bytes[at] ^= bit;
      await refuses(bytes.toString('latin1'), /^key\/(malformed|passphrase)$/, `byte ${at} ^ ${bit}`);
    }
  }
  assert.is((await decryptKey(text, PASSPHRASE)).name, 'grace');
});

test('the sealed part has one spelling', async () => {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const bytesOf = (text: string): Buffer => Buffer.from(text.slice(sealedAt(text)), 'base64');
  for (const name of ['ada', 'carl']) {
    const text = sealedBy(PASSPHRASE, plainOf(name));
    const padding = /=+$/.exec(text)?.[0] ?? '';
    assert.ok(padding.length > 0, name);
    const body = text.slice(0, text.length - padding.length);
    const unused = body.slice(0, -1) + ALPHABET[ALPHABET.indexOf(body.slice(-1)) | 1];
    assert.is.not(unused, body);
    assert.equal(bytesOf(unused), bytesOf(body));
    await refuses(unused + padding, /^key\/(malformed|passphrase)$/, `${name}: unused bits`);
    await refuses(body, /^key\/(malformed|passphrase)$/, `${name}: no padding`);
    await refuses(body + (padding === '=' ? '==' : '='), /^key\/(malformed|passphrase)$/, `${name}: other padding`);
  }
  const filled = sealedBy(PASSPHRASE, plainOf('grace'));
  for (const more of ['A', '+', '=', '==']) await refuses(filled + more, /^key\/(malformed|passphrase)$/, `grace: ${more}`);
});

test('it is refused when any part of its end is missing, and with anything around it', async () => {
  const text = sealedBy(PASSPHRASE, plainOf('grace'));
  for (let length = 0; length < text.length; length++)
    await refuses(text.slice(0, length), /^key\/(malformed|passphrase)$/, `${length} characters`);
  for (const other of [`${text}\n`, ` ${text}`, `${text} `, `${text}\n${text}`, text.replace('KEY', 'key')])
    await refuses(other, 'key/malformed', JSON.stringify(other));
});

test('what the key derivation may cost is bounded, and refused before it begins', async () => {
  const text = sealedBy(PASSPHRASE, plainOf('ada'));
  const started = performance.now();
  for (const logN of ['21', '22', '31', '32', '53', '63', '64', '99'])
    await refuses(text.replace('+10+', `+${logN}+`), 'key/malformed', logN);
  for (const logN of ['0', '1', '9', '00', '09', '', '010', '100', '1024', '-1', '1.', '1e1', '٣٢', ' 10', '0x'])
    await refuses(text.replace('+10+', `+${logN}+`), 'key/malformed', logN);
  // 2^21 alone takes seconds, and two gigabytes.
  assert.ok(performance.now() - started < 1000);
});

test('the name, the id and the cost in front of it are authenticated', async () => {
  const text = sealedBy(PASSPHRASE, plainOf('ada'));
  const [, , , id] = text.split('+');
  const changes = { name: ['+ada+', '+eve+'], longer: ['+ada+', '+adam+'], id: [id, '00000000'], cost: ['+10+', '+11+'] };
  for (const [what, [from, to]] of Object.entries(changes)) await refuses(text.replace(from, to), 'key/passphrase', what);
  await refuses(sealedBy(PASSPHRASE, plainOf('ada'), '12'), 'key/passphrase', 'another cost than it says');
});

test('the salt and the sealed part of two files of one passphrase cannot be mixed', async () => {
  const [one, other] = [sealedBy(PASSPHRASE, plainOf('ada')), sealedBy(PASSPHRASE, plainOf('eve'))];
  const [end, salt] = [sealedAt(one), sealedAt(one) - 25];
  await refuses(one.slice(0, end) + other.slice(end), 'key/passphrase', 'the sealed part of eve');
  const mixed = one.slice(0, salt) + other.slice(salt, end) + one.slice(end);
  await refuses(mixed, 'key/passphrase', 'the salt of eve');
});

test('a content that is no key file is malformed', async () => {
  const good = plainOf('ada');
  const [, , , id] = good.split('+');
  for (const plain of [`x+x+ada+${id}`, good.replace(id, '00000000'), `${good}\n`])
    await refuses(sealedBy(PASSPHRASE, plain), 'key/malformed', JSON.stringify(plain.slice(0, 20)));
});

test('only what begins like an encrypted key file is one', () => {
  assert.is(isEncrypted('ENCRYPTED+KEY+'), true);
  for (const text of ['', 'ENCRYPTED+KEY', 'encrypted+key+ada', ' ENCRYPTED+KEY+ada', plainOf('ada')])
    assert.is(isEncrypted(text), false, text);
});

test.run();
