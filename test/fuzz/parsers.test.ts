import { parseTlogProof } from '@treering/evidence';
import { formatEntryBundle, parseEntryBundle, parseTilePath, tilePath } from '@treering/merkle';
import {
  createSigner,
  formatCheckpoint,
  formatNote,
  formatSignerKey,
  formatVerifierKey,
  KEY_TYPE,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseSignerKey,
  parseVerifierKey,
} from '@treering/note';
import { decodeRecord, encodeRecord, formatManifest, parseHeader, parseManifest, recordFromJson } from '@treering/record';
import {
  createStatementSigner,
  decodeCbor,
  encodeCbor,
  encodeCoseKey,
  issueReceipt,
  parseCoseKey,
  parseDsse,
  parseReceipt,
  parseStatement,
  signStatement,
} from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mutate, randomFrom } from './mutate.js';

// Every parser of untrusted bytes against mutations of what it accepts: it answers, quickly, with a value or with an error that
// has a stable code. The random numbers are seeded, so that a failure can be repeated.

const ROUNDS = 3000;
/** Milliseconds for one input; a machine that is busy may take long, a parser that does not end takes for ever. */
const SLOW = 2000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const seed = new Uint8Array(32).fill(3);
const logKey = createSigner('fuzz.test/log', KEY_TYPE.ed25519, seed);
const text = formatCheckpoint({ origin: 'fuzz.test/log', size: 77n, root: new Uint8Array(32).fill(4), extensions: [] });
const note = formatNote({ text, signatures: [logKey.sign(text)] });
const witness = formatVerifierKey(createSigner('w.test', KEY_TYPE.ed25519Cosignature, new Uint8Array(32).fill(5)).key);
const signer = createStatementSigner(new Uint8Array(32).fill(6));
const digest = new Uint8Array(32).fill(9);
const record = encodeRecord({
  v: 1,
  type: 'incident',
  subject: 'incident/1',
  reason: 'A record to be changed at random.',
  severity: 'low',
  aware_at: 1,
  affected: [digest],
});
const { entry } = await signStatement({ iss: 'a/identity/b', sub: 'incident/1', iat: 1_700_000_000 }, record, signer);
const receipt = await issueReceipt({ iss: 'a', sub: 'b' }, { size: 2, index: 1, path: [digest] }, digest, signer);
const json = '{"v":1,"type":"freeze","subject":"freeze/a","reason":"Stop everything here.","on":"model/*"}';
const dsse = '{"payloadType":"text/plain","payload":"aGVsbG8=","signatures":[{"keyid":"k","sig":"aGVsbG8="}]}';
const tensors = '{"t":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"__metadata__":{"a":"b"}}';

/** A parser of text, given bytes. */
const ofText = (parse: (text: string) => unknown) => (bytes: Uint8Array) => parse(decoder.decode(bytes));

function parseJsonView(bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    throw Object.assign(new Error('no JSON'), { code: 'json/malformed' });
  }
  return recordFromJson(value as Parameters<typeof recordFromJson>[0]);
}

const parsers: Record<string, [(bytes: Uint8Array) => unknown, Uint8Array | string]> = {
  'note and checkpoint': [(bytes) => parseCheckpoint(parseNote(bytes).text), note],
  'verifier key': [ofText(parseVerifierKey), formatVerifierKey(logKey.key)],
  'signer key': [ofText(parseSignerKey), formatSignerKey(logKey.key, seed)],
  policy: [ofText(parsePolicy), `witness w ${witness} https://w.test/\ngroup g any w\nquorum g\n`],
  'proof file': [parseTlogProof, `c2sp.org/tlog-proof@v1\nindex 7\n\n${decoder.decode(note)}`],
  'tile path': [ofText(parseTilePath), tilePath({ level: 1, index: 1_234_067, width: 17 })],
  'entry bundle': [(bytes) => parseEntryBundle(bytes, 2), formatEntryBundle([entry, record])],
  CBOR: [(bytes) => decodeCbor(bytes), encodeCbor({ a: [1, -2, 'x', null, true], b: { c: digest } })],
  statement: [parseStatement, entry],
  receipt: [parseReceipt, receipt],
  'COSE key': [parseCoseKey, encodeCoseKey(signer.key)],
  record: [decodeRecord, record],
  'record in JSON': [parseJsonView, json],
  DSSE: [parseDsse, dsse],
  manifest: [
    parseManifest,
    formatManifest('m', [
      { name: 'a', digest },
      { name: 'b/c', digest },
    ]),
  ],
  'safetensors header': [(bytes) => parseHeader(bytes, 16), tensors],
};

for (const [name, [parse, accepted]] of Object.entries(parsers)) {
  test(`${name}: ${ROUNDS} mutations are answered, with a value or with a coded error`, () => {
    const original = typeof accepted === 'string' ? encoder.encode(accepted) : accepted;
    parse(original);
    const random = randomFrom(20_260);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = mutate(original, random);
      const what = `round ${round}, ${Buffer.from(bytes).toString('hex')}`;
      const started = performance.now();
      try {
        parse(bytes);
      } catch (error) {
        refused++;
        const { code } = error as { code?: unknown };
        assert.ok(typeof code === 'string' && /^[a-z]+\/[a-z-]+$/.test(code), `${what}: ${String(error)}`);
      }
      assert.ok(performance.now() - started < SLOW, `${what}: too slow`);
    }
    assert.ok(refused > ROUNDS / 4, `${refused} refused: the mutations do not reach the checks`);
  });
}

test.run();
