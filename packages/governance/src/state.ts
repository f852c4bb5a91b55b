import { hex } from '@treering/note';
import type { ChangeRecord, PolicyBody, RecordOf } from '@treering/record';
import { type CoseKey, coseKeyThumbprint, parseCoseKey } from '@treering/statement';
import type { Candidate } from './candidate.js';
import { GovernanceError } from './errors.js';

/** A key that may sign, and for whom. */
export interface Identity {
  readonly id: string;
  readonly key: CoseKey;
  readonly kind: 'person' | 'workload';
  readonly roles: readonly string[];
  /** Seconds since the epoch; undefined for the charter's administrators, who stay until they are revoked. */
  readonly validUntil: number | undefined;
  readonly administrator: boolean;
  /** The entry that enrolled it. */
  readonly enrolledAt: number;
  /** The entry from which on it may not sign any more. */
  readonly revokedAt: number | undefined;
}

/** The newest record of a subject. */
export interface LatestRecord {
  readonly index: number;
  /** 32 bytes */
  readonly leaf: Uint8Array;
}

/** Takes one `apply` back. */
export type Undo = () => void;

/** What the first entries of a log amount to: who may sign, and which rules are in force for the next entry. */
export class GovernanceState {
  /** Undefined until entry 0 is replayed. */
  charter: RecordOf<'charter'> | undefined;
  policy: PolicyBody | undefined;
  /** The entry that brought the policy in force. */
  policyIndex = 0;
  readonly #identities = new Map<string, Identity>();
  readonly #latest = new Map<string, LatestRecord>();
  #freezes: readonly { readonly on: string; readonly until: number | undefined; readonly index: number }[] = [];

  /** The identity whose key has this RFC 9679 thumbprint (32 bytes), revoked ones included. */
  identity(kid: Uint8Array): Identity | undefined {
    return this.#identities.get(hex(kid));
  }

  /** All identities, revoked ones included, in the order of enrolment. */
  identities(): Identity[] {
    return [...this.#identities.values()];
  }

  /** The newest record of a subject. */
  latest(subject: string): LatestRecord | undefined {
    return this.#latest.get(subject);
  }

  /** The freezes that were recorded. */
  freezes(): readonly { readonly on: string; readonly until: number | undefined; readonly index: number }[] {
    return this.#freezes;
  }

  /** Remembers the newest record of a subject whose entry is not replayed through `apply`. */
  setLatest(subject: string, latest: LatestRecord): void {
    this.#latest.set(subject, latest);
  }

  /**
   * Takes an admitted entry in. It does not decide: call `admit` first.
   * @returns a function that takes exactly this entry back, for a batch that could not be committed; last in, first out
   */
  apply(index: number, candidate: Candidate): Undo {
    const { statement, record, leaf } = candidate;
    // What can fail comes first, so that an entry that cannot be applied leaves nothing behind.
    const undos = [this.#applyRecord(index, record), put(this.#latest, statement.sub, { index, leaf })];
    return () => {
      for (const undo of undos.reverse()) undo();
    };
  }

  #applyRecord(index: number, record: ChangeRecord | undefined): Undo {
    switch (record?.type) {
      case 'charter':
        return this.#applyCharter(index, record);
      case 'identity':
        return record.action === 'enrol' ? this.#enrol(index, record) : this.#revoke(index, record);
      case 'policy':
        return this.#setPolicy(index, record.policy);
      case 'freeze': {
        const before = this.#freezes;
        this.#freezes = [...before, { on: record.on, until: record.until, index }];
        return () => {
          this.#freezes = before;
        };
      }
      default:
        return () => undefined;
    }
  }

  #setPolicy(index: number, policy: PolicyBody): Undo {
    const { policy: oldPolicy, policyIndex: oldIndex } = this;
    this.policy = policy;
    this.policyIndex = index;
    return () => {
      this.policy = oldPolicy;
      this.policyIndex = oldIndex;
    };
  }

  #applyCharter(index: number, charter: RecordOf<'charter'>): Undo {
    if (this.charter !== undefined) throw new GovernanceError('governance/charter-exists', 'a log has one charter');
    const administrators = charter.administrators.map((a) => ({ ...a, key: parseCoseKey(a.key) }));
    this.charter = charter;
    const undos = [this.#setPolicy(index, charter.policy)];
    for (const { id, key, roles } of administrators) {
      undos.push(
        put(this.#identities, hex(coseKeyThumbprint(key)), {
          id,
          key,
          kind: 'person',
          roles,
          validUntil: undefined,
          administrator: true,
          enrolledAt: index,
          revokedAt: undefined,
        }),
      );
    }
    return () => {
      for (const undo of undos.reverse()) undo();
      this.charter = undefined;
    };
  }

  #enrol(index: number, record: RecordOf<'identity'>): Undo {
    const key = parseCoseKey(record.key as Uint8Array);
    const kid = hex(coseKeyThumbprint(key));
    return put(this.#identities, kid, {
      id: record.id,
      key,
      kind: record.kind as Identity['kind'],
      roles: record.roles as readonly string[],
      validUntil: record.valid_until,
      administrator: this.#identities.get(kid)?.administrator ?? false,
      enrolledAt: index,
      revokedAt: undefined,
    });
  }

  #revoke(index: number, record: RecordOf<'identity'>): Undo {
    const only = record.key === undefined ? undefined : hex(coseKeyThumbprint(parseCoseKey(record.key)));
    const undos: Undo[] = [];
    for (const [kid, identity] of this.#identities) {
      const meant = identity.id === record.id && (only === undefined || only === kid) && identity.revokedAt === undefined;
      if (meant) undos.push(put(this.#identities, kid, { ...identity, revokedAt: index }));
    }
    return () => {
      for (const undo of undos) undo();
    };
  }
}

/** Sets a map's entry and returns what brings the old one back. */
function put<K, V>(map: Map<K, V>, key: K, value: V): Undo {
  const had = map.has(key);
  const before = map.get(key);
  map.set(key, value);
  return () => {
    if (had) map.set(key, before as V);
    else map.delete(key);
  };
}
