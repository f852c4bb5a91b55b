import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ATTESTATION_ROLE } from '@treering/evidence';
import { isSubject, printable } from '@treering/record';
import { coseKeyThumbprint, encodeCoseKey } from '@treering/statement';
import { stringify } from 'yaml';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { Tpm } from '../tpm.js';

/** Flags of `attest key`. */
export interface AttestKeyFlags {
  readonly out?: string;
  readonly handle: string;
  readonly days: number;
}

/** `attest key`: makes an attestation key in the TPM, and the identity record with which an administrator enrols it. */
export async function attestKey(session: Session, id: string, flags: AttestKeyFlags): Promise<void> {
  if (!isSubject(id) || id.includes('/')) throw new UsageError('an id is one segment of [a-z0-9._@-]');
  const handle = readHandle(flags.handle);
  const folder = resolve(session.cwd, flags.out ?? '.');
  const enrolment = join(folder, `${id}.identity.yaml`);
  if (existsSync(enrolment)) throw new UsageError(`${printable(enrolment)} exists`);
  const tpm = await Tpm.open(session.env);
  try {
    if (await tpm.has(handle)) throw new UsageError(`the TPM has something at ${handle}: name another place with --handle`);
    const key = await tpm.createKey(handle);
    const record = {
      type: 'identity',
      subject: `identity/${id}`,
      reason: `Enrol the attestation key of ${id}, which the TPM of a host keeps.`,
      action: 'enrol',
      id,
      key: { $bytes: Buffer.from(encodeCoseKey(key)).toString('base64url') },
      kind: 'workload',
      roles: [ATTESTATION_ROLE],
      valid_until: Math.floor(Date.now() / 1000) + flags.days * 86_400,
    };
    await mkdir(folder, { recursive: true });
    await writeFile(enrolment, stringify(record), { flag: 'wx' });
    const { terminal } = session;
    const thumbprint = Buffer.from(coseKeyThumbprint(key)).toString('hex');
    terminal.line(`attestation key  in the TPM at ${handle}; when the TPM is cleared, it is gone`);
    terminal.line(`thumbprint       ${thumbprint}`);
    terminal.line(`enrolment        ${printable(enrolment)}`);
    terminal.line(
      '                 an administrator who knows the machine enrols it: treering record identity --file <enrolment>',
    );
    terminal.result({ id, handle, thumbprint, enrolment });
  } finally {
    await tpm.close();
  }
}

/** A persistent handle of the owner. @throws UsageError */
export function readHandle(text: string): string {
  if (!/^0x81[0-7][0-9a-f]{5}$/i.test(text)) throw new UsageError('a handle reads 0x81000000 to 0x817fffff');
  return text.toLowerCase();
}
