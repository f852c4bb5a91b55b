import { sha256 } from '@noble/hashes/sha2.js';
import {
  AttestationError,
  type AttestationEvidence,
  decodeEvidence,
  EVIDENCE_FORMAT,
  type QuoteClaim,
  quoteHolds,
  type TpmQuote,
  verifyQuote,
} from '@treering/attestation';
import type { GovernanceState } from '@treering/governance';
import { equalBytes } from '@treering/merkle';
import { type Ed25519, hex, type LogTrust } from '@treering/note';
import { type AttachmentRef, printable, type RecordOf } from '@treering/record';
import { type CoseKey, coseKeyThumbprint, parseCoseKey } from '@treering/statement';
import type { Claim } from '../claim.js';
import type { AttestationExaminer } from './attestations-seen.js';
import { isAdmitted, type PackEntry, plural } from './pack-entry.js';

/** The relation by which an attestation names the record that enrolled its key. */
export const ATTESTATION_KEY = 'attestation-key';

/** The role of keys of TPMs: they sign quotes, and no records. */
export const ATTESTATION_ROLE = 'attestation';

interface Enrolment {
  readonly index: number;
  readonly key: CoseKey;
}

interface Attested {
  readonly index: number;
  readonly record: RecordOf<'attestation'>;
  readonly admitted: boolean;
  /** The key that was enrolled when it was logged, or why there is none. */
  readonly enrolled: Enrolment | string;
  readonly deployed: { readonly index: number; readonly record: RecordOf<'deployment'> } | undefined;
}

/** A quote that held, and the entry that logged it. */
interface Held {
  readonly index: number;
  readonly evidence: AttestationEvidence;
}

/** The outcome for one attestation. */
type Outcome = Pick<Claim, 'verdict' | 'text' | 'details'>;

/** Makes what examines the attestations of a pack, quote by quote: what `PackTrust` takes as `attestations`. */
export function examineAttestations(log: LogTrust, ed25519: Ed25519): AttestationExaminer {
  return new QuoteExaminer(log, ed25519);
}

/** Whether TPMs say what the attestation records of a pack say. */
class QuoteExaminer implements AttestationExaminer {
  readonly #log: LogTrust;
  readonly #ed25519: Ed25519;
  readonly #enrolments = new Map<string, Enrolment>();
  readonly #deployments = new Map<string, NonNullable<Attested['deployed']>>();
  readonly #attested: Attested[] = [];
  /** Evidence in the file, by its digest in hex; undefined until it is there. */
  readonly #evidence = new Map<string, Uint8Array | undefined>();
  /** What each key has signed so far, by its thumbprint in hex. */
  readonly #histories = new Map<string, QuoteHistory>();

  constructor(log: LogTrust, ed25519: Ed25519) {
    this.#log = log;
    this.#ed25519 = ed25519;
  }

  see(entry: PackEntry, state: GovernanceState): void {
    const { index, leaf, record, statement } = entry;
    const admitted = isAdmitted(entry);
    if (admitted && record?.type === 'deployment') this.#deployments.set(hex(leaf), { index, record });
    if (admitted && record?.type === 'identity' && record.action === 'enrol' && record.key !== undefined)
      this.#enrolments.set(hex(leaf), { index, key: parseCoseKey(record.key) });
    if (record?.type !== 'attestation') return;
    const enrolled = this.#enrolledKey(record, state, statement?.iat ?? 0);
    this.#attested.push({ index, record, admitted, enrolled, deployed: this.#deployments.get(hex(record.deployment)) });
    if (!this.#evidence.has(hex(record.evidence))) this.#evidence.set(hex(record.evidence), undefined);
  }

  disclosed({ media_type }: AttachmentRef, content: Uint8Array): void {
    if (media_type.startsWith('text/') || this.#evidence.size === 0) return;
    const digest = hex(sha256(content));
    if (this.#evidence.has(digest)) this.#evidence.set(digest, content.slice());
  }

  claims(): Claim[] {
    this.#histories.clear();
    const used = new Map<string, number>();
    return this.#attested.map((attested): Claim => {
      const { index, record, admitted } = attested;
      const digest = hex(record.evidence);
      const first = used.get(digest);
      // Who may not attest cannot use up what others attest with.
      if (admitted && first === undefined) used.set(digest, index);
      const outcome =
        first === undefined || !admitted
          ? this.#examine(attested)
          : failed(`its evidence is that of entry ${first} once more: the quote was replayed`);
      // That something else ran than was deployed is what such a record is there to say. What failed has failed all the same.
      const own = record.verdict === 'match' ? '' : ` The record itself says: ${record.verdict}.`;
      const verdict = own !== '' && outcome.verdict === 'proved' ? 'not proved' : outcome.verdict;
      return { ...outcome, name: 'attestation', verdict, text: `Attestation of entry ${index}: ${outcome.text}.${own}` };
    });
  }

  /** The key that a record names, if it was enrolled for quotes when the record was logged. */
  #enrolledKey({ refs = [] }: RecordOf<'attestation'>, state: GovernanceState, iat: number): Enrolment | string {
    const named = refs.filter(({ rel }) => rel === ATTESTATION_KEY);
    if (named.length !== 1) return 'it does not name the one record that enrolled its key';
    const enrolment = this.#enrolments.get(hex(named[0].leaf));
    if (enrolment === undefined) return 'no admitted entry before it in the file enrols the key that it names';
    const identity = state.identity(coseKeyThumbprint(enrolment.key));
    const by = `the attestation key of entry ${enrolment.index}`;
    if (identity === undefined || !identity.roles.includes(ATTESTATION_ROLE))
      return `${by} does not have the role ${ATTESTATION_ROLE}`;
    if (identity.revokedAt !== undefined) return `entry ${identity.revokedAt} had revoked ${by}`;
    if (identity.validUntil !== undefined && identity.validUntil < iat) return `the enrolment of ${by} had ended`;
    return enrolment;
  }

