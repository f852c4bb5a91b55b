import { sha256 } from '@noble/hashes/sha2.js';
import { type Checkpoint, type Ed25519, hex, type LogTrust, NoteError, openCheckpoint, portableEd25519 } from '@treering/note';
import { stateDigest } from '@treering/record';
import { ALG, type CoseKey, checkSignature, compareBytes, coseKeyThumbprint } from '@treering/statement';
import type { AttestationEvidence } from './attestation-evidence.js';
import { decided, type QuoteClaim } from './claim.js';
import { AttestationError } from './errors.js';
import { type MeasuredEvent, replayEvents } from './event-log.js';
import { verifyInterval } from './interval.js';
import { attestationNonce } from './nonce.js';
import { parseQuote, TPM_ALG_SHA256, type TpmQuote } from './tpms-attest.js';
import { parseTpmSignature } from './tpmt-signature.js';

/** What the reader brings along: nothing of it is taken from the evidence. */
export interface QuoteTrust {
  /** Origin and keys of the log whose checkpoint the nonce rests on. */
  readonly log: LogTrust;
  /** The key that counts, and who says so, as in "entry 5"; undefined when none was enrolled. */
  readonly enrolled: { readonly key: CoseKey; readonly by: string } | undefined;
  /** Which deployment the quote has to be for: its leaf hash and its state digest. Neither says the other: proved is it with both. */
  readonly deployment?: Uint8Array;
  readonly state?: Uint8Array;
  /** The register that has to be quoted; any, when it is not said. */
  readonly pcr?: number;
  /** An earlier quote of the same host: whether anything else was loaded since is asked then. */
  readonly previous?: AttestationEvidence;
  readonly ed25519?: Ed25519;
}

/** What a quote amounts to. */
export interface QuoteReport {
  readonly claims: readonly QuoteClaim[];
  /** The checkpoint that it was made after; undefined when the log's keys did not sign it. */
  readonly checkpoint: Checkpoint | undefined;
  /** Undefined when it cannot be read. */
  readonly quote: TpmQuote | undefined;
}

/**
 * Examines the evidence of an attestation, claim by claim. It fails closed: what cannot be read is `failed`, and nothing is proved by
 * what comes with the evidence itself.
 */
export function verifyQuote(evidence: AttestationEvidence, trust: QuoteTrust): QuoteReport {
  const { quote, signature, claim } = read(evidence);
  const { checkpoint, claim: signed } = openHead(evidence.checkpoint, trust);
  if (quote === undefined || signature === undefined) return { claims: [claim, signed], checkpoint, quote: undefined };
  const claims = [
    claim,
    signed,
    ofDeployment(evidence, trust),
    ofNonce(evidence, quote, checkpoint),
    ofKey(evidence, trust),
    ofSignature(evidence, signature),
    ofSelection(evidence, quote, trust.pcr),
    ofDigest(evidence, quote),
    ofEventLog(evidence),
    ofLoaded(evidence),
    ofClock(quote),
    ofInterval(evidence, quote, trust.previous),
  ];
  return { claims, checkpoint, quote };
}

function read(evidence: AttestationEvidence): { quote?: TpmQuote; signature?: Uint8Array; claim: QuoteClaim } {
  try {
    const quote = parseQuote(evidence.quote);
    const signature = parseTpmSignature(evidence.signature);
    const text = 'A TPM 2.0 made this: a quote of registers, signed with ECDSA on P-256 and SHA-256.';
    return { quote, signature, claim: { name: 'well-formed', verdict: 'proved', text } };
  } catch (error) {
    if (!(error instanceof AttestationError)) throw error;
    return { claim: { name: 'well-formed', verdict: 'failed', text: `The quote cannot be read: ${error.message}.` } };
  }
}

