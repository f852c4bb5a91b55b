import { EvidenceError } from '@treering/evidence';
import { formatEntryPackage } from '@treering/merkle';
import { concatBytes, formatAddEntriesHeader, formatVerifierKey, NoteError } from '@treering/note';
import { ByteBudget, Problem } from '@treering/server';
import { encodeCbor, StatementError } from '@treering/statement';
import { readClaim } from '../../../apps/admission/src/claim.js';
import { parsePod } from '../../../apps/admission/src/pod.js';
import { Refusal } from '../../../apps/admission/src/refusal.js';
import { parseEnvelope, parseRequest } from '../../../apps/admission/src/review.js';
import { pod, review } from '../../../apps/admission/test/reviews.js';
import { splitCborSequence } from '../../../apps/log/src/cbor-sequence.js';
import { ConfigError, parseConfig } from '../../../apps/log/src/config.js';
import { readWaitingNote } from '../../../apps/log/src/waiting-evidence.js';
import { MonitorConfigError, parseConfig as parseMonitorConfig } from '../../../apps/monitor/src/config.js';
import { decodePending, encodePending } from '../../../apps/monitor/src/pending.js';
import { decodeRemembered } from '../../../apps/monitor/src/remembered.js';
import { parseConfig as parseRecorderConfig } from '../../../apps/recorder/src/config.js';
import { RecorderError } from '../../../apps/recorder/src/errors.js';
import { parseEvent } from '../../../apps/recorder/src/event.js';
import { verifyDelivery } from '../../../apps/recorder/src/signature.js';
import { parseMapping } from '../../../apps/recorder/src/source-map.js';
import { created, SECRET, signed } from '../../../apps/recorder/test/fixture.js';
import { ByteSource } from '../../../apps/witness/src/byte-source.js';
import { parseLogList } from '../../../apps/witness/src/log-list.js';
import { textOf } from '../../../apps/witness/src/untrusted.js';
import { readHeader, readPackage } from '../../../apps/witness/src/upload.js';
import { bytesOf, ofText, type Target, target } from '../target.js';
import { DIGEST, logKey, note, record, statement } from './samples.js';

/** A file of settings in JSON; what is no JSON is refused as any other mistake. */
const settings =
  (read: (value: Record<string, unknown>) => unknown, refuse: () => Error) =>
  (bytes: Uint8Array): unknown => {
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(bytes).toString('utf8'));
    } catch {
      throw refuse();
    }
    if (typeof value !== 'object' || value === null) throw refuse();
    return read(value as Record<string, unknown>);
  };

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
}

/** An upload to a mirror; one that breaks off has what came before. */
async function readUpload(bytes: Uint8Array): Promise<unknown> {
  const source = new ByteSource(inPieces(bytes), new ByteBudget(1 << 20));
  const header = await readHeader(source);
  const part = header && (await readPackage(source, { first: 0, start: 0, end: 2 }));
  source.close();
  if (part === undefined) throw new Problem(400, 'witness/malformed', 'it breaks off');
  return part;
}

/** What the webhook reads of a review: with a place for each of its refusals. */
function readReview(bytes: Uint8Array): unknown {
  const envelope = parseEnvelope(bytes);
  if (typeof envelope === 'string') throw new Refusal('malformed', envelope);
  const request = parseRequest(envelope.request);
  if (request === undefined) throw new Refusal('malformed', 'no request');
  return readClaim(parsePod(request.object).annotations);
}

/** Some readers of what the program itself stored say that it is damaged in another way than with a code. */
function readPending(bytes: Uint8Array): ReturnType<typeof decodePending> {
  try {
    return decodePending(bytes);
  } catch (error) {
    if (error instanceof Error && error.name === 'ZodError') throw new Problem(500, 'monitor/damaged', error.message);
    throw error;
  }
}

function required<T>(read: T | undefined): T {
  if (read === undefined) throw new Problem(500, 'stored/unusable', 'it is not used');
  return read;
}

/** Headers of a delivery in lines, and its body behind an empty one. */
function readDelivery(bytes: Uint8Array): unknown {
  const [head, body = ''] = Buffer.from(bytes).toString('latin1').split('\n\n', 2);
  const [id, timestamp, signature] = head.split('\n');
  return verifyDelivery(SECRET, { id, timestamp, signature }, Buffer.from(body, 'latin1'), 1_767_323_045);
}

