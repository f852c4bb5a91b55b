import type { PolicyBody, RecordOf } from '@treering/record';
import type { CoseKey } from '@treering/statement';
import type { AssessmentFact, EvaluationFact, IncidentFact, Tolerance } from './gate-facts.js';
import { HashIndex } from './hash-index.js';

/** A key that may sign, and for whom. */
export interface Identity {
  readonly id: string;
  readonly key: CoseKey;
  readonly kind: 'person' | 'workload';
  readonly roles: readonly string[];
  /** Seconds since the epoch; undefined for administrators of the charter, who stay until they are revoked. */
  readonly validUntil: number | undefined;
  readonly administrator: boolean;
  /** The entry that enrolled it. */
  readonly enrolledAt: number;
  /** What enrolled it (`enrollerOf`): nothing else gives this id further keys, but administrators. */
  readonly enrolledBy: string;
  /** The entry from which on it may not sign any more. */
  readonly revokedAt: number | undefined;
}

/** The newest record of a subject. */
export interface LatestRecord {
  readonly index: number;
  /** 32 bytes */
  readonly leaf: Uint8Array;
}

/** The newest record of one type on a subject: what approvals are about. */
export interface Version extends LatestRecord {
  readonly subject: string;
  /** A record type, or `foreign`. */
  readonly type: string;
  /**
   * Whose change it is: the ids of those who signed it or the same model or configuration before and, for a deployment, of the
   * authors of those that it names.
   */
  readonly authors: readonly string[];
  readonly deployment: DeploymentFacts | undefined;
}

/** A model or a configuration that was recorded, in whatever version. */
export interface Content {
  readonly type: 'model' | 'config';
  /** What it is, whatever it is called: a model's digest, or `configDigest`; 64 hex digits. */
  readonly digest: string;
  /** Whose change it is, by id. */
  readonly authors: readonly string[];
}

/** What a deployment record says that a later one may continue. Digests and leaf hashes in hex. */
export interface DeploymentFacts {
  readonly phase: 'intent' | 'active' | 'ended';
  readonly model: string;
  readonly config: string;
  readonly state: string;
  readonly image: string;
  readonly approvals: readonly string[];
  readonly breakGlass: boolean;
}

/** One person's decision about one entry. */
export interface ApprovalFact {
  readonly id: string;
  /** RFC 9679 thumbprint of the key that signed, 64 hex digits. */
  readonly kid: string;
  readonly decision: 'approve' | 'reject';
  readonly role: string;
  /** Seconds since the epoch. */
  readonly iat: number;
  /** Milliseconds since the epoch. */
  readonly expires: number | undefined;
  readonly index: number;
  /** Leaf hash of the approval, 64 hex digits. */
  readonly leaf: string;
}

/** A policy, an amendment or a freeze that waits for more administrators to agree. */
export interface Proposal extends LatestRecord {
  readonly record: RecordOf<'policy'> | RecordOf<'amendment'> | RecordOf<'freeze'>;
  /** Thumbprints of the administrators' keys that agreed, the author's first; 64 hex digits each. */
  readonly agreed: readonly string[];
}

/** A freeze that was recorded. */
export interface Freeze {
  readonly on: string;
  /** Seconds since the epoch. */
  readonly until: number | undefined;
  readonly index: number;
}

/** Everything that a state consists of. */
export interface StateParts {
  charter: RecordOf<'charter'> | undefined;
  policy: PolicyBody | undefined;
  policyIndex: number;
  threshold: number;
  logKeys: readonly string[];
  witnesses: readonly string[];
  freezes: readonly Freeze[];
  readonly identities: Map<string, Identity>;
  readonly latest: Map<string, LatestRecord>;
  /** By `<type> <subject>`. */
  readonly versions: Map<string, Version>;
  /** By the leaf hash of the newest version in hex. */
  readonly approvals: Map<string, readonly ApprovalFact[]>;
  /** Each model and configuration that was ever recorded, by leaf hash in hex. */
  readonly contents: Map<string, Content>;
  /** Whose change each model and configuration is, by type and digest, whatever it was recorded as. */
  readonly makers: Map<string, readonly string[]>;
  /** By `combination` of model and configuration. */
  readonly evaluations: Map<string, readonly EvaluationFact[]>;
  /** What change plans ask for, by their leaf hash in hex. */
  readonly plans: Map<string, readonly Tolerance[]>;
  /** The newest assessment by each person, by `contentKey` of what is assessed. */
  readonly assessments: Map<string, readonly AssessmentFact[]>;
  /** Open incidents by subject. */
  readonly incidents: Map<string, IncidentFact>;
  /** By subject: `policy`, `charter` or `freeze/<name>`. */
  readonly proposals: Map<string, Proposal>;
  /** OIDC tokens that enrolled a key, by SHA-256 in hex, with the index of the entry. */
  readonly tokens: Map<string, number>;
  /** Bytes that an identity attached, or logged in with, on its newest day (days since the epoch, UTC). */
  readonly attached: Map<string, { readonly day: number; readonly bytes: number }>;
  /** All entries, by what `entryKey` makes of leaf hash and subject. */
  readonly entries: HashIndex;
  /** The entries that named each attachment first, by its digest. */
  readonly attachments: HashIndex;
  /** The largest `iat` of a statement that an enrolled key signed. */
  newestTime: number;
}

/** The parts of an empty state. */
export function emptyParts(): StateParts {
  return {
    charter: undefined,
    policy: undefined,
    policyIndex: 0,
    threshold: 1,
    logKeys: [],
    witnesses: [],
    freezes: [],
    identities: new Map(),
    latest: new Map(),
    versions: new Map(),
    approvals: new Map(),
    contents: new Map(),
    makers: new Map(),
    evaluations: new Map(),
    plans: new Map(),
    assessments: new Map(),
    incidents: new Map(),
    proposals: new Map(),
    tokens: new Map(),
    attached: new Map(),
    entries: new HashIndex(),
    attachments: new HashIndex(),
    newestTime: 0,
  };
}
