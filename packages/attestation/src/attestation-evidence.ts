import { MAX_NOTE_SIZE } from '@treering/note';
import { type CborValue, type CoseKey, encodeCbor, encodeCoseKey, parseCoseKey, StatementError } from '@treering/statement';
import { AttestationError } from './errors.js';
import { bytesOf, eventFromCbor, eventToCbor, type MeasuredEvent, MOST_EVENTS, members, PCRS, readCbor } from './event-log.js';
import { malformed } from './tpm-reader.js';
import { LARGEST_QUOTE } from './tpms-attest.js';
import { LARGEST_SIGNATURE } from './tpmt-signature.js';

/** The format that a record names for it. */
export const EVIDENCE_FORMAT = 'tpm2-quote';

/** Media type of an evidence file. */
export const EVIDENCE_TYPE = 'application/vnd.treering.attestation+cbor';

/** The largest evidence file that is read, in bytes. */
const LARGEST_EVIDENCE = 16 * 1024 * 1024;

/** What a host shows of what it has loaded (docs/formats.md, evidence of an attestation). Nothing of it is trusted by itself. */
export interface AttestationEvidence {
  /** TPMS_ATTEST, as the TPM signed it. */
  readonly quote: Uint8Array;
  /** TPMT_SIGNATURE */
  readonly signature: Uint8Array;
  /** The attestation key, on P-256. */
  readonly key: CoseKey;
  /** The register that is quoted. */
  readonly pcr: number;
  /** What the register held, 32 bytes. */
  readonly value: Uint8Array;
  /** Everything that was measured into it since the TPM was reset. */
  readonly events: readonly MeasuredEvent[];
  /** A signed checkpoint of the log: the quote is not older. */
  readonly checkpoint: Uint8Array;
  /** Leaf hash of the deployment, 32 bytes. */
  readonly deployment: Uint8Array;
  /** State digest of the deployment, 32 bytes. */
  readonly state: Uint8Array;
}

const MEMBERS = [
  'v',
  'format',
  'quote',
  'signature',
  'key',
  'pcr',
  'value',
  'events',
  'checkpoint',
  'deployment',
  'state',
] as const;

/**
 * The evidence file in deterministic CBOR.
 * @throws AttestationError when it is not what `decodeEvidence` takes
 */
export function encodeEvidence(evidence: AttestationEvidence): Uint8Array {
  const { quote, signature, key, pcr, value, events, checkpoint, deployment, state } = evidence;
  const bytes = encodeCbor({
    v: 1,
    format: EVIDENCE_FORMAT,
    quote,
    signature,
    key: encodeCoseKey(key),
    pcr,
    value,
    events: events.map(eventToCbor),
    checkpoint,
    deployment,
    state,
  });
  decodeEvidence(bytes);
  return bytes;
}

/**
 * Reads an evidence file. The quote and the signature in it are read by `verifyQuote`.
 * @throws AttestationError attestation/malformed, attestation/unsupported or attestation/too-large
 */
export function decodeEvidence(bytes: Uint8Array): AttestationEvidence {
  if (bytes.length > LARGEST_EVIDENCE)
    throw new AttestationError('attestation/too-large', `evidence has at most ${LARGEST_EVIDENCE} bytes, got ${bytes.length}`);
  const read = members(readCbor(bytes, 64 + 16 * MOST_EVENTS), MEMBERS, 'evidence of an attestation');
  if (read.v !== 1) throw new AttestationError('attestation/unsupported', 'the evidence is not of version 1');
  if (read.format !== EVIDENCE_FORMAT)
    throw new AttestationError('attestation/unsupported', `the evidence is not of the format ${EVIDENCE_FORMAT}`);
  const { pcr } = read;
  if (typeof pcr !== 'number' || pcr < 0 || pcr >= PCRS) throw malformed(`a register is a number from 0 to ${PCRS - 1}`);
  if (!Array.isArray(read.events) || read.events.length > MOST_EVENTS)
    throw malformed(`the events are a list of at most ${MOST_EVENTS}`);
  return {
    quote: atMost(read.quote, LARGEST_QUOTE, 'the quote'),
    signature: atMost(read.signature, LARGEST_SIGNATURE_READ, 'the signature'),
    key: keyOf(read.key),
    pcr,
    value: bytesOf(read.value, 32, 'the value of the register'),
    events: (read.events as readonly CborValue[]).map(eventFromCbor),
    checkpoint: atMost(read.checkpoint, MAX_NOTE_SIZE, 'the checkpoint'),
    deployment: bytesOf(read.deployment, 32, 'the leaf hash of the deployment'),
    state: bytesOf(read.state, 32, 'the state digest'),
  };
}

/** Room for signatures of other algorithms: they are refused by their name. */
const LARGEST_SIGNATURE_READ = LARGEST_SIGNATURE + 1024;

function atMost(value: CborValue, most: number, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length > most) throw malformed(`${what} has at most ${most} bytes`);
  return value;
}

function keyOf(value: CborValue): CoseKey {
  if (!(value instanceof Uint8Array) || value.length > 200) throw malformed('the attestation key is a COSE_Key');
  let key: CoseKey;
  try {
    key = parseCoseKey(value);
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw new AttestationError('attestation/malformed', `the attestation key cannot be read: ${error.message}`, {
      cause: error,
    });
  }
  if (key.curve !== 'P-256')
    throw new AttestationError('attestation/unsupported', `an attestation key is on P-256, not ${key.curve}`);
  return key;
}
