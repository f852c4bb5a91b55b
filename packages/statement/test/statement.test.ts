import { createPublicKey, verify } from 'node:crypto';
import { nodeEd25519 } from '@treering/note/node';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CborInput,
  CborTag,
  coseKeyThumbprint,
  createStatementSigner,
  encodeCbor,
  MAX_STATEMENT_SIZE,
  parseSign1,
  parseStatement,
  type SignedStatement,
  StatementError,
  signStatement,
  twinOf,
  verifySign1,
} from '../src/index.js';
import { fromHex, toHex } from './cbor-values.js';
import { generateTestKey, slowSigner } from './ec-keys.js';
import { refuses, rejects } from './expect-error.js';

const signer = createStatementSigner(new Uint8Array(32).fill(7), nodeEd25519);
const kid = coseKeyThumbprint(signer.key);
const CLAIMS = { iss: 'log.example/identity/ada', sub: 'model/credit-score', iat: 1_760_000_000 };
const PAYLOAD = encodeCbor({ v: 1, type: 'freeze', reason: 'the quarter is closed' });

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const join = (...parts: readonly (string | Uint8Array)[]): Uint8Array =>
  fromHex(parts.map((part) => (typeof part === 'string' ? part : toHex(part))).join(''));

/** Bytes or text with the one or two byte head that lengths below 256 have. */
function short(major: 0x40 | 0x60, bytes: Uint8Array): Uint8Array {
  return bytes.length < 24 ? Uint8Array.of(major + bytes.length, ...bytes) : Uint8Array.of(major + 24, bytes.length, ...bytes);
}

test('a statement is read as it was signed', async () => {
  const made = await signStatement(CLAIMS, PAYLOAD, signer);
  const read = parseStatement(made.entry);
  assert.equal(read, made);
  const { iss, sub, iat, contentType } = read;
  assert.equal({ iss, sub, iat }, CLAIMS);
  assert.is(contentType, 'application/vnd.treering.record+cbor');
  assert.equal(read.kid, kid);
  assert.equal(read.payload, PAYLOAD);
  verifySign1(read.sign1, signer.key);
});

test('any claims and payload are read as they were signed', async () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(
      text,
      text,
      text,
      fc.maxSafeInteger(),
      fc.uint8Array({ maxLength: 300 }),
      async (iss, sub, contentType, n, payload) => {
        const iat = Math.abs(n);
        const read = parseStatement((await signStatement({ iss, sub, iat, contentType }, payload, signer)).entry);
        assert.equal([read.iss, read.sub, read.iat, read.contentType, read.payload], [iss, sub, iat, contentType, payload]);
        verifySign1(read.sign1, signer.key, { ed25519: nodeEd25519 });
      },
    ),
    { seed: 42, numRuns: 60 },
  );
});

test('the entry is d2 84, protected header, a0, payload, signature, byte for byte', async () => {
  const { entry } = await signStatement(CLAIMS, PAYLOAD, signer);
  const header = join(
    'a4',
    '0127',
    '03',
    short(0x60, utf8('application/vnd.treering.record+cbor')),
    '04',
    short(0x40, kid),
    '0f a3',
    '01',
    short(0x60, utf8(CLAIMS.iss)),
    '02',
    short(0x60, utf8(CLAIMS.sub)),
    '06 1a68e77800',
  );
  const signature = entry.slice(-64);
  assert.is(toHex(entry), toHex(join('d284', short(0x40, header), 'a0', short(0x40, PAYLOAD), '5840', signature)));
  const toBeSigned = join('84', short(0x60, utf8('Signature1')), short(0x40, header), '40', short(0x40, PAYLOAD));
  const publicKey = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(signer.key.x).toString('base64url') },
    format: 'jwk',
  });
  assert.ok(verify(null, toBeSigned, publicKey, signature), 'node:crypto verifies the signature over the hand-made structure');
});

test('keys on both NIST curves sign statements, and may take their time', async () => {
  for (const curve of ['P-256', 'P-384'] as const) {
    const key = generateTestKey(curve);
    const made = await signStatement(CLAIMS, PAYLOAD, slowSigner(key));
    const read = parseStatement(made.entry);
    assert.equal(read.kid, coseKeyThumbprint(key.key));
    verifySign1(read.sign1, key.key);
  }
});

test('an unprotected header is emptied: the entry is the same with it and without', async () => {
  const { entry } = await signStatement(CLAIMS, PAYLOAD, signer);
  const { protectedBytes, payload, signature } = parseSign1(entry);
  for (const unprotected of [
    new Map([[394, [Uint8Array.of(1, 2)]]]),
    { text: 'x'.repeat(70_000) },
    new Map<number | string, CborInput>([
      [33, PAYLOAD],
      ['a', [null]],
    ]),
  ]) {
    const received = encodeCbor(new CborTag(18, [protectedBytes, unprotected as CborInput, payload, signature]));
    assert.not.equal(received, entry);
    const read = parseStatement(received);
    assert.equal(read.entry, entry);
    assert.is(read.sign1.unprotectedHeader.size, 0);
    verifySign1(read.sign1, signer.key);
  }
});

