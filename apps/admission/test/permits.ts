import { encodeRecord, type RecordOf, stateDigest } from '@treering/record';
import { type StatementSigner, signStatement } from '@treering/statement';
import { author, makeProof, ORIGIN, type ProofParts } from '../../../packages/evidence/test/fixture.js';

// Permits of a log, witnesses and a signer that exist in the tests only.

export const MODEL = 'a1'.repeat(32);
export const CONFIG = 'b2'.repeat(32);
export const IMAGE = 'c3'.repeat(32);
/** A digest that nothing is permitted for. */
export const OTHER = 'd4'.repeat(32);

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
/** Seconds since the epoch. */
export const now = (): number => Math.floor(Date.now() / 1000);

/** How a permit differs from that of the service triage in prod. */
export interface PermitChange {
  readonly environment?: string;
  readonly service?: string;
  readonly phase?: RecordOf<'deployment'>['phase'];
  readonly model?: string;
  readonly config?: string;
  /** null for a deployment without an image. */
  readonly image?: string | null;
  /** Seconds since the epoch. */
  readonly iat?: number;
  readonly signer?: StatementSigner;
  readonly proof?: Partial<ProofParts>;
}

export async function permit(change: PermitChange = {}): Promise<Uint8Array> {
  const { environment = 'prod', service = 'triage', phase = 'intent', model = MODEL, config = CONFIG } = change;
  const image = change.image === null ? undefined : bytesOf(change.image ?? IMAGE);
  const subject = `deploy/${environment}/${service}`;
  const payload = encodeRecord({
    v: 1,
    type: 'deployment',
    subject,
    reason: 'The tests put a service into operation.',
    phase,
    environment,
    service,
    // Which entries they are is not what a permit is checked for: the state holds their content.
    model: new Uint8Array(32).fill(1),
    config: new Uint8Array(32).fill(2),
    state: stateDigest(bytesOf(model), bytesOf(config), image),
    approvals: [],
    ...(image === undefined ? {} : { image }),
  });
  const claims = { iss: `${ORIGIN}/identity/alice`, sub: subject, iat: change.iat ?? now() };
  const { entry } = await signStatement(claims, payload, change.signer ?? author);
  return makeProof({ entry, ...change.proof });
}
