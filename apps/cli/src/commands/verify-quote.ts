import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  type AttestationEvidence,
  decodeEvidence,
  EVIDENCE_TYPE,
  quoteHolds,
  REQUIRED_QUOTE_CLAIMS,
  verifyQuote,
} from '@treering/attestation';
import { nodeEd25519 } from '@treering/note/node';
import { printable } from '@treering/record';
import { type CoseKey, parseCoseKey } from '@treering/statement';
import { enrolledAttestationKey } from '../attested-key.js';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { p256Key } from '../tpm.js';
import { printClaims } from './print-claims.js';

/** Flags of `verify-quote`. */
export interface VerifyQuoteFlags {
  /** File of the attestation key. */
  readonly ak?: string;
  /** The id under which the log enrols it. */
  readonly enrolled?: string;
  readonly previous?: string;
  readonly deployment?: string;
  readonly state?: string;
  readonly verbose?: boolean;
}

/** `verify-quote`: what the evidence of an attestation proves. Without --enrolled no request is made. */
export async function verifyQuoteFile(session: Session, path: string, flags: VerifyQuoteFlags): Promise<number> {
  const { terminal } = session;
  if ((flags.ak === undefined) === (flags.enrolled === undefined))
    throw new UsageError('say whose key counts: --key <file> for one that you know, or --enrolled <id> for the one in the log');
  const evidence = await readEvidence(session, path);
  const previous = flags.previous === undefined ? undefined : await readEvidence(session, flags.previous);
  const deployment = digestOf(flags.deployment, '--deployment');
  const state = digestOf(flags.state, '--state');
  const enrolled = await keyThatCounts(session, evidence, flags);
  const { claims } = verifyQuote(evidence, {
    log: session.trust(),
    enrolled,
    ...(deployment === undefined ? {} : { deployment }),
    ...(state === undefined ? {} : { state }),
    ...(previous === undefined ? {} : { previous }),
    ed25519: nodeEd25519,
  });
  const required = previous === undefined ? REQUIRED_QUOTE_CLAIMS : [...REQUIRED_QUOTE_CLAIMS, 'interval' as const];
  const good = quoteHolds(claims, required);
  printClaims(terminal, claims, flags.verbose ?? false);
  terminal.line();
  terminal.line(good ? terminal.colour('good', 'The quote holds.') : terminal.colour('bad', 'The quote does not hold.'));
  terminal.result({
    verified: good,
    media_type: EVIDENCE_TYPE,
    deployment: hex(evidence.deployment),
    state: hex(evidence.state),
    events: evidence.events.map(({ kind, name, digest }) => ({ kind, name, digest: hex(digest) })),
    required,
    claims,
  });
  return good ? EXIT.ok : EXIT.failed;
}

/** The key of a file, or the one that the log enrols under an id. */
async function keyThatCounts(
  session: Session,
  { key }: AttestationEvidence,
  { ak, enrolled }: VerifyQuoteFlags,
): Promise<{ key: CoseKey; by: string }> {
  if (ak !== undefined) return { key: await readKey(session, ak), by: printable(ak) };
  const found = await enrolledAttestationKey(session, session.client(), enrolled as string, key);
  return { key: found.key, by: `entry ${found.index}` };
}

/** @throws UsageError, or AttestationError for what is no evidence */
async function readEvidence(session: Session, path: string): Promise<AttestationEvidence> {
  return decodeEvidence(await readSmall(session, path, 64 * 1024 * 1024));
}

/** A public key on P-256, as PEM or COSE_Key. @throws UsageError */
async function readKey(session: Session, path: string): Promise<CoseKey> {
  const bytes = await readSmall(session, path, 65_536);
  try {
    const text = Buffer.from(bytes).toString('latin1');
    const key = text.startsWith('-----BEGIN') ? p256Key(text) : parseCoseKey(bytes);
    if (key?.curve === 'P-256') return key;
  } catch (error) {
    throw new UsageError(`${printable(path)} holds no key: ${(error as Error).message}`);
  }
  throw new UsageError(`the key in ${printable(path)} is not on P-256: no other attests here`);
}

async function readSmall(session: Session, path: string, most: number): Promise<Uint8Array> {
  const full = resolve(session.cwd, path);
  const { size } = await stat(full);
  if (size > most) throw new UsageError(`${printable(path)} has ${size} bytes, and may have ${most}`);
  return new Uint8Array(await readFile(full));
}

function digestOf(text: string | undefined, option: string): Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9a-f]{64}$/.test(text)) throw new UsageError(`${option} takes 64 hex digits`);
  return new Uint8Array(Buffer.from(text, 'hex'));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
