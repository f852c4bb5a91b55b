import {
  type CborInput,
  CborTag,
  coseKeyThumbprint,
  encodeCbor,
  HEADER,
  parseStatement,
  type StatementSigner,
  sigStructure,
} from '@treering/statement';
import { admit, authenticate, type Candidate, createCandidate, type Decision, type Means } from '../src/index.js';
import { type GovernedLog, NOW } from './governed-log.js';

const PAYLOAD = new TextEncoder().encode('{"_type":"https://in-toto.io/Statement/v1"}');

/** What a foreign statement says; `null` leaves it out. */
export interface ForeignParts {
  readonly iss?: string;
  readonly sub?: string;
  readonly iat?: number | null;
  readonly contentType?: string | null;
  readonly kid?: Uint8Array;
  readonly payload?: Uint8Array;
  /** Further headers. */
  readonly header?: readonly [number, CborInput][];
}

/** Signs a foreign statement and reads it back as the log would. */
export async function foreignOf(signer: StatementSigner, parts: ForeignParts = {}): Promise<Candidate> {
  const { iss = 'https://supplier.example', sub = 'model/score', iat = NOW, payload = PAYLOAD } = parts;
  const { contentType = 'application/vnd.in-toto+json', kid = coseKeyThumbprint(signer.key), header = [] } = parts;
  const claims: [number, CborInput][] = [
    [1, iss],
    [2, sub],
  ];
  if (iat !== null) claims.push([6, iat]);
  const protectedBytes = encodeCbor(
    new Map<number, CborInput>([
      [HEADER.algorithm, signer.algorithm],
      [HEADER.keyId, kid],
      [HEADER.cwtClaims, new Map(claims)],
      ...(contentType === null ? [] : ([[HEADER.contentType, contentType]] as const)),
      ...header,
    ]),
  );
  const signature = await signer.sign(sigStructure(protectedBytes, payload));
  return createCandidate(parseStatement(encodeCbor(new CborTag(18, [protectedBytes, {}, payload, signature]))));
}

/** What the log decides on a foreign statement: first its signatures, then the rules. */
export async function decideForeign(log: GovernedLog, candidate: Candidate, means?: Means): Promise<Decision> {
  const checked = await authenticate(log.state, candidate, means);
  return checked.held ? admit(log.state, checked.candidate) : checked.refusal;
}
