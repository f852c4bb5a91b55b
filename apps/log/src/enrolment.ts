import { createHmac, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { clockSkew, rolesFor } from '@treering/governance';
import { type OpenedKey, requireStatementSigner } from '@treering/keys';
import { nodeHasher } from '@treering/merkle/node';
import { readSecretFile, writeSecretFile } from '@treering/note/node';
import { type Attachment, createAttachment, encodeRecord, type OidcProvider, type RecordOf } from '@treering/record';
import { Problem } from '@treering/server';
import {
  type CoseKey,
  coseKeyThumbprint,
  decodeCbor,
  encodeCoseKey,
  parseCoseKey,
  parseStatement,
  type StatementSigner,
  signatureCheck,
  signStatement,
} from '@treering/statement';
import { checkSignatureOffThread } from '@treering/statement/node';
import { ENROLMENT_CONTENT_TYPE } from './content-types.js';
import type { Accepted, Log } from './log.js';
import type { TokenVerifier, VerifiedToken } from './oidc.js';
import { formatEvidence } from './oidc-evidence.js';
import { bindingMistake } from './token-binding.js';

/** What came of an enrolment. */
export interface Enrolled {
  readonly accepted: Accepted;
  readonly record: RecordOf<'identity'>;
}

/** Exchanges tokens of the policy's identity providers for enrolments, which the registrar's key signs. */
export class Registrar {
  readonly #log: Log;
  readonly #name: string;
  readonly #signer: StatementSigner;
  readonly #verifier: TokenVerifier;
  readonly #secret: Uint8Array;
  /** Tokens whose enrolment is under way: the log refuses a second one only after the first is committed. */
  readonly #pending = new Set<string>();

  constructor(log: Log, key: OpenedKey, verifier: TokenVerifier, secret: Uint8Array) {
    this.#log = log;
    this.#name = key.name;
    this.#signer = requireStatementSigner(key);
    this.#verifier = verifier;
    this.#secret = secret;
  }

  /**
   * Enrols a key by a token.
   * @param request a fresh statement about `enrolment/<provider>`, signed with the new key; its payload is {token, key} in CBOR
   * @throws Problem 400, 401, 403, 409 or 503
   */
  async enrol(request: Uint8Array): Promise<Enrolled> {
    const { provider, key, token, iat } = await this.#readRequest(request);
    const kid = coseKeyThumbprint(key);
    const verified = await this.#verifier.verify(provider, token, this.#log.clock(), this.#log.origin, kid);
    await checkBinding(provider, verified, key, this.#log.origin);
    const roles = rolesFor(provider, verified.claims);
    if (roles.length === 0)
      throw new Problem(403, 'enrolment/no-grant', 'the token holds, but no grant of the policy is for what it says', {
        rule: `oidc/${provider.name}`,
      });
    const pending = verified.digest.toString('hex');
    if (this.#pending.has(pending)) throw new Problem(409, 'governance/token-used', 'this token is enrolling a key right now');
    this.#pending.add(pending);
    try {
      const now = Math.floor(this.#log.clock() / 1000);
      const evidence = createAttachment(formatEvidence(provider, verified, now), EVIDENCE, new Uint8Array(randomBytes(16)));
      const record = this.#record(provider, verified, key, roles, evidence, Math.min(iat, now));
      const claims = { iss: `${this.#log.origin}/identity/${this.#name}`, sub: record.subject, iat: now };
      const statement = await signStatement(claims, encodeRecord(record), this.#signer);
      const leaf = nodeHasher.hashLeaf(statement.entry);
      const accepted = await this.#log.evidence.during({ ...evidence, leaf }, () => this.#log.submit(statement.entry));
      return { accepted, record };
    } finally {
      this.#pending.delete(pending);
    }
  }

  async #readRequest(bytes: Uint8Array): Promise<{ provider: OidcProvider; key: CoseKey; token: string; iat: number }> {
    const statement = parseStatement(bytes);
    const malformed = (why: string): never => {
      throw new Problem(400, 'enrolment/malformed', why);
    };
    if (statement.contentType !== ENROLMENT_CONTENT_TYPE) malformed('this is no request for an enrolment');
    const payload = decodeCbor(statement.payload, { tags: [] });
    const token = payload instanceof Map ? payload.get('token') : undefined;
    const keyBytes = payload instanceof Map ? payload.get('key') : undefined;
    if (typeof token !== 'string' || token.length > 16_384 || !(keyBytes instanceof Uint8Array))
      return malformed('the payload of the request is {"token": text, "key": COSE_Key in bytes}');
    const key = parseCoseKey(keyBytes);
    const { state } = this.#log.admission;
    const name = /^enrolment\/(.+)$/.exec(statement.sub)?.[1];
    const provider = state.policy?.oidc?.find((known) => known.name === name);
    if (provider === undefined)
      throw new Problem(403, 'enrolment/unknown-provider', `the policy names no identity provider ${name ?? ''}`);
    const now = Math.floor(this.#log.clock() / 1000);
    const skew = clockSkew(state);
    if (Math.abs((statement.iat as number) - now) > skew)
      throw new Problem(
        401,
        'governance/clock',
        `the request is not of the last ${skew} seconds; check your clock and sign again`,
      );
    if (statement.iss !== `${this.#log.origin}/enrolment`) malformed('the issuer of the request must be <origin>/enrolment');
    const kid = Buffer.from(coseKeyThumbprint(key));
    if (!kid.equals(statement.kid as Uint8Array) || !(await checkSignatureOffThread(signatureCheck(statement.sign1, key))))
      throw new Problem(401, 'cose/bad-signature', 'the request is not signed with the key that it wants enrolled');
    return { provider, key, token, iat: statement.iat as number };
  }

  #record(
    provider: OidcProvider,
    token: VerifiedToken,
    key: CoseKey,
    roles: readonly string[],
    evidence: Attachment,
    iat: number,
  ): RecordOf<'identity'> {
    const id = `${provider.prefix}-${pseudonym(this.#secret, String(token.claims.iss), String(token.claims.sub))}`;
    return {
      v: 1,
      type: 'identity',
      subject: `identity/${id}`,
      reason: `Enrolled by a token of ${provider.name} for ${roles.join(', ')}.`,
      action: 'enrol',
      id,
      key: encodeCoseKey(key),
      kind: provider.kind,
      roles: [...roles],
      valid_until: iat + provider.valid_for,
      evidence: { digest: evidence.ref.digest, access: 'restricted' },
      oidc: { provider: provider.name, token: new Uint8Array(token.digest) },
      attachments: [evidence.ref],
    };
  }
}

const EVIDENCE = { name: 'oidc-evidence.json', media_type: 'application/json', access: 'restricted' } as const;

/** @throws Problem 401 */
async function checkBinding(provider: OidcProvider, { claims }: VerifiedToken, key: CoseKey, origin: string): Promise<void> {
  const wrong = await bindingMistake(provider, claims, key, origin);
  if (wrong !== undefined) throw new Problem(401, 'enrolment/not-bound', `the token is not bound to the key: ${wrong}`);
}

/** 130 bits in base32: the same for the same person, and nothing to anybody without the secret. */
function pseudonym(secret: Uint8Array, issuer: string, subject: string): string {
  const digest = createHmac('sha256', secret)
    .update(JSON.stringify([issuer, subject]))
    .digest();
  let bits = '';
  for (const byte of digest) bits += byte.toString(2).padStart(8, '0');
  const letters = 'abcdefghijklmnopqrstuvwxyz234567';
  return Array.from({ length: 26 }, (_, i) => letters[Number.parseInt(bits.slice(i * 5, i * 5 + 5), 2)]).join('');
}

/** The secret of the pseudonyms, made on first use. Without it, people who enrol again get other ids. */
export async function pseudonymSecret(path: string): Promise<Uint8Array> {
  if (!existsSync(path)) await writeSecretFile(path, `${randomBytes(32).toString('hex')}\n`);
  const text = (await readSecretFile(path, 'secret of the pseudonyms')).trim();
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Problem(500, 'internal', `${path} does not hold 64 hex digits`);
  return new Uint8Array(Buffer.from(text, 'hex'));
}
