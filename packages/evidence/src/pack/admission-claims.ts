import type { AuditFinding } from '@treering/governance';
import type { Claim } from '../claim.js';
import { type Examiner, isAdmitted, listEntries, type PackEntry, plural } from './pack-entry.js';

/** Codes that say that a signature does not hold, or is of nobody that the log knows. */
const SIGNATURE_CODES: readonly string[] = [
  'governance/unknown-key',
  'governance/foreign-not-verified',
  'governance/wrong-issuer',
];

/** The reader lacks the means to check a foreign signature. */
const UNCHECKED = 'governance/not-checked';

const MOST_DETAILS = 50;

/** Whether every statement is signed by whom it names, and admitted by the rules that were in force for it. */
export class AdmissionExaminer implements Examiner {
  #entries = 0;
  #unsigned: AuditFinding[] = [];
  #refused: AuditFinding[] = [];
  #unchecked: AuditFinding[] = [];

  see(entry: PackEntry): void {
    this.#entries++;
    if (isAdmitted(entry)) return;
    const { finding } = entry.admission as { finding: AuditFinding };
    if (finding.code === UNCHECKED) this.#unchecked.push(finding);
    else if (isAboutSignature(finding)) this.#unsigned.push(finding);
    else this.#refused.push(finding);
  }

  claims(): Claim[] {
    return [this.#signed(), this.#admitted()];
  }

  #signed(): Claim {
    const name = 'statements-signed';
    if (this.#unsigned.length > 0)
      return {
        name,
        verdict: 'failed',
        text: `The signature of ${listEntries(indices(this.#unsigned))} does not hold, or is of nobody whom the log knew.`,
        details: lines(this.#unsigned),
      };
    if (this.#unchecked.length > 0)
      return {
        name,
        verdict: 'not proved',
        text: `The signatures of ${listEntries(indices(this.#unchecked))}, made outside the log, cannot be checked here; "treering verify" does.`,
        details: lines(this.#unchecked),
      };
    return {
      name,
      verdict: 'proved',
      text: `Each of the ${plural(this.#entries, 'statement')} is signed with a key that the entries before it enrol for its signer, or by an issuer whom their policy names.`,
    };
  }

  #admitted(): Claim {
    const name = 'admitted';
    const refused = [...this.#refused, ...this.#unsigned].sort((a, b) => a.index - b.index);
    if (refused.length > 0)
      return {
        name,
        verdict: 'failed',
        text: `The rules do not admit ${listEntries(indices(refused))}: ${refused[0].message}.`,
        details: lines(refused),
      };
    if (this.#unchecked.length > 0)
      return { name, verdict: 'not proved', text: 'Whether the rules admit all entries rests on signatures not checked here.' };
    return {
      name,
      verdict: 'proved',
      text: `Each of the ${plural(this.#entries, 'entry', 'entries')} is admitted by the rules that the entries before it in the file make.`,
    };
  }
}

function isAboutSignature({ code, rule }: AuditFinding): boolean {
  return rule === 'signature' || code.startsWith('cose/') || SIGNATURE_CODES.includes(code);
}

function indices(findings: readonly AuditFinding[]): number[] {
  return findings.map(({ index }) => index);
}

function lines(findings: readonly AuditFinding[]): string[] {
  return findings
    .slice(0, MOST_DETAILS)
    .map(({ index, code, rule, message }) => `entry ${index}: ${message} (decided by ${rule}, ${code})`);
}
