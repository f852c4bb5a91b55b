import { X509Certificate } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { TlsIdentity } from '@treering/server';
import type { Logger } from 'pino';
import { AdmissionError } from './errors.js';

/** A certificate that can be used now. */
export interface Certificate extends TlsIdentity {
  /** Seconds since the epoch. */
  readonly expires: number;
}

/** @throws AdmissionError (admission/certificate) when the two files do not belong together or cannot be read */
export async function readCertificate(cert: string, key: string): Promise<Certificate> {
  try {
    const identity = { cert: await readFile(cert, 'utf8'), key: await readPrivateKey(key) };
    createSecureContext(identity);
    const certificate = new X509Certificate(identity.cert);
    return { ...identity, expires: Math.floor(Date.parse(certificate.validTo) / 1000) };
  } catch (error) {
    throw new AdmissionError(
      'admission/certificate',
      `the certificate ${cert} and the key ${key} cannot be used: ${(error as Error).message}`,
    );
  }
}

/**
 * The text of a key file that is open to its owner, and to a group at most: a cluster hands a secret to the group of a pod, behind a link.
 * @throws Error
 */
async function readPrivateKey(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { mode } = await file.stat();
    if ((mode & 0o007) !== 0)
      throw new Error(`the key is open to everybody (mode ${(mode & 0o777).toString(8)}); make it 600 or 440`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** The certificate in two files that are replaced now and then, while connections go on. */
export class FollowedCertificate {
  readonly #paths: readonly [string, string];
  readonly #logger: Logger;
  #current: Certificate;
  #failed = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(paths: readonly [string, string], first: Certificate, logger: Logger) {
    this.#paths = paths;
    this.#current = first;
    this.#logger = logger;
  }

  get expires(): number {
    return this.#current.expires;
  }

  /** Looks at the files every so many milliseconds until it is closed. */
  follow(interval: number, renew: (identity: TlsIdentity) => void): void {
    this.#timer = setInterval(() => void this.refresh(renew), interval).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** What cannot be used is said once, and the certificate before stays: one of the two files may be replaced first. */
  async refresh(renew: (identity: TlsIdentity) => void): Promise<void> {
    try {
      const next = await readCertificate(...this.#paths);
      this.#failed = '';
      if (next.cert === this.#current.cert && next.key === this.#current.key) return;
      renew(next);
      this.#current = next;
      this.#logger.info({ expires: new Date(next.expires * 1000).toISOString() }, 'the certificate is another one from now on');
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#failed)
        this.#logger.error({ why: message }, 'the certificate cannot be read again; it stays as it was');
      this.#failed = message;
    }
  }
}