  #examine(attested: Attested): Outcome {
    const { record, admitted, enrolled, deployed } = attested;
    if (!admitted) return failed('the rules do not admit it');
    if (record.format !== EVIDENCE_FORMAT)
      return unproved(`evidence of the format ${JSON.stringify(printable(record.format))} is not read here`);
    const content = this.#evidence.get(hex(record.evidence));
    if (content === undefined) return unproved('its evidence is not in the file, of which only the digest is proved');
    if (typeof enrolled === 'string') return failed(enrolled);
    if (deployed === undefined) return unproved('the deployment that it names is not in the file, or was not admitted');
    if (deployed.record.phase !== 'active') return failed(`entry ${deployed.index}, which it names, puts nothing into service`);
    let evidence: AttestationEvidence;
    try {
      evidence = decodeEvidence(content);
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error;
      return failed(`its evidence cannot be read: ${error.message}`);
    }
    return this.#verify(attested, { evidence, enrolled, deployed });
  }

  #verify(
    { index, record }: Attested,
    found: {
      readonly evidence: AttestationEvidence;
      readonly enrolled: Enrolment;
      readonly deployed: NonNullable<Attested['deployed']>;
    },
  ): Outcome {
    const { evidence, enrolled, deployed } = found;
    const kid = hex(coseKeyThumbprint(enrolled.key));
    const history = this.#histories.get(kid) ?? new QuoteHistory();
    this.#histories.set(kid, history);
    const before = history.newest(evidence.pcr);
    const { claims, checkpoint, quote } = verifyQuote(evidence, {
      log: this.#log,
      enrolled: { key: enrolled.key, by: `entry ${enrolled.index}` },
      deployment: record.deployment,
      state: deployed.record.state,
      ...(before === undefined ? {} : { previous: before.evidence }),
      ed25519: this.#ed25519,
    });
    const details = claims.map(({ name, verdict, text }) => `${name}: ${verdict}: ${text}`);
    const is = (name: QuoteClaim['name'], wanted: QuoteClaim['verdict']): boolean =>
      claims.some((claim) => claim.name === name && claim.verdict === wanted);
    // Whatever else is wrong with a quote that the key did sign for a head of this log, it is not to be used a second time.
    const genuine = GENUINE.every((name) => is(name, 'proved'));
    const reused =
      genuine && quote !== undefined && checkpoint !== undefined
        ? history.take({ index, bytes: evidence.quote, quote, size: checkpoint.size })
        : undefined;
    if (reused !== undefined) return failed(reused, details);
    const unloaded = record.verdict !== 'match' && is('loaded', 'failed');
    const wrong = claims.find(({ name, verdict }) => verdict === 'failed' && !(unloaded && name === 'loaded'));
    if (wrong !== undefined || checkpoint === undefined || quote === undefined || !(unloaded || quoteHolds(claims)))
      return failed(`the quote does not hold (${wrong?.name ?? 'not everything is proved'})`, details);
    if (!equalBytes(quote.extraData, record.nonce)) return failed('the record names another nonce than the quote has', details);
    if (!equalBytes(evidence.value, record.measured))
      return failed('the record names another value of the register than the quote has', details);
    // The checkpoint is of this log's past: it holds the deployment, and the attestation comes behind it.
    const { size } = checkpoint;
    if (size <= BigInt(deployed.index) || size > BigInt(index))
      return failed(`its checkpoint of ${size} entries does not lie between the deployment and the attestation`, details);
    if (unloaded) return { ...unproved('what the host had loaded last is not what was deployed'), details };
    history.hold({ index, evidence });
    const interval = before === undefined ? '' : `; ${sinceText(claims, before.index)}`;
    const text = `after the head of ${plural(Number(size), 'entry', 'entries')} and before entry ${index}, the host whose key entry ${enrolled.index} enrols had loaded last what entry ${deployed.index} deployed, as its TPM signs${interval}`;
    return { verdict: 'proved', text, details };
  }
}

