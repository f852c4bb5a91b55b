import { createSigner, formatCheckpoint, formatNote, KEY_TYPE } from '@treering/note';
import { encodeRecord } from '@treering/record';
import { createStatementSigner, issueReceipt, signStatement } from '@treering/statement';

// What several targets start from; made of fixed keys, so that the same seed makes the same inputs.

export const DIGEST = new Uint8Array(32).fill(9);
export const ORIGIN = 'fuzz.test/log';
export const SEED = new Uint8Array(32).fill(3);
/** The time in whatever is signed, in seconds since the epoch. */
export const TIME = 1_700_000_000;

export const logKey = createSigner(ORIGIN, KEY_TYPE.ed25519, SEED);
export const datedKey = createSigner(ORIGIN, KEY_TYPE.mldsa44Cosignature, SEED);
export const witness = createSigner('w.test', KEY_TYPE.ed25519Cosignature, new Uint8Array(32).fill(5));
export const author = createStatementSigner(new Uint8Array(32).fill(6));

export const headText = formatCheckpoint({ origin: ORIGIN, size: 77n, root: new Uint8Array(32).fill(4), extensions: [] });
/** A head with one signature. */
export const note = formatNote({ text: headText, signatures: [logKey.sign(headText)] });
/** A head with a signature and both kinds of cosignatures. */
export const cosignedNote = formatNote({
  text: headText,
  signatures: [logKey.sign(headText), witness.sign(headText, BigInt(TIME)), datedKey.sign(headText, BigInt(TIME))],
});

export const record = encodeRecord({
  v: 1,
  type: 'incident',
  subject: 'incident/1',
  reason: 'A record to be changed at random.',
  severity: 'low',
  aware_at: 1,
  affected: [DIGEST],
});
export const statement = await signStatement({ iss: 'a/identity/b', sub: 'incident/1', iat: TIME }, record, author);
export const receipt = await issueReceipt({ iss: 'a', sub: 'b' }, { size: 2, index: 1, path: [DIGEST] }, DIGEST, author);
export const DSSE = '{"payloadType":"text/plain","payload":"aGVsbG8=","signatures":[{"keyid":"k","sig":"aGVsbG8="}]}';
