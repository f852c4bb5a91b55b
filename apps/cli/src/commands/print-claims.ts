import type { Claim } from '@treering/evidence';
import { printable } from '@treering/record';
import type { Terminal } from '../terminal.js';

const MARKS = { proved: '✓', failed: '✗', 'not proved': '?' } as const;

/** Prints claims, one a line, and how each was found when more is wanted. */
export function printClaims(terminal: Terminal, claims: readonly Claim[], verbose: boolean): void {
  for (const { verdict, text, details = [] } of claims) {
    const kind = verdict === 'proved' ? 'good' : verdict === 'failed' ? 'bad' : 'dim';
    terminal.line(`${terminal.colour(kind, `${MARKS[verdict]} ${verdict.padEnd(10)}`)} ${printable(text)}`);
    if (verbose || verdict === 'failed') for (const detail of details) terminal.line(`               ${printable(detail)}`);
  }
}