test('the entry is a copy of its own', async () => {
  const bytes = (await signStatement(CLAIMS, PAYLOAD, signer)).entry.slice();
  const before = toHex(bytes);
  const { entry, payload } = parseStatement(bytes);
  bytes.fill(0);
  assert.is(toHex(entry), before);
  assert.equal(payload, PAYLOAD);
});

test('65,535 bytes are accepted, 65,536 are not', async () => {
  assert.is(MAX_STATEMENT_SIZE, 65_535);
  const overhead = (await signStatement(CLAIMS, new Uint8Array(60_000), signer)).entry.length - 60_000;
  const largest = await signStatement(CLAIMS, new Uint8Array(65_535 - overhead), signer);
  assert.is(largest.entry.length, 65_535);
  assert.is(parseStatement(largest.entry).entry.length, 65_535);
  await rejects(
    signStatement(CLAIMS, new Uint8Array(65_536 - overhead), signer),
    'statement/too-large',
    '65,536 bytes, signed',
  );
  const tooLarge = encodeCbor(
    new CborTag(18, [largest.sign1.protectedBytes, {}, new Uint8Array(65_536 - overhead), new Uint8Array(64)]),
  );
  assert.is(tooLarge.length, 65_536);
  refuses(() => parseStatement(tooLarge), 'statement/too-large', '65,536 bytes, read');
  await rejects(signStatement(CLAIMS, new Uint8Array(1_000_000), signer), 'statement/too-large', 'a megabyte');
});

test('claims that no statement can have are not signed', async () => {
  await rejects(signStatement({ ...CLAIMS, iss: '' }, PAYLOAD, signer), 'statement/malformed', 'an empty iss');
  await rejects(signStatement({ ...CLAIMS, iat: -1 }, PAYLOAD, signer), 'statement/malformed', 'a negative iat');
  await rejects(signStatement({ ...CLAIMS, iat: 1.5 }, PAYLOAD, signer), 'cbor/not-in-profile', 'half a second');
});

/** Parses and verifies, as the log does with what comes from outside. */
function admit(bytes: Uint8Array): SignedStatement {
  const statement = parseStatement(bytes);
  verifySign1(statement.sign1, signer.key, { ed25519: nodeEd25519 });
  return statement;
}

function mustRefuse(bytes: Uint8Array, what: string): void {
  let error: unknown;
  try {
    admit(bytes);
  } catch (thrown) {
    error = thrown;
  }
  if (error === undefined) assert.unreachable(`${what} was accepted`);
  assert.instance(error, StatementError, what);
}

test('every flipped bit makes parsing or verification fail', async () => {
  const { entry } = await signStatement(CLAIMS, PAYLOAD, signer);
  assert.equal(admit(entry).entry, entry);
  for (let bit = 0; bit < entry.length * 8; bit++) {
    const changed = entry.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    mustRefuse(changed, `bit ${bit}`);
  }
});

test('so does any changed byte, any byte left out and any byte added', async () => {
  const { entry } = await signStatement(CLAIMS, PAYLOAD, signer);
  fc.assert(
    fc.property(fc.nat({ max: entry.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = entry.slice();
      changed[at] ^= mask;
      mustRefuse(changed, `byte ${at} xor ${mask}`);
      mustRefuse(join(entry.subarray(0, at), entry.subarray(at + 1)), `without byte ${at}`);
      mustRefuse(join(entry.subarray(0, at), Uint8Array.of(mask), entry.subarray(at)), `with ${mask} at ${at}`);
      mustRefuse(entry.subarray(0, at), `the first ${at} bytes`);
    }),
    { seed: 42, numRuns: 400 },
  );
});

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The same message with the other of the two values of s that an ECDSA signature may have. */
function withOtherS({ protectedBytes, payload, signature }: SignedStatement['sign1']): Uint8Array {
  const s = BigInt(`0x${toHex(signature.subarray(32))}`);
  const other = fromHex((P256_ORDER - s).toString(16).padStart(64, '0'));
  return encodeCbor(new CborTag(18, [protectedBytes, {}, payload, Uint8Array.of(...signature.subarray(0, 32), ...other)]));
}

test('of the two signatures that hold for a record, one is read', async () => {
  const made = await signStatement(CLAIMS, PAYLOAD, slowSigner(generateTestKey('P-256')));
  refuses(() => parseStatement(withOtherS(made.sign1)), 'statement/malformed');
});

test('a foreign statement may have either value of s, and its twin is the one with the other', async () => {
  const claims = { ...CLAIMS, contentType: 'application/vnd.in-toto+json' };
  const made = await signStatement(claims, PAYLOAD, slowSigner(generateTestKey('P-256')));
  const other = parseStatement(withOtherS(made.sign1));
  assert.is(toHex(twinOf(made) as Uint8Array), toHex(other.entry));
  assert.is(toHex(twinOf(other) as Uint8Array), toHex(made.entry));
  const ed25519 = await signStatement(claims, PAYLOAD, createStatementSigner(new Uint8Array(32).fill(3)));
  assert.is(twinOf(ed25519), undefined);
});

test.run();
