import {
  type AlarmProof,
  type Claim,
  decodeAlarmProof,
  decodeDecision,
  decodeItem,
  EvidenceError,
  encodeAlarmProof,
  encodeDecision,
  encodeItem,
  formatTlogProof,
  parseAlarmProof,
  parseTlogProof,
  readPack,
  signAlarmProof,
  verifyAlarmProof,
  verifyCoseReceipt,
  verifyPack,
  verifyTlogProof,
} from '@treering/evidence';
import { GovernanceError, type GovernanceState, restoreState, saveState } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import { formatVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { checkSignature, decodeCbor, encodeCbor, type SignatureCheck, StatementError } from '@treering/statement';
import { permit } from '../../../apps/admission/test/permits.js';
import { createSnapshotFile } from '../../../apps/log/src/snapshot.js';
import { verifyPermit } from '../../../packages/deployment/src/index.js';
import { author as evidenceAuthor, makeProof, makeStatement, policyWith } from '../../../packages/evidence/test/fixture.js';
import { hospital, logKeys, packPolicy } from '../../../packages/evidence/test/pack-log.js';
import { enrolment, governedLog, incident, party } from '../../../packages/governance/test/governed-log.js';
import { type Target, target } from '../target.js';
import { inFile, written } from './in-file.js';
import { author, DIGEST, logKey, note, ORIGIN, receipt, statement, TIME } from './samples.js';

const errors = [EvidenceError];
/** Bytes of memory: signatures are checked in plain JavaScript, with big integers. */
const SIGNATURES = 48 * 1024 * 1024;
const PACK_HEADER = {
  v: 1,
  origin: 'log.test/fuzz',
  question: { subjects: ['deploy/**'], from: 1, to: 2, attachments: 'public' },
  left_out: { earlier: 0, later: 1, about: 2 },
};
const alarm: AlarmProof = {
  v: 1,
  log: { origin: ORIGIN, vkeys: [formatVerifierKey(logKey.key)] },
  kind: 'fork',
  heads: [note, note],
  contained: { root: DIGEST, proof: [DIGEST] },
};
const alarmFile = await signAlarmProof(alarm, { observer: 'm.test', observedAt: TIME }, author);
const policy = policyWith('both');
const signed = await makeStatement();
const proof = makeProof({ entry: signed.entry });
/** Native speed; no signature is remembered, as there are new ones in every pack. */
const packTrust = {
  policy: packPolicy(),
  means: { checkSignature: (check: SignatureCheck) => checkSignature(check, nodeEd25519) },
  hasher: nodeHasher,
  ed25519: nodeEd25519,
};
const pack = await (await hospital(logKeys.slice(0, 1))).log.pack({ subjects: ['deploy/prod/triage'], attachments: 'public' });

/** The state of a log in which every kind of thing that is remembered has one. */
async function governance(): Promise<GovernanceState> {
  const [ada, eve] = [party('ada', 41), party('eve', 42)];
  const log = await governedLog([ada], {
    rules: [{ name: 'all', who: { roles: ['administrator'] }, may: ['*'], on: ['**'], grants: ['engineer'] }],
  });
  await log.log(ada, enrolment(eve, ['engineer']));
  await log.log(ada, incident('incident/1'));
  await log.log(ada, { type: 'freeze', subject: 'freeze/a', on: 'config/*' });
  return log.state;
}

/** A report is no parser: whatever it is about, it says so in claims. Refused is what does not hold. */
function claimsHold({ claims }: { readonly claims: readonly Claim[] }): void {
  const failed = claims.find(({ verdict }) => verdict === 'failed');
  if (failed !== undefined) throw new EvidenceError('evidence/malformed', failed.name);
}

async function readWhole(bytes: Uint8Array): Promise<number> {
  let items = 0;
  for await (const _ of readPack(bytes)) items++;
  return items;
}

/** What is not used of a file is as if there were none. */
const readSnapshot = inFile('snapshot', async (path) => {
  const read = createSnapshotFile(path).read();
  if (read === undefined) throw new EvidenceError('evidence/malformed', 'not used');
  return read;
});
const governed = await governance();
const state = saveState(governed);
const logSnapshot = await written(async (path) => {
  await createSnapshotFile(path).write({ size: 5, root: DIGEST, state: governed });
});

/** What a reader is given to verify, and the rules that are remembered. */
export const evidenceTargets: readonly Target[] = [
  target({
    name: 'proof-file',
    form: 'lines',
    parse: parseTlogProof,
    format: formatTlogProof,
    seeds: [proof, makeProof({ entry: signed.entry, extra: null })],
    errors,
  }),
  target({
    name: 'proof-file-verified',
    form: 'lines',
    parse: (bytes) => claimsHold(verifyTlogProof(bytes, { policy, signerKeys: [evidenceAuthor.key] })),
    seeds: [proof],
    errors,
    largest: 16_384,
    memory: SIGNATURES,
  }),
  target({
    name: 'permit-verified',
    form: 'lines',
    parse: (bytes) =>
      claimsHold(verifyPermit(bytes, { environment: 'prod', service: 'triage' }, { policy, signerKeys: [evidenceAuthor.key] })),
    seeds: [await permit({ iat: TIME })],
    errors,
    largest: 16_384,
    memory: SIGNATURES,
  }),
  target({
    name: 'alarm-proof',
    form: 'cbor',
    parse: parseAlarmProof,
    seeds: [alarmFile],
    errors: [EvidenceError, StatementError],
  }),
  target({
    name: 'alarm-proof-payload',
    form: 'cbor',
    parse: decodeAlarmProof,
    format: encodeAlarmProof,
    seeds: [encodeAlarmProof(alarm)],
    errors: [EvidenceError, StatementError],
  }),
  target({
    name: 'alarm-proof-verified',
    form: 'cbor',
    parse: async (bytes) =>
      (await verifyAlarmProof(bytes, { policy: { logs: [{ key: logKey.key }], witnesses: [], groups: [], quorum: 'none' } }))
        .claims.length,
    seeds: [alarmFile],
    errors,
    largest: 16_384,
    memory: SIGNATURES,
  }),
  target({
    name: 'receipt-verified',
    form: 'cbor',
    parse: (bytes) =>
      verifyCoseReceipt(bytes, { logs: [{ origin: 'a', key: author.key }], entry: statement.entry }).claims.length,
    seeds: [receipt],
    errors,
  }),
  target({
    name: 'decision',
    form: 'cbor',
    parse: decodeDecision,
    format: encodeDecision,
    seeds: [encodeDecision({ id: 'case-1', at: 1, outcome: 'denied', salt: new Uint8Array(16) })],
    errors,
  }),
  target({
    name: 'pack-item',
    form: 'cbor',
    parse: decodeItem,
    format: (item) => decodeCbor(encodeItem(item)) as Uint8Array,
    seeds: [encodeCbor([0, PACK_HEADER]), encodeCbor([1, statement.entry]), encodeCbor([7, 3, 1, DIGEST, [DIGEST]])],
    errors,
  }),
  target({ name: 'pack', form: 'bytes', parse: readWhole, seeds: [pack], errors }),
  target({
    name: 'pack-verified',
    form: 'bytes',
    parse: async (bytes) => claimsHold(await verifyPack(bytes, packTrust)),
    seeds: [pack],
    errors,
  }),
  target({ name: 'governance-state', form: 'cbor', parse: restoreState, seeds: [state], errors: [GovernanceError] }),
  target({ name: 'log-snapshot', form: 'bytes', parse: readSnapshot, seeds: [logSnapshot], errors }),
];
