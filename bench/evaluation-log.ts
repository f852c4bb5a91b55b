import { createSigner, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { type ChangeRecord, encodeRecord } from '@treering/record';
import { createStatementSigner, encodeCoseKey, signStatement } from '@treering/statement';

/** Name of the log that is measured. */
export const ORIGIN = 'bench.example/log';

const seed = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const admin = createStatementSigner(seed(8), nodeEd25519);
/** The key that signs its entries. */
export const adminKey = admin.key;
const digest = seed(0x2a);
const now = Math.floor(Date.now() / 1000);

/** The key that signs its heads. */
export const logKey = createSigner(ORIGIN, KEY_TYPE.ed25519, seed(7), nodeEd25519);

/** Entry `index` of the log: its charter, and then evaluations, about a thousand subjects or about as many as are named. */
export async function signedEntry(index: number, subjects = 1000): Promise<Uint8Array> {
  const record = recordOf(index, subjects);
  const claims = { iss: `${ORIGIN}/identity/admin`, sub: record.subject, iat: now };
  return (await signStatement(claims, encodeRecord(record), admin)).entry;
}

function recordOf(index: number, subjects: number): ChangeRecord {
  if (index === 0) {
    return {
      v: 1,
      type: 'charter',
      subject: 'charter',
      reason: 'A log to be measured begins.',
      origin: ORIGIN,
      log_keys: [formatVerifierKey(logKey.key)],
      administrators: [{ id: 'admin', key: encodeCoseKey(admin.key), roles: ['administrator'] }],
      threshold: 1,
      policy: { rules: [{ name: 'administrators', who: { roles: ['administrator'] }, may: ['*'], on: ['**'] }] },
      witnesses: [],
    };
  }
  return {
    v: 1,
    type: 'evaluation',
    subject: `evaluation/suite-${index % subjects}`,
    reason: `Nightly evaluation, run ${index}.`,
    model: digest,
    config: digest,
    suite: 'safety',
    dataset: digest,
    metrics: [{ name: 'refusal rate', value: '0.993' }],
    verdict: 'pass',
    tolerances: [],
  };
}
