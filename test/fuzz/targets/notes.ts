import {
  type Checkpoint,
  formatAddCheckpoint,
  formatCheckpoint,
  formatMirrorInfo,
  formatNote,
  formatSignatureLine,
  formatSignerKey,
  formatSignSubtree,
  formatVerifierKey,
  type Note,
  NoteError,
  openCheckpoint,
  parseAddCheckpoint,
  parseCheckpoint,
  parseMirrorInfo,
  parseNote,
  parsePolicy,
  parseSignatureLine,
  parseSignerKey,
  parseSignSubtree,
  parseVerifierKey,
} from '@treering/note';
import { readTrust } from '../../../packages/report/src/model/trust-text.js';
import { ofText, type Target, target } from '../target.js';
import { cosignedNote, DIGEST, datedKey, headText, logKey, note, SEED, witness } from './samples.js';
import { vectorAddCheckpoints, vectorKeys, vectorNotes } from './vector-inputs.js';

const errors = [NoteError];
const vkey = formatVerifierKey(witness.key);
const POLICY = `# a policy
log ${formatVerifierKey(logKey.key)} https://log.test/
witness w ${vkey} https://w.test/
group g any w
quorum g
`;
const trust = { origin: logKey.key.name, logKeys: [logKey.key, datedKey.key], witnessKeys: [witness.key] };

/** What the packages read of notes, keys, policies and the protocols of witnesses and mirrors. */
export const noteTargets: readonly Target[] = [
  target({
    name: 'note',
    form: 'lines',
    parse: parseNote,
    format: (read: Note) => formatNote(read),
    seeds: [note, cosignedNote],
    foreign: vectorNotes(),
    errors,
  }),
  target({
    name: 'checkpoint',
    form: 'lines',
    parse: (bytes) => parseCheckpoint(parseNote(bytes).text),
    seeds: [note, cosignedNote],
    foreign: vectorNotes(),
    errors,
  }),
  target({
    name: 'checkpoint-text',
    form: 'lines',
    parse: (bytes) => ({ read: parseCheckpoint(Buffer.from(bytes).toString('latin1')) }),
    format: ({ read }: { read: Checkpoint }) => Buffer.from(formatCheckpoint(read), 'latin1'),
    seeds: [headText, `${headText}an extension\n`],
    errors,
  }),
  target({
    name: 'signed-head',
    form: 'lines',
    parse: (bytes) => openCheckpoint(bytes, trust),
    seeds: [note, cosignedNote],
    errors,
    largest: 16_384,
    memory: 48 * 1024 * 1024,
  }),
  target({
    name: 'signature-line',
    form: 'lines',
    parse: ofText(parseSignatureLine),
    seeds: [formatSignatureLine(logKey.sign(headText))],
    errors,
  }),
  target({
    name: 'verifier-key',
    form: 'lines',
    parse: ofText(parseVerifierKey),
    seeds: [logKey, datedKey, witness].map(({ key }) => formatVerifierKey(key)),
    foreign: vectorKeys(),
    errors,
  }),
  target({
    name: 'signer-key',
    form: 'lines',
    parse: ofText(parseSignerKey),
    seeds: [formatSignerKey(logKey.key, SEED), formatSignerKey(datedKey.key, SEED)],
    errors,
  }),
  target({ name: 'trust-policy', form: 'lines', parse: ofText(parsePolicy), seeds: [POLICY], errors }),
  target({ name: 'pasted-trust', form: 'lines', parse: ofText(readTrust), seeds: [POLICY, vkey], errors }),
  target({
    name: 'add-checkpoint',
    form: 'lines',
    parse: parseAddCheckpoint,
    format: formatAddCheckpoint,
    seeds: [formatAddCheckpoint({ oldSize: 7n, proof: [DIGEST, DIGEST], checkpoint: note })],
    foreign: vectorAddCheckpoints(),
    errors,
  }),
  target({
    name: 'sign-subtree',
    form: 'lines',
    parse: parseSignSubtree,
    format: formatSignSubtree,
    seeds: [formatSignSubtree({ start: 4n, end: 8n, hash: DIGEST, proof: [DIGEST], checkpoint: note })],
    errors,
  }),
  target({
    name: 'mirror-info',
    form: 'lines',
    parse: parseMirrorInfo,
    format: formatMirrorInfo,
    seeds: [formatMirrorInfo({ size: 700n, next: 512n, ticket: DIGEST })],
    errors,
  }),
];
