import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { nodeMeans } from '@treering/foreign/node';
import { looksLikeBundle } from '@treering/governance';
import { printable } from '@treering/record';
import { signStatement } from '@treering/statement';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { submitRetrying } from '../submit.js';
import { policyInForce } from './policy.js';

/** Flags of `record foreign`. */
export interface ForeignFlags {
  readonly subject: string;
  readonly contentType?: string;
  readonly hash?: boolean;
  readonly location?: string;
  readonly out?: string;
  readonly wait: boolean;
}

const SHA256 = -16;

/**
 * `record foreign`: logs what another tool made, unchanged: a model signing or Sigstore bundle, a DSSE envelope, an in-toto
 * statement. Bundles are verified by the log under the issuers that its policy names. With --hash only the digest is logged (COSE
 * hash envelope, RFC 9995). What the log cannot see to be a bundle is verified here before it is signed.
 */
export async function recordForeign(session: Session, path: string, flags: ForeignFlags): Promise<void> {
  const { terminal, cwd } = session;
  const bytes = new Uint8Array(await readFile(resolve(cwd, path)));
  const kind = kindOf(bytes);
  const bundle = kind !== undefined && looksLikeBundle(kind);
  // The log takes no digest for a bundle: it could not verify it.
  const contentType = flags.contentType ?? (bundle && flags.hash ? 'application/json' : kind);
  if (contentType === undefined)
    throw new UsageError(`${path} is no bundle, envelope or in-toto statement that is known; --content-type says what it is`);
  const iat = Math.floor(Date.now() / 1000);
  const unseen = bundle && (flags.hash || !looksLikeBundle(contentType));
  if (unseen) await requireVerified(session, path, kind, bytes, iat);
  const { iss, signer } = await session.signer();
  const about = { iss, sub: flags.subject, iat };
  const digest = new Uint8Array(createHash('sha256').update(bytes).digest());
  const statement = flags.hash
    ? await signStatement({ ...about, envelope: { algorithm: SHA256, contentType, location: flags.location } }, digest, signer)
    : await signStatement({ ...about, contentType }, bytes, signer);
  const logged = await submitRetrying(session.client(), statement, flags.wait ? 'witnessed' : 'commit');
  const proof = flags.out === undefined ? join(cwd, `${basename(path)}.tlog-proof`) : resolve(cwd, flags.out);
  await mkdir(dirname(proof), { recursive: true });
  await writeFile(proof, logged.proofFile);
  const leaf = Buffer.from(logged.leaf).toString('hex');
  terminal.line(
    `${terminal.colour('good', '✓')} ${terminal.bold(`${printable(contentType)} on ${printable(flags.subject)}`)} is entry ${logged.index}${logged.duplicate ? ' (it was logged before)' : ''}`,
  );
  terminal.line(`  leaf   ${leaf}`);
  if (looksLikeBundle(contentType) && !flags.hash)
    terminal.line('  the log verified the signatures within under an issuer of its policy');
  if (unseen)
    terminal.line('  the signatures within were verified here, under an issuer of the policy; the log does not see them');
  terminal.line(`  proof  ${printable(proof)}`);
  terminal.result({
    index: logged.index,
    leaf,
    subject: flags.subject,
    content_type: contentType,
    duplicate: logged.duplicate,
    proof,
  });
}

/** @throws UsageError unless a bundle holds under an issuer of the policy that the log says is in force */
async function requireVerified(session: Session, path: string, kind: string, bytes: Uint8Array, at: number): Promise<void> {
  const { policy } = await policyInForce(session);
  try {
    await nodeMeans.bundle(kind, bytes, policy.issuers ?? [], at);
  } catch (error) {
    throw new UsageError(`${path} is a bundle that does not hold, and is not signed: ${(error as Error).message}`);
  }
}

/** The media type of what common tools write, by its content; undefined for anything else. */
export function kindOf(bytes: Uint8Array): string | undefined {
  let json: { mediaType?: unknown; payloadType?: unknown; _type?: unknown };
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof json;
  } catch {
    // No JSON, which all of them are.
    return undefined;
  }
  if (typeof json?.mediaType === 'string' && json.mediaType.includes('sigstore')) return json.mediaType;
  if (typeof json?.payloadType === 'string') return 'application/vnd.dsse.envelope.v1+json';
  if (typeof json?._type === 'string' && json._type.startsWith('https://in-toto.io/Statement/'))
    return 'application/vnd.in-toto+json';
  return undefined;
}
