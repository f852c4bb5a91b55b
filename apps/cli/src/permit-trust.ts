import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { PermitTrust } from '@treering/deployment';
import { KEY_TYPE, parsePolicy, parseVerifierKey, type TrustPolicy } from '@treering/note';
import { type CoseKey, createCoseKey } from '@treering/statement';
import { UsageError } from './exit-codes.js';

/** Flags that say whose permits count. */
export interface PermitTrustFlags {
  readonly policy?: string;
  readonly logKey?: readonly string[];
  readonly signer?: readonly string[];
  readonly anySigner?: boolean;
}

/**
 * What is trusted about permits. Nothing of it has a default: who checks a permit says what makes it one.
 * @throws UsageError when it is not said, NoteError for a policy or a key that cannot be read
 */
export async function readPermitTrust(
  flags: PermitTrustFlags,
  cwd: string,
): Promise<Pick<PermitTrust, 'policy' | 'signerKeys'>> {
  return { signerKeys: signerKeys(flags), policy: await trustPolicy(flags, cwd) };
}

async function trustPolicy({ policy, logKey }: PermitTrustFlags, cwd: string): Promise<TrustPolicy> {
  if ((policy === undefined) === (logKey === undefined))
    throw new UsageError(
      '--policy <file> says which log and which quorum of witnesses are trusted; --log-key <vkey> trusts a log without witnesses; give one of the two',
    );
  if (policy !== undefined) return parsePolicy(await readFile(resolve(cwd, policy), 'utf8'));
  const keys = (logKey ?? []).flatMap((text) => text.trim().split(/\s+/)).map(parseVerifierKey);
  return { logs: keys.map((key) => ({ key })), witnesses: [], groups: [], quorum: 'none' };
}

function signerKeys({ signer, anySigner }: PermitTrustFlags): readonly CoseKey[] | 'any' {
  if ((signer === undefined) === (anySigner !== true))
    throw new UsageError(
      "--signer <vkey> names the keys whose deployments count; --any-signer leaves that to the log's rules, for pipelines whose keys last an hour; give one of the two",
    );
  return signer === undefined ? 'any' : signer.map(signerKey);
}

function signerKey(text: string): CoseKey {
  const key = parseVerifierKey(text);
  if (key.type !== KEY_TYPE.ed25519)
    throw new UsageError('--signer takes a verifier key of type 0x01, as "treering keygen" prints it');
  return createCoseKey('Ed25519', key.publicKey);
}
