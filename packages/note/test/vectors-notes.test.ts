import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../../../test/vectors.js';
import {
  createSigner,
  decodeBase64,
  decodeUtf8,
  ed25519CosignatureMessage,
  encodeUtf8,
  formatNote,
  formatVerifierKey,
  KEY_TYPE,
  openNote,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseSignatureLine,
  parseSignerKey,
  parseVerifierKey,
  portableEd25519,
} from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';
import { codeOf } from './fixtures.js';

const keyText = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';

test('the example key of the specification is read and written back', () => {
  const key = parseVerifierKey(keyText);
  assert.is(key.name, 'example.com/foo');
  assert.is(key.id, '530d903a');
  assert.is(key.type, KEY_TYPE.ed25519);
  assert.is(formatVerifierKey(key), keyText);
});

if (haveVectors) {
  const go = vectorJson('golang-mod-note/note.json');
  const spec = vectorJson('c2sp-spec-examples/examples.json');
  const real = vectorJson('real-checkpoints/checkpoints.json');
  const facts = vectorJson('formats-facts/facts.json');
  const weak = vectorJson('synthetic/weak-keys/ed25519-small-order.json');

  test('golang-mod-note: verifier keys', () => {
    assert.ok(go.vkeys.length > 0);
    for (const { vkey, verdict } of go.vkeys) {
      assert.is(verdict, 'accept');
      assert.is(formatVerifierKey(parseVerifierKey(vkey)), vkey);
    }
  });

  for (const ed25519 of [portableEd25519, nodeEd25519]) {
    test(`golang-mod-note: signing is byte-identical with ${ed25519.name}`, () => {
      const { name, type, seed } = parseSignerKey(go.sign.skey, ed25519);
      const signer = createSigner(name, type, seed, ed25519);
      const bytes = formatNote({ text: go.sign.text, signatures: [signer.sign(go.sign.text)] });
      assert.is(decodeUtf8(bytes), go.sign.signed_note);
    });

    for (const item of go.open) {
      test(`golang-mod-note: ${item.name}, ${ed25519.name}`, () => {
        const open = () => openNote(parseNote(encodeUtf8(item.note)), item.vkeys.map(parseVerifierKey), ed25519);
        if (item.verdict === 'reject') {
          assert.is(codeOf(open), item.why === 'malformed' ? 'note/malformed' : 'note/no-known-signature');
          return;
        }
        const note = open();
        assert.equal(
          note.verified.map((s) => s.name),
          item.verified,
        );
        assert.equal(
          note.unverified.map((s) => s.name),
          item.unverified,
        );
      });
    }
  }

  test('c2sp-spec-examples: the signed note opens, and no longer when one letter of it changes', () => {
    const { vkey, note } = spec.signed_note;
    const keys = [parseVerifierKey(vkey)];
    assert.is(openNote(parseNote(encodeUtf8(note)), keys).verified.length, 1);
    const changed = encodeUtf8(note.replace('example message', 'Example message'));
    assert.is(
      codeOf(() => openNote(parseNote(changed), keys)),
      'note/bad-signature',
    );
  });

  test('c2sp-spec-examples: the checkpoint parses', () => {
    const example = spec.checkpoint_parse_only;
    const note = parseNote(encodeUtf8(example.note));
    const checkpoint = parseCheckpoint(note.text);
    assert.is(checkpoint.origin, example.origin);
    assert.is(checkpoint.size, BigInt(example.size));
    assert.equal(checkpoint.root, decodeBase64(example.root_b64));
    assert.equal(checkpoint.extensions, []);
    assert.is(decodeUtf8(formatNote(note)), example.note);
  });

  test('c2sp-spec-examples: the message of an Ed25519 cosignature', () => {
    const { text } = parseNote(encodeUtf8(spec.checkpoint_parse_only.note));
    const { time, message } = spec.ed25519_cosignature_message;
    assert.is(decodeUtf8(ed25519CosignatureMessage(BigInt(time), text)), message);
  });

  real.forEach((item: { log: string; vkey: string | null; note: string; verdict: string }, i: number) => {
    test(`real-checkpoints ${i}: ${item.log}`, () => {
      const note = parseNote(encodeUtf8(item.note));
      const [origin, size] = item.note.split('\n');
      assert.is(parseCheckpoint(note.text).origin, origin);
      assert.is(parseCheckpoint(note.text).size, BigInt(size));
      assert.is(decodeUtf8(formatNote(note)), item.note);
      if (item.vkey === null) {
        assert.is(
          codeOf(() => openNote(note, [])),
          'note/no-known-signature',
        );
        return;
      }
      const key = parseVerifierKey(item.vkey);
      assert.equal(
        openNote(note, [key]).verified.map((s) => s.key),
        [key],
      );
      const other = { ...note, text: note.text.replace(`\n${size}\n`, `\n${size}0\n`) };
      assert.is(
        codeOf(() => openNote(other, [key])),
        'note/bad-signature',
      );
    });
  });

  for (const item of facts.policies.filter((p: { verdict: string }) => p.verdict === 'reject')) {
    test(`formats-facts: policy "${item.name}" is refused`, () => {
      assert.is(
        codeOf(() => parsePolicy(item.policy)),
        'note/bad-policy',
      );
    });
  }

  test('formats-facts: a policy with plain Ed25519 keys as witnesses gets a clean answer, and ours is no', () => {
    const tidy = facts.policies.find((p: { name: string }) => p.name === 'tidy');
    assert.is(tidy.verdict, 'either');
    assert.is(
      codeOf(() => parsePolicy(tidy.policy)),
      'note/bad-policy',
    );
  });

  for (const item of facts.checkpoints) {
    test(`formats-facts: checkpoint "${item.name}" is refused`, () => {
      assert.is(item.verdict, 'reject');
      assert.is(
        codeOf(() => parseCheckpoint(item.body)),
        'note/malformed',
      );
    });
  }

  test('formats-facts: where the time stands in an Ed25519 cosignature', () => {
    assert.ok(facts.cosignature.length > 0);
    for (const { sig_b64, timestamp } of facts.cosignature) {
      const { signature } = parseSignatureLine(`\u2014 witness.example ${sig_b64}`);
      assert.is(signature.length, 72);
      assert.is(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0), BigInt(timestamp));
    }
  });

  for (const item of facts.vkeys) {
    test(`formats-facts: ${item.vkey.slice(0, 40)} is ${item.verdict}ed`, () => {
      if (item.verdict === 'reject')
        assert.is(
          codeOf(() => parseVerifierKey(item.vkey)),
          'note/bad-key',
        );
      else assert.is(parseVerifierKey(item.vkey).type, Number(item.type));
    });
  }

  for (const item of weak.cases) {
    test(`weak-keys: ${item.pub_hex.slice(0, 16)}... is not loaded`, () => {
      assert.is(
        codeOf(() => parseVerifierKey(item.vkey)),
        'note/weak-key',
      );
    });

    test(`weak-keys: the note forged for ${item.pub_hex.slice(0, 16)}... does not open even for a key that was not checked`, () => {
      const [, id] = item.vkey.split('+');
      const key = {
        name: 'weak.example/log',
        id,
        type: KEY_TYPE.ed25519,
        publicKey: new Uint8Array(Buffer.from(item.pub_hex, 'hex')),
      };
      for (const ed25519 of [portableEd25519, nodeEd25519]) {
        assert.is(
          codeOf(() => openNote(parseNote(encodeUtf8(item.forged_note)), [key], ed25519)),
          'note/bad-signature',
        );
      }
    });
  }
}

test.run();
