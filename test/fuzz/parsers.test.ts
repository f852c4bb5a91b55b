import { createCipheriv, scryptSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AttestationError,
  decodeEvent,
  decodeEvidence,
  encodeEvent,
  encodeEvidence,
  parseQuote,
  parseTpmSignature,
} from '@treering/attestation';
import {
  decodeDecision,
  decodeItem,
  encodeDecision,
  parseAlarmProof,
  parseTlogProof,
  signAlarmProof,
} from '@treering/evidence';
import { GovernanceError, restoreState, saveState } from '@treering/governance';
import { formatEntryBundle, parseEntryBundle, parseTilePath, tilePath } from '@treering/merkle';
import {
  createSigner,
  formatCheckpoint,
  formatMirrorInfo,
  formatNote,
  formatSignerKey,
  formatVerifierKey,
  KEY_TYPE,
  parseCheckpoint,
  parseMirrorInfo,
  parseNote,
  parsePolicy,
  parseSignerKey,
  parseVerifierKey,
} from '@treering/note';
import {
  decodeRecord,
  encodeRecord,
  formatManifest,
  type PolicyBody,
  parseHeader,
  parseManifest,
  recordFromJson,
} from '@treering/record';
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
import { UsageError } from '../../apps/cli/src/exit.js';
import { readPolicyFile } from '../../apps/cli/src/policy-file.js';
import { evidenceOf } from '../../packages/attestation/test/made-quote.js';
import { claimsOf, ForeignError, IN_TOTO_PAYLOAD, parseBundle, parseInToto } from '../../packages/foreign/src/index.js';
import { enrolment, governedLog, incident, party } from '../../packages/governance/test/governed-log.js';
import { decryptKey, KeyError, parsePkcs11Uri } from '../../packages/keys/src/index.js';
import { mutate, randomFrom } from './mutate.js';

// Every parser of untrusted bytes against mutations of what it accepts: it answers, quickly, with a value or with an error that
// has a stable code. The random numbers are seeded, so that a failure can be repeated.

const ROUNDS = 3000;
/** Milliseconds for one input; a machine that is busy may take long, a parser that does not end takes for ever. */
const SLOW = 2000;
const PACK_HEADER = {
  v: 1,
  origin: 'log.test/fuzz',
  question: { subjects: ['deploy/**'], from: 1, to: 2, attachments: 'public' },
  left_out: { earlier: 0, later: 1, about: 2 },
};
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
const alarmProof = await signAlarmProof(
  {
    v: 1,
    log: { origin: 'fuzz.test/log', vkeys: [] },
    kind: 'fork',
    heads: [note, note],
    contained: { root: digest, proof: [digest] },
  },
  { observer: 'm.test', observedAt: 1_700_000_000 },
  signer,
);
const attested = evidenceOf();
const receipt = await issueReceipt({ iss: 'a', sub: 'b' }, { size: 2, index: 1, path: [digest] }, digest, signer);
const json = '{"v":1,"type":"freeze","subject":"freeze/a","reason":"Stop everything here.","on":"model/*"}';
const dsse = '{"payloadType":"text/plain","payload":"aGVsbG8=","signatures":[{"keyid":"k","sig":"aGVsbG8="}]}';
const tensors = '{"t":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"__metadata__":{"a":"b"}}';

/** A parser of text, given bytes. */
const ofText = (parse: (text: string) => unknown) => (bytes: Uint8Array) => parse(decoder.decode(bytes));

const statementOf = (change: object): string =>
  JSON.stringify({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'model', digest: { sha256: '09'.repeat(32) } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    ...change,
  });
const bundle = (material: object): string =>
  JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { tlogEntries: [], ...material },
    dsseEnvelope: JSON.parse(dsse),
  });
const uri = 'pkcs11:token=Log;object=log%2Fkey;id=%01%ff?module-path=/usr/lib/m.so&pin-source=file:/run/pin';

/** An encrypted key file of the least cost that is read, so that thousands can be tried. */
function encryptedKey(): string {
  const plain = formatSignerKey(logKey.key, seed);
  const salt = new Uint8Array(16).fill(7);
  const nonce = new Uint8Array(12).fill(8);
  const head = `ENCRYPTED+KEY+${logKey.key.name}+${logKey.key.id}+10+${Buffer.from(salt).toString('base64')}`;
  const cipher = createCipheriv('aes-256-gcm', scryptSync('passphrase', salt, 32, { N: 1024, r: 8, p: 1 }), nonce);
  const sealed = [nonce, cipher.setAAD(Buffer.from(head)).update(plain), cipher.final(), cipher.getAuthTag()];
  return `${head}+${Buffer.concat(sealed).toString('base64')}`;
}

