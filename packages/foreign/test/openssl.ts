import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate with its key. */
export interface Party {
  readonly der: Uint8Array;
  readonly privateKey: KeyObject;
  /** Where OpenSSL finds the certificate (`.crt`) and the key (`.key`). */
  readonly path: string;
}

/** What a certificate says. Those of authorities are made with `AUTHORITY`. */
export interface Wanted {
  readonly subject: string;
  /** Who issues it; without, it is signed by itself. */
  readonly by?: Party;
  /** A key to use again. */
  readonly privateKey?: KeyObject;
  /** Lines of OpenSSL's x509v3_config. */
  readonly extensions?: readonly string[];
  readonly days?: number;
}

export const AUTHORITY: readonly string[] = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
export const SIGNER: readonly string[] = ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=codeSigning'];

/** A new private key of a named curve. */
export function ecKey(namedCurve = 'P-256'): KeyObject {
  return generateKeyPairSync('ec', { namedCurve }).privateKey;
}

/** Makes certificates with OpenSSL in a folder of its own. */
export class CertificateMaker {
  private readonly folder = mkdtempSync(join(tmpdir(), 'treering-certificates-'));
  private count = 0;

  make({ subject, by, privateKey = ecKey(), extensions = [], days = 3650 }: Wanted): Party {
    const path = join(this.folder, String(++this.count));
    writeFileSync(`${path}.key`, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    writeFileSync(`${path}.cnf`, '[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\n[dn]\n');
    writeFileSync(`${path}.ext`, `${extensions.join('\n')}\n`);
    const request = ['-new', '-key', `${path}.key`, '-subj', subject, '-utf8', '-config', `${path}.cnf`];
    openssl('req', ...request, '-out', `${path}.csr`);
    const issuer = by === undefined ? ['-signkey', `${path}.key`] : ['-CA', `${by.path}.crt`, '-CAkey', `${by.path}.key`];
    const content = ['-days', String(days), '-set_serial', String(this.count), '-extfile', `${path}.ext`];
    openssl('x509', '-req', '-in', `${path}.csr`, ...issuer, ...content, '-outform', 'DER', '-out', `${path}.der`);
    openssl('x509', '-inform', 'DER', '-in', `${path}.der`, '-out', `${path}.crt`);
    return { der: new Uint8Array(readFileSync(`${path}.der`)), privateKey, path };
  }

  /** Removes the folder with everything in it. */
  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
