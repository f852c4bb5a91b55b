import { ClientError, type LogClient } from '@treering/client';
import type { AuditFinding, Candidate, GovernanceState } from '@treering/governance';
import type { EnrolmentEntry } from '@treering/log';
import { RecordError } from '@treering/record';
import type { Session } from '../session.js';
import { fetchAttachment } from './attachment.js';

/** What came of looking at the evidence of all enrolments by token. */
export interface EvidenceSummary {
  /** Whose evidence fits entry, policy and key. */
  readonly good: number;
  /** Of these, whose issuer's key the policy names. */
  readonly pinned: number;
  /** Whose evidence was erased, as a correction says. */
  readonly erased: number;
  readonly bad: number;
}

/** Collects the enrolments by token while a log is replayed, and then looks at their evidence. */
export class EvidenceAudit {
  readonly #origin: string;
  readonly #entries: { readonly index: number; readonly entry: EnrolmentEntry }[] = [];

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** An entry that was admitted, and the state that has taken it in: an enrolment leaves the policy as it was. */
  see(index: number, { record, statement }: Candidate, { policy }: GovernanceState): void {
    if (record?.type !== 'identity' || record.oidc === undefined) return;
    const provider = policy?.oidc?.find(({ name }) => name === record.oidc?.provider);
    if (provider === undefined) return;
    this.#entries.push({ index, entry: { record, iat: statement.iat as number, provider, origin: this.#origin } });
  }

  /** @throws ClientError when the log cannot be asked, or gives nothing to this key */
  async examine(session: Session, client: LogClient, report: (finding: AuditFinding) => void): Promise<EvidenceSummary> {
    let [good, pinned, erased, bad] = [0, 0, 0, 0];
    for (const { index, entry } of this.#entries) {
      const found = await this.#mistakes(session, client, entry);
      if (found === 'erased') erased++;
      else if (found.mistakes.length === 0) {
        good++;
        if (found.pinned) pinned++;
      } else {
        bad++;
        const rule = `oidc/${entry.provider.name}`;
        for (const message of found.mistakes) report({ index, code: 'audit/evidence', rule, message });
      }
    }
    return { good, pinned, erased, bad };
  }

  async #mistakes(session: Session, client: LogClient, entry: EnrolmentEntry) {
    const { evidence, attachments = [] } = entry.record;
    const ref = attachments.find(({ digest }) => Buffer.compare(digest, evidence?.digest ?? new Uint8Array(0)) === 0);
    if (ref === undefined) return { mistakes: ['the entry names evidence that is none of its attachments'], pinned: false };
    try {
      // Few audits look at evidence: the others need not load a log.
      const { examineEvidence } = await import('@treering/log');
      return await examineEvidence(await fetchAttachment(session, client, ref), entry);
    } catch (error) {
      if (error instanceof ClientError && error.status === 410) return 'erased';
      if (error instanceof ClientError && error.status === 404)
        return { mistakes: ['the log does not give out its evidence'], pinned: false };
      if (error instanceof RecordError) return { mistakes: ['its evidence is not what the entry names'], pinned: false };
      throw error;
    }
  }
}

/** The summary for people, with what it does not prove. */
export function sentenceOf({ good, pinned, erased, bad }: EvidenceSummary): string {
  const rest = [erased > 0 ? `${erased} erased` : '', bad > 0 ? `${bad} wrong` : ''].filter((part) => part !== '');
  const others = rest.length === 0 ? '' : `, ${rest.join(', ')}`;
  return `  evidence of ${good} enrolments by token fits${others}; ${pinned} under keys that the policy names. That the issuers signed the tokens is the word of the log's operator`;
}