/** Claims of a quote that its key signed for a head of this log. */
const GENUINE = ['well-formed', 'checkpoint', 'nonce', 'key-enrolled', 'signature'] as const;

/** A genuine quote, and the entry that logged it. */
interface Taken {
  readonly index: number;
  /** TPMS_ATTEST, without the signature: of ECDSA there are two for each. */
  readonly bytes: Uint8Array;
  readonly quote: TpmQuote;
  /** Entries of the checkpoint that it was made after. */
  readonly size: bigint;
}

/** The quotes of one key in the order of the log: none comes twice, and neither heads nor clock nor boots go back. */
class QuoteHistory {
  readonly #quotes = new Map<string, number>();
  readonly #nonces = new Map<string, number>();
  readonly #held = new Map<number, Held>();
  /** Clock and entry of the newest quote of each boot. */
  readonly #boots = new Map<string, { readonly clock: bigint; readonly index: number }>();
  /** The newest quote, and the boot that it is of. */
  #last: (Taken & { readonly boot: string }) | undefined;

  /** Takes in a quote that comes next. @returns why it cannot come next: then nothing is taken in */
  take(taken: Taken): string | undefined {
    const { index, bytes, quote, size } = taken;
    const [digest, nonce, boot] = [hex(sha256(bytes)), hex(quote.extraData), `${quote.resetCount}-${quote.restartCount}`];
    const [same, asked, known] = [this.#quotes.get(digest), this.#nonces.get(nonce), this.#boots.get(boot)];
    if (same !== undefined) return `its quote is that of entry ${same} once more: it was replayed`;
    if (asked !== undefined)
      return `its nonce is that of entry ${asked} once more: the quote was not made for this attestation`;
    const last = this.#last;
    if (last !== undefined && size < last.size)
      return `its checkpoint of ${size} entries is older than that of entry ${last.index}, of ${last.size}: the quote was held back`;
    // Counts of resets and restarts only go up, so that a boot that is over does not come again.
    if (last !== undefined && known !== undefined && last.boot !== boot)
      return `it is of the boot of entry ${known.index}, which was over before entry ${last.index}: the quote was held back`;
    if (known !== undefined && quote.clock < known.clock)
      return `the clock of the TPM went back since entry ${known.index}, without a reset: the quote was held back`;
    this.#quotes.set(digest, index);
    this.#nonces.set(nonce, index);
    this.#boots.set(boot, { clock: quote.clock, index });
    this.#last = { ...taken, boot };
    return undefined;
  }

  /** The newest quote of a register that held: the interval since then is asked about. */
  newest(pcr: number): Held | undefined {
    const any = [...this.#held.values()].sort((a, b) => b.index - a.index);
    return this.#held.get(pcr) ?? any[0];
  }

  hold(held: Held): void {
    this.#held.set(held.evidence.pcr, held);
  }
}

/** What the quotes say of the time between them. */
function sinceText(claims: readonly QuoteClaim[], before: number): string {
  const interval = claims.find(({ name }) => name === 'interval');
  const count = interval?.details?.length ?? 0;
  if (interval?.verdict !== 'proved')
    return `since entry ${before} the interval is broken, so that nothing is said of what ran then`;
  return count === 0
    ? `since entry ${before} its loader loaded nothing`
    : `since entry ${before} its loader loaded exactly ${plural(count, 'thing')}, which the evidence lists`;
}

function failed(text: string, details?: readonly string[]): Outcome {
  return { verdict: 'failed', text, ...(details === undefined ? {} : { details }) };
}

function unproved(text: string): Outcome {
  return { verdict: 'not proved', text };
}