const vkey = formatVerifierKey(logKey.key);
const delivery = created('triage', '7', 's3://models/triage/7');
const headers = signed('delivery-1', delivery, 1_767_323_045);
const upload = concatBytes(
  formatAddEntriesHeader({ origin: 'fuzz.test/log', start: 0n, end: 2n, ticket: DIGEST }),
  formatEntryPackage([record, statement.entry], [DIGEST]),
);
const pending = encodePending({
  needs: {
    kind: 'drift',
    index: 3,
    entry: statement.entry,
    head: { note, size: 77, root: DIGEST },
    code: 'a',
    rule: 'b',
    reason: 'c',
    related: [1, 2],
  },
});

/** What the servers read of what clients send, and of what they themselves stored and are told by their operators. */
export const serverTargets: readonly Target[] = [
  target({
    name: 'cbor-sequence',
    form: 'cbor',
    parse: (bytes) => splitCborSequence(bytes, 100),
    format: (items) => concatBytes(...items),
    seeds: [concatBytes(statement.entry, statement.entry)],
    errors: [Problem],
  }),
  target({
    name: 'log-settings',
    form: 'json',
    parse: settings(parseConfig, () => new ConfigError('no JSON')),
    seeds: ['{"data":"d","listen":"127.0.0.1:0","rate":5,"log_level":"info"}'],
    errors: [ConfigError],
    largest: 4096,
  }),
  target({
    name: 'waiting-note',
    form: 'bytes',
    parse: (bytes) => required(readWaitingNote(bytes)),
    seeds: [Uint8Array.from([0x77, ...DIGEST, ...DIGEST])],
    errors: [Problem],
  }),
  target({
    name: 'log-list',
    form: 'lines',
    parse: ofText(parseLogList),
    seeds: [`log ${vkey} https://log.test/\n`, `logs/v0\nvkey ${vkey}\norigin none\nqpd 86400\ncontact x\n`],
    errors: [NoteError],
  }),
  target({ name: 'unsigned-text', form: 'lines', parse: textOf, seeds: [note], errors: [NoteError] }),
  target({ name: 'upload', form: 'bytes', parse: readUpload, seeds: [upload], errors: [Problem] }),
  target({
    name: 'monitor-settings',
    form: 'yaml',
    parse: ofText((text) => parseMonitorConfig(text, async () => `log ${vkey}\nquorum none\n`)),
    seeds: [
      `interval: 5\nlogs:\n  - keys: ["${vkey}"]\n    url: https://log.test/\n    policy: p\npeers: [https://m.test]\nwebhooks: []\n`,
    ],
    errors: [MonitorConfigError],
    memory: 32 * 1024 * 1024,
    largest: 8192,
    slow: true,
  }),
  target({
    name: 'pending-alarm',
    form: 'cbor',
    parse: readPending,
    format: encodePending,
    seeds: [pending],
    errors: [StatementError, EvidenceError, Problem],
  }),
  target({
    name: 'remembered',
    form: 'cbor',
    parse: (bytes) => required(decodeRemembered(bytes)),
    seeds: [encodeCbor([new Map([['deploy/a', [1, 2]]]), new Map([['incident/b', [3, 4]]])])],
    errors: [Problem],
  }),
  target({
    name: 'registry-event',
    form: 'json',
    parse: parseEvent,
    seeds: [delivery, '{"entity":"model_version_tag","action":"set","data":{"name":"a","version":"1","key":"k","value":"v"}}'],
    errors: [Problem],
  }),
  target({
    name: 'registry-delivery',
    form: 'lines',
    parse: readDelivery,
    seeds: [
      concatBytes(
        bytesOf(`${headers['X-MLflow-Delivery-Id']}\n${headers['X-MLflow-Timestamp']}\n${headers['X-MLflow-Signature']}\n\n`),
        delivery,
      ),
    ],
    errors: [Problem],
  }),
  target({
    name: 'source-mapping',
    form: 'lines',
    parse: ofText(parseMapping),
    seeds: ['s3://models/=/srv/models/*/x'],
    errors: [RecorderError],
  }),
  target({
    name: 'recorder-settings',
    form: 'json',
    parse: settings(parseRecorderConfig, () => new RecorderError('recorder/config', 'no JSON')),
    seeds: ['{"data":"d","listen":"127.0.0.1:0","secret":"0123456789abcdef","mappings":["a=/b"]}'],
    errors: [RecorderError],
  }),
  target({
    name: 'admission-review',
    form: 'json',
    parse: readReview,
    seeds: [JSON.stringify(review(pod()))],
    errors: [Refusal],
  }),
];