const folder = mkdtempSync(join(tmpdir(), 'treering-fuzz-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const policyFile = `rules:
  - { name: all, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: supplier, who: { issuer: 'https://a.test' }, may: [foreign], on: [model/*] }
issuers:
  - { issuer: 'https://a.test', keys: ["${formatVerifierKey(logKey.key)}"] }
  - issuer: https://b.test
    keys:
      - |
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        -----END PUBLIC KEY-----
approvals:
  - { on: model/*, need: 1, roles: [approver], not_author: true, within: 604800 }
`;

function parsePolicyFile(bytes: Uint8Array): Promise<unknown> {
  const path = join(folder, 'policy.yaml');
  writeFileSync(path, bytes);
  return readPolicyFile(path);
}

/** A state of which every kind of thing that is remembered has one. */
async function snapshot(): Promise<Uint8Array> {
  const [ada, eve] = [party('ada', 41), party('eve', 42)];
  const rules: PolicyBody['rules'] = [
    { name: 'all', who: { roles: ['administrator'] }, may: ['*'], on: ['**'], grants: ['engineer'] },
  ];
  const log = await governedLog([ada], { rules });
  await log.log(ada, enrolment(eve, ['engineer']));
  await log.log(ada, incident('incident/1'));
  await log.log(ada, { type: 'freeze', subject: 'freeze/a', on: 'config/*' });
  return saveState(log.state);
}

function parseJsonView(bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    throw Object.assign(new Error('no JSON'), { code: 'json/malformed' });
  }
  return recordFromJson(value as Parameters<typeof recordFromJson>[0]);
}

type ErrorClass = abstract new (...args: never[]) => Error;

/** A parser, what it accepts and, where it says so, the classes of error that it answers with. */
type Target = [(bytes: Uint8Array) => unknown, Uint8Array | string, ...ErrorClass[]];

const parsers: Record<string, Target> = {
  'note and checkpoint': [(bytes) => parseCheckpoint(parseNote(bytes).text), note],
  'verifier key': [ofText(parseVerifierKey), formatVerifierKey(logKey.key)],
  'signer key': [ofText(parseSignerKey), formatSignerKey(logKey.key, seed)],
  policy: [ofText(parsePolicy), `witness w ${witness} https://w.test/\ngroup g any w\nquorum g\n`],
  'proof file': [parseTlogProof, `c2sp.org/tlog-proof@v1\nindex 7\n\n${decoder.decode(note)}`],
  'proof of an alarm': [parseAlarmProof, alarmProof],
  'tile path': [ofText(parseTilePath), tilePath({ level: 1, index: 1_234_067, width: 17 })],
  'entry bundle': [(bytes) => parseEntryBundle(bytes, 2), formatEntryBundle([entry, record])],
  'what a mirror says of itself': [parseMirrorInfo, formatMirrorInfo({ size: 700n, next: 512n, ticket: digest })],
  CBOR: [(bytes) => decodeCbor(bytes), encodeCbor({ a: [1, -2, 'x', null, true], b: { c: digest } })],
  'item of a pack': [decodeItem, encodeCbor([0, PACK_HEADER])],
  decision: [decodeDecision, encodeDecision({ id: 'case-1', at: 1, outcome: 'denied', salt: new Uint8Array(16) })],
  'quote of a TPM': [parseQuote, attested.quote, AttestationError],
  'signature of a TPM': [parseTpmSignature, attested.signature, AttestationError],
  'measured event': [decodeEvent, encodeEvent(attested.events[0]), AttestationError],
  'evidence of an attestation': [decodeEvidence, encodeEvidence(attested), AttestationError],
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
  'Sigstore bundle with a key': [parseBundle, bundle({ publicKey: { hint: 'k' } }), ForeignError],
  'Sigstore bundle with certificates': [
    parseBundle,
    bundle({ x509CertificateChain: { certificates: [{ rawBytes: 'aGVsbG8=' }] } }),
    ForeignError,
  ],
  'in-toto statement': [parseInToto, statementOf({}), ForeignError],
  'claims of an in-toto statement': [
    (payload) => claimsOf({ payload, payloadType: IN_TOTO_PAYLOAD }),
    formatManifest('m', [{ name: 'a', digest }]),
    ForeignError,
  ],
  'PKCS #11 URI': [ofText(parsePkcs11Uri), uri, KeyError],
  'encrypted key': [ofText((text) => decryptKey(text, 'passphrase')), encryptedKey(), KeyError],
  'policy file': [parsePolicyFile, policyFile, UsageError],
  'governance snapshot': [restoreState, await snapshot(), GovernanceError],
};

/** Fails unless the parser answers these bytes as it should. True when it refused them. */
async function refused([parse, , ...classes]: Target, bytes: Uint8Array, round: number): Promise<boolean> {
  const what = `round ${round}, ${Buffer.from(bytes).toString('hex')}`;
  const started = performance.now();
  let thrown: unknown;
  try {
    await parse(bytes);
  } catch (error) {
    thrown = error;
    const { code } = error as { code?: unknown };
    assert.ok(typeof code === 'string' && /^[a-z]+\/[a-z-]+$/.test(code), `${what}: ${String(error)}`);
    const documented = classes.length === 0 || classes.some((kind) => error instanceof kind);
    assert.ok(documented, `${what}: ${String(error)}`);
  }
  assert.ok(performance.now() - started < SLOW, `${what}: too slow`);
  return thrown !== undefined;
}

for (const [name, target] of Object.entries(parsers)) {
  const [parse, accepted] = target;
  const original = typeof accepted === 'string' ? encoder.encode(accepted) : accepted;

  test(`${name}: ${ROUNDS} mutations are answered, with a value or with a coded error`, async () => {
    await parse(original);
    const random = randomFrom(20_260);
    let count = 0;
    for (let round = 0; round < ROUNDS; round++) if (await refused(target, mutate(original, random), round)) count++;
    assert.ok(count > ROUNDS / 4, `${count} refused: the mutations do not reach the checks`);
  });

  test(`${name}: random bytes are answered in the same way`, async () => {
    const random = randomFrom(20_261);
    for (let round = 0; round < ROUNDS / 10; round++) {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 300) }, () => Math.floor(random() * 256));
      await refused(target, bytes, round);
    }
  });
}

test.run();
