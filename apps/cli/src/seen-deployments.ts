import { countingRecords, type DeploymentEntry, type InService, inService } from '@treering/deployment';
import type { Candidate } from '@treering/governance';
import { decodeRecord, encodeRecord, RecordError } from '@treering/record';
import { type CborInput, type CborValue, StatementError } from '@treering/statement';

/** A deployment, and when it was signed. */
export interface DatedDeployment extends DeploymentEntry {
  /** Seconds since the epoch. */
  readonly iat: number | undefined;
}

/**
 * The deployments of a log, collected while it is replayed: none of them can be left out. Of each subject only those are kept that still
 * count, so that a later replay goes on with them.
 */
export class SeenDeployments {
  /** By subject, the oldest first. */
  readonly #counting = new Map<string, DatedDeployment[]>();

  /** An entry that was admitted. */
  see(index: number, { record, statement, leaf }: Pick<Candidate, 'record' | 'statement' | 'leaf'>): void {
    if (record?.type === 'deployment') this.#add({ index, leaf, record, iat: statement.iat });
  }

  /** Where each service of an environment stands. What is announced only stands there as well. */
  standings(environment: string): Map<string, InService<DatedDeployment>> {
    const prefix = `deploy/${environment}/`;
    const own = [...this.#counting].filter(([subject]) => subject.startsWith(prefix));
    return new Map(own.map(([subject, entries]) => [subject.slice(prefix.length), inService(entries)]));
  }

  /** What a file keeps of them. */
  save(): CborInput {
    return [...this.#counting.values()]
      .flat()
      .map(({ index, leaf, record, iat }) => [index, leaf, encodeRecord(record), iat ?? null]);
  }

  /** As they were saved; undefined for anything else. */
  static restore(saved: CborValue | undefined): SeenDeployments | undefined {
    if (!Array.isArray(saved)) return undefined;
    const seen = new SeenDeployments();
    for (const item of saved as readonly CborValue[]) {
      const [index, leaf, bytes, iat] = Array.isArray(item) ? (item as readonly CborValue[]) : [];
      const record = bytes instanceof Uint8Array ? recordOf(bytes) : undefined;
      if (typeof index !== 'number' || !(leaf instanceof Uint8Array) || record?.type !== 'deployment') return undefined;
      seen.#add({ index, leaf, record, iat: typeof iat === 'number' ? iat : undefined });
    }
    return seen;
  }

  #add(entry: DatedDeployment): void {
    const { subject } = entry.record;
    this.#counting.set(subject, countingRecords([...(this.#counting.get(subject) ?? []), entry]));
  }
}

function recordOf(bytes: Uint8Array) {
  try {
    return decodeRecord(bytes);
  } catch (error) {
    if (error instanceof RecordError || error instanceof StatementError) return undefined;
    throw error;
  }
}