function openHead(note: Uint8Array, { log, ed25519 = portableEd25519 }: QuoteTrust) {
  const name = 'checkpoint';
  try {
    const { checkpoint } = openCheckpoint(note, log, ed25519);
    const text = `The log ${checkpoint.origin} signed the checkpoint of ${checkpoint.size} entries that the quote was made after.`;
    return { checkpoint, claim: { name, verdict: 'proved', text } satisfies QuoteClaim };
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    const text = `The checkpoint does not hold: ${error.message}.`;
    return { checkpoint: undefined, claim: { name, verdict: 'failed', text } satisfies QuoteClaim };
  }
}

function ofDeployment({ deployment, state }: AttestationEvidence, trust: QuoteTrust): QuoteClaim {
  const details = [`deployment ${hex(deployment)}`, `state ${hex(state)}`];
  const same = isOrUnsaid(deployment, trust.deployment) && isOrUnsaid(state, trust.state);
  if (same && (trust.deployment === undefined || trust.state === undefined)) {
    const text = 'Which deployment and state the quote has to be for was not said: the host may have made them up.';
    return { name: 'deployment', verdict: 'not proved', text, details };
  }
  return decided(
    'deployment',
    same,
    ['The quote is for this deployment.', 'The quote is for another deployment or state.'],
    details,
  );
}

function isOrUnsaid(bytes: Uint8Array, wanted: Uint8Array | undefined): boolean {
  return wanted === undefined || equal(bytes, wanted);
}

function ofNonce({ deployment, state }: AttestationEvidence, quote: TpmQuote, checkpoint: Checkpoint | undefined): QuoteClaim {
  if (checkpoint === undefined)
    return { name: 'nonce', verdict: 'not proved', text: 'Without a signed checkpoint the nonce says nothing of when.' };
  const nonce = attestationNonce(checkpoint.root, deployment, state);
  return decided(
    'nonce',
    equal(quote.extraData, nonce),
    [
      `The quote was made after the checkpoint of ${checkpoint.size} entries, for this deployment and state.`,
      'The nonce is not that of this checkpoint, deployment and state: the quote was made for something else.',
    ],
    [`nonce ${hex(nonce)}`, `nonce in the quote ${hex(quote.extraData)}`],
  );
}

function ofKey({ key }: AttestationEvidence, { enrolled }: QuoteTrust): QuoteClaim {
  const name = 'key-enrolled';
  const details = [`thumbprint ${hex(coseKeyThumbprint(key))}`];
  if (enrolled === undefined)
    return { name, verdict: 'failed', text: 'The attestation key is enrolled by nobody whom you trust.', details };
  return decided(
    name,
    equal(coseKeyThumbprint(key), coseKeyThumbprint(enrolled.key)),
    [`The attestation key is the one that ${enrolled.by} names.`, `${enrolled.by} names another attestation key.`],
    details,
  );
}

/** TPM2_Quote signs SHA-256 of the TPMS_ATTEST. */
function ofSignature({ key, quote }: AttestationEvidence, signature: Uint8Array): QuoteClaim {
  return decided('signature', checkSignature({ algorithm: ALG.es256, key, message: quote, signature }), [
    'The attestation key signed the quote.',
    'The signature of the quote does not hold under the attestation key.',
  ]);
}

/** Another bank, another register or none: the digest would be of something else. */
function ofSelection({ pcr }: AttestationEvidence, { selection }: TpmQuote, wanted = pcr): QuoteClaim {
  if (pcr !== wanted) {
    const text = `The quote is of register ${pcr}, and not of register ${wanted}.`;
    return { name: 'selection', verdict: 'failed', text };
  }
  const [bank] = selection;
  const exact = selection.length === 1 && bank.hash === TPM_ALG_SHA256 && bank.pcrs.length === 1 && bank.pcrs[0] === pcr;
  const selected = selection.map(({ hash, pcrs }) => `${pcrs.join(', ') || 'none'} of the bank ${hash.toString(16)}`);
  return decided(
    'selection',
    exact,
    [`Exactly register ${pcr} of the SHA-256 bank is quoted.`, `Not exactly register ${pcr} of the SHA-256 bank is quoted.`],
    [`registers ${selected.join('; ') || 'none'}`],
  );
}

