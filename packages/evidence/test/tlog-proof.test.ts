import { encodeBase64, encodeUtf8 } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  EvidenceError,
  formatTlogProof,
  holds,
  parseTlogProof,
  REQUIRED_CLAIMS,
  type TlogProof,
  verifyTlogProof,
} from '../src/index.js';
import { makeProof, makeStatement, policyWith } from './fixture.js';

const HASH = encodeBase64(new Uint8Array(32).fill(9));
const CHECKPOINT = 'o\n1\nAAAA\n\n\u2014 o AAAAAAA=\n';

/** The code with which bytes or a text are refused. */
function refusal(file: Uint8Array | string): string | undefined {
  try {
    parseTlogProof(typeof file === 'string' ? encodeUtf8(file) : file);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return error.code;
  }
  return undefined;
}

test('what is formatted is read back, byte for byte', () => {
  const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
  const proofs = fc.record(
    {
      extra: fc.option(bytes(300), { nil: undefined }),
      index: fc.bigInt(0n, 2n ** 64n - 1n),
      hashes: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 64 }),
      checkpoint: fc.string({ unit: 'binary', maxLength: 300 }).map(encodeUtf8),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(proofs, (proof: TlogProof) => {
      const file = formatTlogProof(proof);
      const read = parseTlogProof(file);
      assert.equal(read, proof);
      assert.equal(formatTlogProof(read), file);
    }),
    { seed: 42, numRuns: 300 },
  );
});

test('any bytes are read to the same bytes again, or refused with an EvidenceError', () => {
  const lines = fc.array(
    fc.oneof(
      fc.constantFrom('c2sp.org/tlog-proof@v1', 'extra AAAA', 'index 3', HASH, '', 'index 03', 'extra ', CHECKPOINT),
      fc.string({ maxLength: 40 }),
    ),
    { maxLength: 9 },
  );
  let accepted = 0;
  fc.assert(
    fc.property(lines, fc.boolean(), (items, start) => {
      const file = encodeUtf8([...(start ? ['c2sp.org/tlog-proof@v1', 'index 7'] : []), ...items].join('\n'));
      if (refusal(file) !== undefined) return;
      accepted++;
      assert.equal(formatTlogProof(parseTlogProof(file)), file);
    }),
    { seed: 42, numRuns: 3000 },
  );
  assert.ok(accepted > 50, `only ${accepted} files were accepted`);
});

const good = `c2sp.org/tlog-proof@v1\nextra AAAA\nindex 7\n${HASH}\n\n${CHECKPOINT}`;
const spellings: Readonly<Record<string, string>> = {
  'empty file': '',
  'other version': good.replace('@v1', '@v2'),
  'space before the first line': ` ${good}`,
  'byte order mark': `\ufeff${good}`,
  'carriage returns': good.replaceAll('\n', '\r\n'),
  'no empty line': good.replace('\n\n', '\n').replace('\n\n', '\n'),
  'no index': good.replace('index 7\n', ''),
  'index twice': good.replace('index 7\n', 'index 7\nindex 7\n'),
  'extra after the index': good.replace('extra AAAA\nindex 7', 'index 7\nextra AAAA'),
  'extra twice': good.replace('extra AAAA\n', 'extra AAAA\nextra AAAA\n'),
  'index with a sign': good.replace('index 7', 'index +7'),
  'negative index': good.replace('index 7', 'index -7'),
  'index with a leading zero': good.replace('index 7', 'index 07'),
  'index in hex': good.replace('index 7', 'index 0x7'),
  'index with an exponent': good.replace('index 7', 'index 1e3'),
  'index with a space behind it': good.replace('index 7', 'index 7 '),
  'index with two spaces before it': good.replace('index 7', 'index  7'),
  'index without a number': good.replace('index 7', 'index '),
  'index of 2^64': good.replace('index 7', 'index 18446744073709551616'),
  'index in other digits': good.replace('index 7', 'index \u0667'),
  'hash of 31 bytes': good.replace(HASH, encodeBase64(new Uint8Array(31))),
  'hash of 33 bytes': good.replace(HASH, encodeBase64(new Uint8Array(33))),
  'hash in base64url': good.replace(HASH, encodeBase64(new Uint8Array(32).fill(255)).replaceAll('/', '_')),
  'hash without padding': good.replace(HASH, HASH.replace('=', '')),
  'hash with unused bits set': good.replace(HASH, HASH.replace(/.=$/, 'l=')),
  'hash with a space': good.replace(HASH, `${HASH} `),
  '65 hashes': good.replace(HASH, Array.from({ length: 65 }, () => HASH).join('\n')),
  'extra that is no base64': good.replace('AAAA', '!!!!'),
};

test('the example that the refused ones are made from is accepted', () => {
  assert.is(refusal(good), undefined);
  assert.is(refusal(good.replace(HASH, Array.from({ length: 64 }, () => HASH).join('\n'))), undefined);
});

for (const [name, text] of Object.entries(spellings)) {
  test(`refused: ${name}`, () => {
    assert.is.not(text, good);
    assert.is(refusal(text), 'evidence/malformed');
  });
}

test('refused: bytes that are no UTF-8', () => {
  const file = encodeUtf8(good);
  file[30] = 0xff;
  assert.is(refusal(file), 'evidence/malformed');
});

test('a file beyond one mebibyte is refused before it is read', () => {
  const padding = 'A'.repeat(1024 * 1024);
  assert.is(refusal(good.replace('AAAA', padding)), 'evidence/too-large');
});

test('a proof with any one bit flipped is refused or no longer proved', async () => {
  const { entry } = await makeStatement();
  const file = makeProof({ entry });
  const trust = { policy: policyWith('both'), ed25519: nodeEd25519 };
  assert.ok(holds(verifyTlogProof(file, trust).claims, REQUIRED_CLAIMS));
  for (let at = 0; at < file.length; at++) {
    const flipped = new Uint8Array(file);
    flipped[at] ^= 1 << (at % 8);
    let proved = false;
    try {
      proved = holds(verifyTlogProof(flipped, trust).claims, REQUIRED_CLAIMS);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
    }
    assert.not(proved, `byte ${at} of ${file.length} can be changed`);
  }
});

test('a proof cut off anywhere is refused or not proved', async () => {
  const { entry } = await makeStatement();
  const file = makeProof({ entry });
  const trust = { policy: policyWith('both'), ed25519: nodeEd25519 };
  for (let length = 0; length < file.length; length++) {
    let proved = false;
    try {
      proved = holds(verifyTlogProof(file.subarray(0, length), trust).claims, REQUIRED_CLAIMS);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
    }
    assert.not(proved, `the first ${length} of ${file.length} bytes prove it`);
  }
});

test.run();
