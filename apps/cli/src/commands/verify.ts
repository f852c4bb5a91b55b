import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  type Claim,
  EvidenceError,
  holds,
  isAlarmProof,
  isCose,
  isPack,
  REQUIRED_CLAIMS,
  REQUIRED_RECEIPT_CLAIMS,
  verifyAlarmProof,
  verifyCoseReceipt,
  verifyTlogProof,
} from '@treering/evidence';
import { nodeMeans } from '@treering/foreign/node';
import { nodeHasher } from '@treering/merkle/node';
import { KEY_TYPE, parsePolicy, parseVerifierKey, type TrustPolicy } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { type ChangeRecord, printable, renderRecord } from '@treering/record';
import { type CoseKey, createCoseKey } from '@treering/statement';
import { artifactClaims, REQUIRED_ARTIFACT_CLAIMS } from '../artifacts.js';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { printClaims } from './print-claims.js';
import { type VerifyPackFlags, verifyPackFile } from './verify-pack.js';

/** Flags of `verify`. */
export interface VerifyFlags extends VerifyPackFlags {
  readonly vkey?: readonly string[];
  readonly policy?: string;
  readonly signer?: readonly string[];
  readonly entry?: string;
  readonly observer?: readonly string[];
  readonly artifact?: readonly string[];
}

/** Verifies a proof file offline: no request is made, nothing is trusted but the keys that were given. */
export async function verify(session: Session, path: string, flags: VerifyFlags): Promise<number> {
  const { terminal } = session;
  const policy = await readPolicy(session, flags);
  const full = resolve(session.cwd, path);
  const artifacts = flags.artifact?.map((file) => resolve(session.cwd, file));
  const noArtifacts = (): void => {
    if (artifacts !== undefined) throw new UsageError('--artifact is about .tlog-proof files, and this is none');
  };
  // What can be read twice is read in pieces; a pipe gives its bytes once.
  if (await isPackFile(full)) {
    noArtifacts();
    return verifyPackFile(session, createReadStream(full), policy, flags);
  }
  const bytes = new Uint8Array(await readFile(full));
  if (isPack(bytes) || isAlarmProof(bytes) || isCose(bytes)) noArtifacts();
  if (isPack(bytes)) return verifyPackFile(session, bytes, policy, flags);
  if (flags.ask !== undefined) throw new UsageError('--ask is about evidence packs, and this file is none');
  const entry = flags.entry === undefined ? {} : { entry: new Uint8Array(await readFile(resolve(session.cwd, flags.entry))) };
  const verbose = flags.verbose ?? false;
  const means = { ...entry, hasher: nodeHasher, ed25519: nodeEd25519 };
  if (isAlarmProof(bytes)) {
    const { kind, origin, claims, required, record } = await verifyAlarmProof(bytes, {
      policy,
      observers: (flags.observer ?? []).map(observerKey),
      means: nodeMeans,
      hasher: nodeHasher,
      ed25519: nodeEd25519,
    });
    terminal.line(terminal.bold(`Proof of an alarm (${kind}) about ${printable(origin)}`));
    terminal.line();
    return report({ terminal, claims, record, good: holds(claims, required), verbose, more: { kind, origin } });
  }
  if (isCose(bytes)) {
    const { claims, record } = verifyCoseReceipt(bytes, { logs: receiptLogs(policy), ...means });
    const all = policy.quorum === 'none' ? claims : [...claims, NOT_COSIGNED];
    const required = [...REQUIRED_RECEIPT_CLAIMS, ...(policy.quorum === 'none' ? [] : [NOT_COSIGNED.name])];
    return report({ terminal, claims: all, record, good: holds(all, required), verbose, more: {} });
  }
  const found = verifyTlogProof(bytes, { policy, signerKeys: (flags.signer ?? []).map(signerKey), ...means });
  const claims = [...found.claims, ...(artifacts === undefined ? [] : await artifactClaims(found.statement, artifacts))];
  const required = [...REQUIRED_CLAIMS, ...(artifacts === undefined ? [] : REQUIRED_ARTIFACT_CLAIMS)];
  return report({
    terminal,
    claims,
    record: found.record,
    good: holds(claims, required),
    verbose,
    more: { index: exactIndex(found.index) },
  });
}

/** Prints what a file amounts to, and returns the exit code. */
function report({
  terminal,
  claims,
  record,
  good,
  verbose,
  more,
}: {
  readonly terminal: Session['terminal'];
  readonly claims: readonly Claim[];
  readonly record: ChangeRecord | undefined;
  readonly good: boolean;
  readonly verbose: boolean;
  readonly more: Readonly<Record<string, unknown>>;
}): number {
  if (record !== undefined && good) {
    const { title, facts } = renderRecord(record);
    terminal.line(terminal.bold(title));
    for (const { label, value } of facts) terminal.line(`  ${label}: ${value}`);
    terminal.line();
  }
  printClaims(terminal, claims, verbose);
  terminal.line();
  terminal.line(good ? terminal.colour('good', 'The proof holds.') : terminal.colour('bad', 'The proof does not hold.'));
  terminal.result({ verified: good, ...more, claims });
  return good ? EXIT.ok : EXIT.failed;
}

/** Whether a regular file begins as an evidence pack. */
async function isPackFile(path: string): Promise<boolean> {
  if (!(await stat(path)).isFile()) return false;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(12), 0, 12, 0);
    return isPack(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/** Whatever the policy's quorum is, no receipt meets it. */
const NOT_COSIGNED: Claim = {
  name: 'quorum',
  verdict: 'not proved',
  text: 'The trust policy asks for witnesses, and a receipt carries no cosignatures: ask for the .tlog-proof of the entry.',
};

/**
 * An index as a JSON number, which holds none above 2^53 - 1 exactly.
 * @throws EvidenceError for a larger one, which would be rounded
 */
function exactIndex(index: bigint): number {
  if (index <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(index);
  throw new EvidenceError('evidence/malformed', `the proof is of entry ${index}, and a log has at most 2^53 - 1 entries`);
}

/** The Ed25519 keys of the trusted logs: what receipts are signed with. */
function receiptLogs({ logs }: TrustPolicy) {
  return logs
    .filter(({ key }) => key.type === KEY_TYPE.ed25519)
    .map(({ key }) => ({ origin: key.name, key: createCoseKey('Ed25519', key.publicKey) }));
}

async function readPolicy(session: Session, flags: VerifyFlags): Promise<TrustPolicy> {
  if (flags.policy !== undefined) {
    if (flags.vkey !== undefined) throw new UsageError('--policy and --key exclude one another');
    return parsePolicy(await readFile(resolve(session.cwd, flags.policy), 'utf8'));
  }
  const keys = (flags.vkey ?? session.settings.logKey().trim().split(/\s+/)).map(parseVerifierKey);
  return { logs: keys.map((key) => ({ key })), witnesses: [], groups: [], quorum: 'none' };
}

/** A monitor's public key, as "treering monitor serve" prints it. */
function observerKey(text: string): CoseKey {
  const key = parseVerifierKey(text);
  if (key.type !== KEY_TYPE.ed25519) throw new UsageError('--observer takes the verifier key (type 0x01) of a monitor');
  return createCoseKey('Ed25519', key.publicKey);
}

/** A signer's public key as a verifier key (vkey) of the plain Ed25519 type. */
function signerKey(text: string): CoseKey {
  const key = parseVerifierKey(text);
  if (key.type !== 1) throw new UsageError('--signer takes a verifier key of type 0x01, as "treering keygen" prints it');
  return createCoseKey('Ed25519', key.publicKey);
}
