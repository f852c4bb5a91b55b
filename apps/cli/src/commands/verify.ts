import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  holds,
  isCose,
  REQUIRED_CLAIMS,
  REQUIRED_RECEIPT_CLAIMS,
  verifyCoseReceipt,
  verifyTlogProof,
} from '@treering/evidence';
import { nodeHasher } from '@treering/merkle/node';
import { KEY_TYPE, parsePolicy, parseVerifierKey, type TrustPolicy } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { printable, renderRecord } from '@treering/record';
import { type CoseKey, createCoseKey } from '@treering/statement';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';

/** Flags of `verify`. */
export interface VerifyFlags {
  readonly vkey?: readonly string[];
  readonly policy?: string;
  readonly signer?: readonly string[];
  readonly entry?: string;
}

const MARKS = { proved: '✓', failed: '✗', 'not proved': '?' } as const;

/** Verifies a proof file offline: no request is made, nothing is trusted but the keys that were given. */
export async function verify(session: Session, path: string, flags: VerifyFlags): Promise<number> {
  const { terminal } = session;
  const bytes = new Uint8Array(await readFile(resolve(session.cwd, path)));
  const policy = await readPolicy(session, flags);
  const entry = flags.entry === undefined ? {} : { entry: new Uint8Array(await readFile(resolve(session.cwd, flags.entry))) };
  const means = { ...entry, hasher: nodeHasher, ed25519: nodeEd25519 };
  const cose = isCose(bytes);
  const report = cose
    ? { index: undefined, ...verifyCoseReceipt(bytes, { logs: receiptLogs(policy), ...means }) }
    : verifyTlogProof(bytes, { policy, signerKeys: (flags.signer ?? []).map(signerKey), ...means });
  const good = holds(report.claims, cose ? REQUIRED_RECEIPT_CLAIMS : REQUIRED_CLAIMS);
  if (report.record !== undefined && good) {
    const { title, facts } = renderRecord(report.record);
    terminal.line(terminal.bold(title));
    for (const { label, value } of facts) terminal.line(`  ${label}: ${value}`);
    terminal.line();
  }
  for (const { verdict, text } of report.claims) {
    const kind = verdict === 'proved' ? 'good' : verdict === 'failed' ? 'bad' : 'dim';
    terminal.line(`${terminal.colour(kind, `${MARKS[verdict]} ${verdict.padEnd(10)}`)} ${printable(text)}`);
  }
  terminal.line();
  terminal.line(good ? terminal.colour('good', 'The proof holds.') : terminal.colour('bad', 'The proof does not hold.'));
  terminal.result({
    verified: good,
    ...(report.index === undefined ? {} : { index: Number(report.index) }),
    claims: report.claims,
  });
  return good ? EXIT.ok : EXIT.failed;
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

/** A signer's public key as a verifier key (vkey) of the plain Ed25519 type. */
function signerKey(text: string): CoseKey {
  const key = parseVerifierKey(text);
  if (key.type !== 1) throw new UsageError('--signer takes a verifier key of type 0x01, as "treering keygen" prints it');
  return createCoseKey('Ed25519', key.publicKey);
}
