import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CoseKey, createCoseKey } from '@treering/statement';

/** Stable codes of TpmError. */
type TpmErrorCode = 'tpm/missing' | 'tpm/unreachable' | 'tpm/failed' | 'tpm/unexplained';

/** The TPM of this machine is not there, does not answer, refuses something, or holds what nothing here has put into it. */
export class TpmError extends Error {
  override readonly name = 'TpmError';
  readonly code: TpmErrorCode;

  constructor(code: TpmErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Milliseconds for one command; a TPM that makes a key may take many seconds. */
const PATIENCE = 60_000;

/**
 * A signing key that the TPM does not give away and that signs nothing from outside that looks as if the TPM had made it
 * (`restricted`). It is made from the seed of the owner's hierarchy: when the TPM is cleared, it is gone for ever.
 */
const ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda';

/** How often the TPM was reset and restarted: between two resets registers are only extended. */
export interface Boot {
  readonly resets: number;
  readonly restarts: number;
}

/** A TPM 2.0 through the commands of tpm2-tools. Close it: its files lie in a private folder. */
export class Tpm {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#env = env;
  }

  /**
   * Opens the TPM that TREERING_TPM or TPM2TOOLS_TCTI names, such as "device:/dev/tpmrm0", or else the one that tpm2-tools find.
   * @throws TpmError tpm/missing or tpm/unreachable
   */
  static async open(env: Readonly<Record<string, string | undefined>>): Promise<Tpm> {
    const tcti = env.TREERING_TPM ?? env.TPM2TOOLS_TCTI;
    const folder = await mkdtemp(join(tmpdir(), 'treering-tpm-'));
    const own = tcti === undefined ? {} : { TPM2TOOLS_TCTI: tcti };
    const tpm = new Tpm(folder, { ...seenByTools(env), ...own, TSS2_LOG: 'all+NONE' });
    try {
      await tpm.boot();
      return tpm;
    } catch (error) {
      await tpm.close();
      if (!(error instanceof TpmError) || error.code !== 'tpm/failed') throw error;
      const where = tcti === undefined ? 'no TPM answers' : `the TPM at ${tcti} does not answer`;
      throw new TpmError('tpm/unreachable', `${where}; name it in TREERING_TPM, such as device:/dev/tpmrm0`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** What TPM2_ReadClock says. */
  async boot(): Promise<Boot> {
    const text = await this.#run('tpm2_readclock', []);
    const count = (name: string): number => {
      const [, digits] = new RegExp(`^\\s*${name}: ([0-9]+)$`, 'm').exec(text) ?? [];
      if (digits === undefined) throw new TpmError('tpm/failed', `tpm2_readclock does not say its ${name}`);
      return Number(digits);
    };
    return { resets: count('reset_count'), restarts: count('restart_count') };
  }

  /** Makes an attestation key and keeps it at a handle in the TPM. @throws TpmError */
  async createKey(handle: string): Promise<CoseKey> {
    const context = join(this.#folder, 'key.ctx');
    await this.#run('tpm2_createprimary', [
      ...['-C', 'o', '-g', 'sha256', '-G', 'ecc256:ecdsa-sha256:null'],
      ...['-a', ATTRIBUTES, '-c', context],
    ]);
    await this.#flush();
    await this.#run('tpm2_evictcontrol', ['-C', 'o', '-c', context, handle]);
    await this.#flush();
    return this.publicKey(handle);
  }

  /** Whether something is at a handle. */
  async has(handle: string): Promise<boolean> {
    const listed = await this.#run('tpm2_getcap', ['handles-persistent']);
    return listed.toLowerCase().includes(handle.toLowerCase());
  }

  /** The public part of the key at a handle. @throws TpmError unless it is on P-256 */
  async publicKey(handle: string): Promise<CoseKey> {
    if (!(await this.has(handle)))
      throw new TpmError(
        'tpm/failed',
        `the TPM has no attestation key at ${handle}: "treering attest key" makes one; when a TPM is cleared, it loses its key`,
      );
    const path = join(this.#folder, 'key.pem');
    await this.#run('tpm2_readpublic', ['-c', handle, '-f', 'pem', '-o', path]);
    const key = p256Key(await readFile(path, 'utf8'));
    if (key === undefined) throw new TpmError('tpm/failed', `the key at ${handle} is not on P-256: no other is supported`);
    return key;
  }

  /** The value of a register of the SHA-256 bank, 32 bytes. */
  async readPcr(pcr: number): Promise<Uint8Array> {
    const path = join(this.#folder, 'pcr');
    await this.#run('tpm2_pcrread', [`sha256:${pcr}`, '-o', path]);
    const value = new Uint8Array(await readFile(path));
    if (value.length !== 32) throw new TpmError('tpm/failed', `the TPM has no register ${pcr} of the SHA-256 bank`);
    return value;
  }

  /** Extends a register of the SHA-256 bank. @param digest 32 bytes */
  async extend(pcr: number, digest: Uint8Array): Promise<void> {
    await this.#run('tpm2_pcrextend', [`${pcr}:sha256=${Buffer.from(digest).toString('hex')}`]);
  }

  /** TPM2_Quote over one register. @param nonce 32 bytes */
  async quote(handle: string, pcr: number, nonce: Uint8Array): Promise<{ quote: Uint8Array; signature: Uint8Array }> {
    const [message, signature] = ['quote.msg', 'quote.sig'].map((name) => join(this.#folder, name));
    await this.#run('tpm2_quote', [
      ...['-c', handle, '-l', `sha256:${pcr}`, '-q', Buffer.from(nonce).toString('hex')],
      ...['-m', message, '-s', signature, '-g', 'sha256'],
    ]);
    await this.#flush();
    return { quote: new Uint8Array(await readFile(message)), signature: new Uint8Array(await readFile(signature)) };
  }

  /** Without a resource manager, what a command has loaded stays in the TPM's few slots. */
  async #flush(): Promise<void> {
    await this.#run('tpm2_flushcontext', ['-t']);
  }

  #run(command: string, args: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { cwd: this.#folder, env: this.#env, timeout: PATIENCE, maxBuffer: 1 << 20 };
      execFile(command, args, options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (error.code === 'ENOENT')
          reject(new TpmError('tpm/missing', `${command} is not there: install the package tpm2-tools`, { cause: error }));
        else if (error.killed) reject(new TpmError('tpm/unreachable', `the TPM has not answered ${command} for a minute`));
        else reject(new TpmError('tpm/failed', `${command} failed: ${reasonIn(stderr)}`, { cause: error }));
      });
    });
  }
}

/** What the tools see of the environment: how to find themselves and the TPM, and no key or passphrase. */
function seenByTools(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  const needed = /^(?:PATH|HOME|TMPDIR|LANG|LC_[A-Z]+|LD_LIBRARY_PATH|DBUS_[A-Z_]+|TPM2TOOLS_[A-Z0-9_]+|TSS2_[A-Z0-9_]+)$/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => needed.test(name)));
}

/** The public key of a PEM file as a COSE key; undefined when it is not on P-256. */
export function p256Key(pem: string): CoseKey | undefined {
  const { crv, x, y } = createPublicKey(pem).export({ format: 'jwk' });
  if (crv !== 'P-256' || x === undefined || y === undefined) return undefined;
  const [left, right] = [x, y].map((text) => new Uint8Array(Buffer.from(text, 'base64url')));
  return createCoseKey('P-256', left, right);
}

/** What tpm2-tools say first is what went wrong. */
function reasonIn(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.startsWith('ERROR'));
  return lines[0]?.replace(/^ERROR:\s*/, '') ?? 'it does not say why';
}
