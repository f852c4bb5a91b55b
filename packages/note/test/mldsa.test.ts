import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CosignedSubtree,
  createSigner,
  formatNote,
  formatVerifierKey,
  hex,
  KEY_TYPE,
  MLDSA44_PUBLIC_KEY_SIZE,
  MLDSA44_SIGNATURE_SIZE,
  mldsa44CosignatureMessage,
  openCheckpoint,
  openNote,
  parseNote,
  parseVerifierKey,
  portableEd25519,
  verifyMldsa44,
} from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';
import { checkpoint, checkpointText, codeOf, ORIGIN, seed, signedBy, signer } from './fixtures.js';

const NAME = 'pq.example/w1';
const pq = signer(NAME, KEY_TYPE.mldsa44Cosignature);
const log = signer(ORIGIN);
const tree: CosignedSubtree = { origin: ORIGIN, start: 0n, end: 20n, hash: checkpoint.root };

test('the message of a cosignature, byte for byte', () => {
  const message = mldsa44CosignatureMessage('w', 0x0102030405060708n, {
    origin: 'log',
    start: 0n,
    end: 0x1122n,
    hash: checkpoint.root,
  });
  assert.is(
    hex(message),
    `737562747265652f76310a00${'01'}77${'0102030405060708'}${'03'}6c6f67${'0000000000000000'}${'0000000000001122'}${hex(checkpoint.root)}`,
  );
  const subtree = mldsa44CosignatureMessage('w', 0n, { ...tree, start: 8n, end: 12n });
  assert.is(subtree.length, 12 + 2 + 8 + 1 + ORIGIN.length + 16 + 32);
  assert.is(hex(subtree).slice(-(16 + 32) * 2, -64), '0000000000000008000000000000000c');
});

test('names count in bytes of UTF-8: 1 to 255', () => {
  const message = mldsa44CosignatureMessage('é'.repeat(127), 0n, tree);
  assert.is(message[12], 254);
  for (const name of ['', 'é'.repeat(128), 'x'.repeat(256)]) {
    assert.is(
      codeOf(() => mldsa44CosignatureMessage(name, 0n, tree)),
      'note/malformed',
    );
    assert.is(
      codeOf(() => mldsa44CosignatureMessage('w', 0n, { ...tree, origin: name })),
      'note/malformed',
    );
  }
});

test('a time is from 0 to 2^63 - 1, and 0 for a subtree beside the first leaf', () => {
  assert.is(
    codeOf(() => mldsa44CosignatureMessage('w', 2n ** 63n - 1n, tree)),
    undefined,
  );
  for (const time of [-1n, 2n ** 63n, 2n ** 64n])
    assert.is(
      codeOf(() => mldsa44CosignatureMessage('w', time, tree)),
      'note/malformed',
    );
  assert.is(
    codeOf(() => mldsa44CosignatureMessage('w', 1n, { ...tree, start: 16n })),
    'note/malformed',
  );
  assert.is(
    codeOf(() => mldsa44CosignatureMessage('w', 0n, { ...tree, start: 16n })),
    undefined,
  );
});

test('an index that does not fit in 64 bits, and a hash of another length, is refused and not cut', () => {
  assert.is(
    codeOf(() => mldsa44CosignatureMessage('w', 0n, { ...tree, end: 2n ** 64n - 1n })),
    undefined,
  );
  for (const end of [-1n, 2n ** 64n, 2n ** 64n + 20n]) {
    assert.is(
      codeOf(() => mldsa44CosignatureMessage('w', 0n, { ...tree, end })),
      'note/malformed',
      `end ${end}`,
    );
  }
  for (const length of [0, 31, 33]) {
    assert.is(
      codeOf(() => mldsa44CosignatureMessage('w', 0n, { ...tree, hash: new Uint8Array(length) })),
      'note/malformed',
    );
  }
});

test('key, id and line have the layout of the specification', () => {
  const { publicKey, id } = pq.key;
  assert.is(publicKey.length, MLDSA44_PUBLIC_KEY_SIZE);
  const hashed = createHash('sha256').update(`${NAME}\n`).update(Uint8Array.of(6)).update(publicKey).digest('hex');
  assert.is(id, hashed.slice(0, 8));
  assert.equal(parseVerifierKey(formatVerifierKey(pq.key)), pq.key);
  const { signature } = pq.sign(checkpointText, 1_700_000_000n);
  assert.is(signature.length, 8 + MLDSA44_SIGNATURE_SIZE);
  assert.is(hex(signature.subarray(0, 8)), (1_700_000_000).toString(16).padStart(16, '0'));
  const message = mldsa44CosignatureMessage(NAME, 1_700_000_000n, tree);
  assert.is(verifyMldsa44(publicKey, message, signature.subarray(8)), true);
});

test('a cosigned checkpoint opens with its time', () => {
  const trust = { origin: ORIGIN, logKeys: [log.key], witnessKeys: [pq.key] };
  for (const time of [0n, 1n, 2n ** 63n - 1n]) {
    const opened = openCheckpoint(signedBy([log, pq], checkpointText, time), trust, nodeEd25519);
    assert.equal(
      opened.cosignatures.map((s) => [s.name, s.timestamp]),
      [[NAME, time]],
    );
  }
  assert.is(
    codeOf(() => pq.sign(checkpointText, 2n ** 63n)),
    'note/malformed',
  );
});

