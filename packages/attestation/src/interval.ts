import { hex } from '@treering/note';
import { compareBytes } from '@treering/statement';
import type { AttestationEvidence } from './attestation-evidence.js';
import type { QuoteClaim } from './claim.js';
import { LAST_STATIC_PCR, type MeasuredEvent } from './event-log.js';
import type { TpmQuote } from './tpms-attest.js';

/** A quote, and the evidence that it is in. */
interface Quoted {
  readonly evidence: AttestationEvidence;
  readonly quote: TpmQuote;
}

/**
 * Whether the event log names everything that was measured between two quotes. A register is only ever extended. As long as the TPM
 * was not reset, whatever was measured in between is in its value, and therefore in the log that leads to it.
 * @param before a quote whose own claims hold, and `after` one that is examined
 */
export function verifyInterval(before: Quoted, after: Quoted): QuoteClaim {
  const name = 'interval';
  const failed = (text: string): QuoteClaim => ({ name, verdict: 'failed', text });
  const open = (text: string): QuoteClaim => ({ name, verdict: 'not proved', text });
  const [old, now] = [before.evidence, after.evidence];
  if (compareBytes(old.quote, now.quote) === 0) return failed('This is the earlier quote once more: it was replayed.');
  // A key in the owner's hierarchy gets the counts with a number added, the same for both quotes: only equality says something.
  if (before.quote.resetCount !== after.quote.resetCount)
    return open('The interval is broken: the TPM was reset since the earlier quote, and its registers began again.');
  if (before.quote.restartCount !== after.quote.restartCount)
    return open('The interval is broken: the TPM was restarted or resumed since the earlier quote.');
  if (after.quote.clock < before.quote.clock)
    return failed('The clock of the TPM went back: this quote is older than the one that is given as the earlier one.');
  if (old.pcr !== now.pcr) return open(`The interval is broken: the earlier quote is of register ${old.pcr}.`);
  if (old.events.length > now.events.length || !old.events.every((event, i) => sameEvent(event, now.events[i])))
    return failed('The event log does not begin with that of the earlier quote: it was altered.');
  if (now.pcr > LAST_STATIC_PCR)
    return open(
      `Register ${now.pcr} may be set back by software without a trace, so that something else may have been loaded in between; registers 0 to ${LAST_STATIC_PCR} may not.`,
    );
  const since = now.events.slice(old.events.length);
  const what = since.length === 0 ? 'the loader loaded nothing' : `these ${since.length} events are all that the loader loaded`;
  return {
    name,
    verdict: 'proved',
    text: `Since the earlier quote the TPM was not reset: ${what}.`,
    details: since.map(({ kind, name: of, digest }) => `${kind} ${JSON.stringify(of)} ${hex(digest)}`),
  };
}

function sameEvent(a: MeasuredEvent, b: MeasuredEvent): boolean {
  return a.pcr === b.pcr && a.kind === b.kind && a.name === b.name && compareBytes(a.digest, b.digest) === 0;
}