function ofDigest({ value }: AttestationEvidence, { pcrDigest }: TpmQuote): QuoteClaim {
  const digest = sha256(value);
  return decided(
    'digest',
    equal(pcrDigest, digest),
    ['The register held the value in the evidence.', 'The register held another value than the evidence says.'],
    [`value ${hex(value)}`, `its digest ${hex(digest)}`, `digest in the quote ${hex(pcrDigest)}`],
  );
}

function ofEventLog({ events, pcr, value }: AttestationEvidence): QuoteClaim {
  const name = 'event-log';
  if (events.some((event) => event.pcr !== pcr))
    return { name, verdict: 'failed', text: 'The event log holds events of another register, which nothing vouches for.' };
  const replayed = replayEvents(events);
  return decided(
    name,
    equal(replayed, value),
    [
      `The ${events.length} events of the log, replayed from zero, give the value of the register: none is missing, altered or moved.`,
      'The event log, replayed from zero, does not give the value of the register: it was altered, or is not complete.',
    ],
    [`replayed ${hex(replayed)}`, `value ${hex(value)}`],
  );
}

/** The last events are what runs. Nothing may come behind them, whatever its kind: kinds are not measured. */
function ofLoaded({ events, state }: AttestationEvidence): QuoteClaim {
  const last = (count: number): readonly MeasuredEvent[] => events.slice(-count);
  const [model, config] = last(2);
  const [image] = last(3);
  const labelled = events.length >= 2 && model.kind === 'model' && config.kind === 'config';
  const without = labelled && equal(stateDigest(model.digest, config.digest), state);
  const within =
    labelled &&
    events.length >= 3 &&
    image.kind === 'image' &&
    equal(stateDigest(model.digest, config.digest, image.digest), state);
  const shown = last(within ? 3 : 2).map(describeEvent);
  return decided(
    'loaded',
    without || within,
    [
      `What the host has loaded last is what was deployed: ${shown.join(', ')}.`,
      `What the host has loaded last is not the deployed model and configuration: ${shown.join(', ') || 'nothing'}.`,
    ],
    [`state of the deployment ${hex(state)}`],
  );
}

/** "model wink 1.8.0 (12ab34cd…)", with as much of the digest as people compare. */
function describeEvent({ kind, name, digest }: MeasuredEvent): string {
  return `${kind} ${JSON.stringify(name)} (${hex(digest).slice(0, 16)})`;
}

function ofClock({ clock, safe }: TpmQuote): QuoteClaim {
  const text = safe
    ? `The TPM's clock stood at ${clock} ms and is sure never to have shown more.`
    : `The TPM's clock stood at ${clock} ms, and may have shown more before the power failed.`;
  return { name: 'clock', verdict: safe ? 'proved' : 'not proved', text };
}

function ofInterval(evidence: AttestationEvidence, quote: TpmQuote, previous: AttestationEvidence | undefined): QuoteClaim {
  const name = 'interval';
  if (previous === undefined)
    return {
      name,
      verdict: 'not proved',
      text: 'No earlier quote was given: what was loaded before is only in the event log.',
    };
  const { quote: before, signature } = read(previous);
  const wrong = (why: string): QuoteClaim => ({ name, verdict: 'failed', text: `The earlier quote does not hold: ${why}.` });
  if (before === undefined || signature === undefined) return wrong('it cannot be read');
  if (!equal(coseKeyThumbprint(previous.key), coseKeyThumbprint(evidence.key)))
    return { name, verdict: 'not proved', text: 'The interval is broken: another attestation key signed the earlier quote.' };
  const bad = [
    ofSignature(previous, signature),
    ofSelection(previous, before),
    ofDigest(previous, before),
    ofEventLog(previous),
  ].find(({ verdict }) => verdict !== 'proved');
  if (bad !== undefined) return wrong(bad.text.replace(/\.$/, '').replace(/^T/, 't'));
  return verifyInterval({ evidence: previous, quote: before }, { evidence, quote });
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return compareBytes(a, b) === 0;
}