test('a log may sign with ML-DSA-44 alone', () => {
  const own = signer(ORIGIN, KEY_TYPE.mldsa44Cosignature);
  const opened = openCheckpoint(signedBy([own]), { origin: ORIGIN, logKeys: [own.key] });
  assert.is(opened.logSignatures[0].key, own.key);
});

test('whatever the message covers cannot change: name, time, origin, size, root', () => {
  const line = pq.sign(checkpointText, 5n);
  const open = (text: string, signature = line.signature, key = pq.key) =>
    codeOf(() => openNote({ text, signatures: [{ name: key.name, id: key.id, signature }] }, [key], nodeEd25519));
  assert.is(open(checkpointText), undefined);
  assert.is(open(checkpointText.replace(ORIGIN, 'log.example/tess')), 'note/bad-signature');
  assert.is(open(checkpointText.replace('\n20\n', '\n21\n')), 'note/bad-signature');
  const [origin, size] = checkpointText.split('\n');
  assert.is(open(`${origin}\n${size}\n${Buffer.from(seed('other root')).toString('base64')}\n`), 'note/bad-signature');
  const later = line.signature.slice();
  later[7] = 6;
  assert.is(open(checkpointText, later), 'note/bad-signature');
  const renamed = createSigner('pq.example/w2', KEY_TYPE.mldsa44Cosignature, seed(`${NAME} 6`)).key;
  assert.equal(renamed.publicKey, pq.key.publicKey);
  assert.is(open(checkpointText, line.signature, renamed), 'note/bad-signature', 'the message names the cosigner');
});

test('any flipped bit of the signature is refused', () => {
  const line = pq.sign(checkpointText, 5n);
  for (let i = 0; i < 60; i++) {
    const signature = line.signature.slice();
    const bit = (i * 331 + 7) % (signature.length * 8);
    signature[bit >> 3] ^= 1 << (bit & 7);
    const note = { text: checkpointText, signatures: [{ ...line, signature }] };
    assert.is(
      codeOf(() => openNote(note, [pq.key])),
      'note/bad-signature',
      `bit ${bit}`,
    );
  }
});

test('a signature of another length, or a time of 2^63 and more, is a bad signature', () => {
  const line = pq.sign(checkpointText, 5n);
  const late = line.signature.slice();
  late[0] = 0x80;
  for (const signature of [
    line.signature.subarray(0, -1),
    line.signature.subarray(8),
    Uint8Array.of(...line.signature, 0),
    late,
  ]) {
    assert.is(
      codeOf(() => openNote({ text: checkpointText, signatures: [{ ...line, signature }] }, [pq.key])),
      'note/bad-signature',
    );
  }
});

test('extension lines get no ML-DSA cosignature, and a line under one is refused: it would not cover them', () => {
  const extended = `${checkpointText}extension line\n`;
  assert.is(
    codeOf(() => pq.sign(extended, 5n)),
    'note/malformed',
  );
  const line = pq.sign(checkpointText, 5n);
  assert.is(
    codeOf(() => openNote({ text: extended, signatures: [line] }, [pq.key])),
    'note/bad-signature',
  );
  const classic = signer('w.example', KEY_TYPE.ed25519Cosignature);
  const opened = openNote(parseNote(signedBy([log, classic], extended)), [log.key, classic.key], nodeEd25519);
  assert.is(opened.verified.length, 2, 'an Ed25519 cosignature covers them and stays possible');
});

test('cosigning keys sign checkpoints only; the plain key signs any text', () => {
  for (const type of [KEY_TYPE.ed25519Cosignature, KEY_TYPE.mldsa44Cosignature]) {
    assert.is(
      codeOf(() => signer('w.example', type).sign('no checkpoint\n', 1n)),
      'note/malformed',
    );
  }
  assert.is(signer('w.example').sign('no checkpoint\n').signature.length, 64);
});

test('one name may have keys of three types; each line is checked by its own', () => {
  const types = [KEY_TYPE.ed25519, KEY_TYPE.ed25519Cosignature, KEY_TYPE.mldsa44Cosignature];
  const signers = types.map((type) => createSigner(NAME, type, seed('one seed for all'), portableEd25519));
  const bytes = formatNote({ text: checkpointText, signatures: signers.map((s) => s.sign(checkpointText, 9n)) });
  const opened = openNote(
    parseNote(bytes),
    signers.map((s) => s.key),
  );
  assert.equal(
    opened.verified.map((s) => [s.name, s.key.type, s.timestamp]),
    [
      [NAME, 1, undefined],
      [NAME, 4, 9n],
      [NAME, 6, 9n],
    ],
  );
  for (const [i, own] of signers.entries()) {
    const only = openNote(parseNote(bytes), [own.key]);
    assert.equal([only.verified.length, only.unverified.length], [1, 2]);
    const swapped = { ...own.sign(checkpointText, 9n), signature: signers[(i + 1) % 3].sign(checkpointText, 9n).signature };
    assert.is(
      codeOf(() => openNote({ text: checkpointText, signatures: [swapped] }, [own.key])),
      'note/bad-signature',
    );
  }
});

test.run();
