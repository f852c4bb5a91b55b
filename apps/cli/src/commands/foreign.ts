import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { looksLikeBundle } from '@treering/governance';
import { printable } from '@treering/record';
import { signStatement } from '@treering/statement';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { submitRetrying } from '../submit.js';

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
 * hash envelope, RFC 9995).
 */
export async function recordForeign(session: Session, path: string, flags: ForeignFlags): Promise<void> {
  const { terminal, cwd } = session;
  const bytes = new Uint8Array(await readFile(resolve(cwd, path)));
  const contentType = flags.contentType ?? guess(path, bytes);
  const { iss, signer } = await session.signer();
  const about = { iss, sub: flags.subject, iat: Math.floor(Date.now() / 1000) };
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

/** The media type of what common tools write. */
function guess(path: string, bytes: Uint8Array): string {
  let json: { mediaType?: unknown; payloadType?: unknown; _type?: unknown };
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof json;
  } catch {
    throw new UsageError(`${path} is no JSON; --content-type says what it is`);
  }
  if (typeof json?.mediaType === 'string' && json.mediaType.includes('sigstore')) return json.mediaType;
  if (typeof json?.payloadType === 'string') return 'application/vnd.dsse.envelope.v1+json';
  if (typeof json?._type === 'string' && json._type.startsWith('https://in-toto.io/Statement/'))
    return 'application/vnd.in-toto+json';
  throw new UsageError(`${path} is no bundle, envelope or in-toto statement that is known; --content-type says what it is`);
}
