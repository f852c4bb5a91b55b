import { readFile } from 'node:fs/promises';
import { parsePolicy, type TrustPolicy } from '@treering/note';
import { UsageError } from './exit.js';
import type { Session } from './session.js';

/**
 * The trust policy (https://c2sp.org/tlog-policy) by which somebody believes heads: the log, its witnesses, and the quorum.
 * @param unwitnessed takes one that asks for no witness, and without any file one that names the log alone
 * @throws UsageError when there is none, or when it asks for no witness
 */
export async function readTrust(session: Session, file: string | undefined, unwitnessed = false): Promise<TrustPolicy> {
  const path = session.settings.trustFile(file);
  if (path === undefined) {
    if (unwitnessed)
      return { logs: session.trust().logKeys.map((key) => ({ key })), witnesses: [], groups: [], quorum: 'none' };
    throw new UsageError(
      'no trust policy is known: give --trust <file>, set TREERING_TRUST, or write "trust" into treering.yaml; it names the log, its witnesses and their quorum',
    );
  }
  const policy = parsePolicy(await readFile(path, 'utf8'));
  const { origin } = session.trust();
  if (!policy.logs.some(({ key }) => key.name === origin)) throw new UsageError(`${path} names no key of the log ${origin}`);
  if (policy.quorum === 'none' && !unwitnessed)
    throw new UsageError(`${path} asks for no witness: with --unwitnessed the log's own word is enough`);
  return policy;
}
