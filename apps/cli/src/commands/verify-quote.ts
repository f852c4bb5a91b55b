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
import { deployedNow, deploymentOf } from '../deployed-files.js';
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
  /** The deployment in service of an environment and a service, by the log. */
  readonly env?: string;
  readonly service?: string;
  /** The evidence may be for whatever it says itself. */
  readonly anyDeployment?: boolean;
  /** The register that has to be quoted. */
  readonly pcr: number;
  readonly verbose?: boolean;
}

/** The deployment that a quote has to be for. */
interface Wanted {
  readonly deployment?: Uint8Array;
  readonly state?: Uint8Array;
  /** Where it stands by the log, for people and in JSON. */
  readonly found?: { readonly text: string; readonly index: number; readonly in_service: number | null };
}

/**
 * `verify-quote`: what the evidence of an attestation proves. No request is made with --key, unless --env and --service ask for what is
 * in service.
 */
export async function verifyQuoteFile(session: Session, path: string, flags: VerifyQuoteFlags): Promise<number> {
  const { terminal } = session;
  if ((flags.ak === undefined) === (flags.enrolled === undefined))
    throw new UsageError('say whose key counts: --key <file> for one that you know, or --enrolled <id> for the one in the log');
  const evidence = await readEvidence(session, path);
  const previous = flags.previous === undefined ? undefined : await readEvidence(session, flags.previous);
  const { found, ...wanted } = await deploymentThatCounts(session, evidence, flags);
  const enrolled = await keyThatCounts(session, evidence, flags);
  const { claims } = verifyQuote(evidence, {
    log: session.trust(),
    enrolled,
    ...wanted,
    pcr: flags.pcr,
    ...(previous === undefined ? {} : { previous }),
    ed25519: nodeEd25519,
  });
  const required = [
    ...REQUIRED_QUOTE_CLAIMS.filter((name) => name !== 'deployment' || flags.anyDeployment !== true),
    ...(previous === undefined ? [] : (['interval'] as const)),
  ];
  const good = quoteHolds(claims, required);
  printClaims(terminal, claims, flags.verbose ?? false);
  terminal.line();
  if (found !== undefined) terminal.line(`${found.text}.`);
  if (flags.anyDeployment === true) terminal.line('Which deployment and state it is for is only what the host says.');
  terminal.line(good ? terminal.colour('good', 'The quote holds.') : terminal.colour('bad', 'The quote does not hold.'));
  terminal.result({
    verified: good,
    media_type: EVIDENCE_TYPE,
    deployment: hex(evidence.deployment),
    state: hex(evidence.state),
    ...(found === undefined ? {} : { deployed_by: found.index, in_service: found.in_service }),
    pcr: evidence.pcr,
    events: evidence.events.map(({ kind, name, digest }) => ({ kind, name, digest: hex(digest) })),
    required,
    claims,
  });
  return good ? EXIT.ok : EXIT.failed;
}

/**
 * The deployment that is given, that is in service, or that the evidence names and the log holds. Without any of these, or when the log
 * does not hold it, nothing is wanted and nothing is proved.
 */
async function deploymentThatCounts(session: Session, evidence: AttestationEvidence, flags: VerifyQuoteFlags): Promise<Wanted> {
  const { env, service, anyDeployment = false } = flags;
  const deployment = digestOf(flags.deployment, '--deployment');
  const state = digestOf(flags.state, '--state');
  if ((deployment === undefined) !== (state === undefined))
    throw new UsageError('--deployment and --state belong together: neither says the other');
  if ((env === undefined) !== (service === undefined)) throw new UsageError('--env and --service belong together');
  if ([deployment !== undefined, env !== undefined, anyDeployment].filter(Boolean).length > 1)
    throw new UsageError('say in one way which deployment counts: --deployment, --env or --any-deployment');
  if (anyDeployment) return {};
  if (deployment !== undefined && state !== undefined) return { deployment, state };
  if (env !== undefined && service !== undefined) {
    const { index, leaf, record } = await deployedNow(session, session.client(), env, service);
    const text = `Entry ${index} is in service on ${record.subject}, by the log`;
    return { deployment: leaf, state: record.state, found: { text, index, in_service: index } };
  }
  if (flags.enrolled === undefined) return {};
  const named = await deploymentOf(session, session.client(), evidence.deployment);
  if (named === undefined) return {};
  const { index, record, inService } = named;
  const instead = inService === undefined ? 'nothing is' : `entry ${inService} is`;
  const stands = inService === index ? 'is in service' : `is not in service (${instead})`;
  const text = `It is for entry ${index}, which ${stands} on ${record.subject}, by the log`;
  return { deployment: evidence.deployment, state: record.state, found: { text, index, in_service: inService ?? null } };
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
