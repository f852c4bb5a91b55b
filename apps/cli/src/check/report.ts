import { hex } from '@treering/note';
import type { Finding } from './findings.js';

/** Bytes of a report that is attached: a limit of the policy, or a very long line, must not keep a finding out of the log. */
const LARGEST = 8_192;
/** Characters of a line that are shown. */
const LONGEST_LINE = 200;

/** A finding as JSON. */
export function summaryJson({ service, verdict, deployment, state, differences, unseen }: Finding, entry?: number) {
  return {
    service,
    verdict,
    ...(deployment === undefined ? {} : { deployment: { index: deployment.index, leaf: hex(deployment.leaf) } }),
    observed: hex(state),
    differences,
    unseen,
    ...(entry === undefined ? {} : { entry }),
  };
}

/** What is attached to a record: the finding with the lines that differ, as far as there is room. */
export function reportOf(finding: Finding, host: string): Uint8Array {
  const shorten = (text: string): string => (text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text);
  const encode = (lines: boolean): Uint8Array => {
    const differences = finding.differences.map(({ kind, text, lines: all }) =>
      lines && all !== undefined ? { kind, text, lines: all.map(shorten) } : { kind, text: shorten(text) },
    );
    return new TextEncoder().encode(`${JSON.stringify({ host, ...summaryJson({ ...finding, differences }) }, undefined, 1)}\n`);
  };
  const whole = encode(true);
  if (whole.length <= LARGEST) return whole;
  const short = encode(false);
  if (short.length <= LARGEST) return short;
  const few = {
    ...finding,
    differences: finding.differences.slice(0, 8).map(({ kind, text }) => ({ kind, text: shorten(text) })),
  };
  return new TextEncoder().encode(`${JSON.stringify({ host, ...summaryJson(few), more: finding.differences.length - 8 })}\n`);
}
