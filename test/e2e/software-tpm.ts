import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';

const NEEDED: readonly (readonly [string, string])[] = [
  ['swtpm', 'swtpm'],
  ['swtpm_setup', 'swtpm-tools'],
  ['tpm2_quote', 'tpm2-tools'],
];

/** The first Debian package that is missing; undefined when all are there. In CI, none may be missing. */
export function missingTpmPackage(): string | undefined {
  const missing = NEEDED.find(([command]) => spawnSync(command, ['--version'], { stdio: 'ignore' }).error !== undefined)?.[1];
  if (missing !== undefined && process.env.CI) throw new Error(`${missing} is not installed; a CI run needs it`);
  return missing;
}

/** A TPM in software, as a socket on loopback. What it keeps lies in a folder; stopping it is to cut its power. */
export class SoftwareTpm {
  readonly #folder: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    process.on('exit', () => this.#child?.kill('SIGKILL'));
  }

  static async begin(folder: string): Promise<SoftwareTpm> {
    mkdirSync(folder, { recursive: true });
    const tpm = new SoftwareTpm(folder, await twoFreePorts());
    await tpm.start();
    return tpm;
  }

  /** How tpm2-tools reach it. The control channel is on the next port. */
  get tcti(): string {
    return `swtpm:host=127.0.0.1,port=${this.#port}`;
  }

  async start(): Promise<void> {
    const at = (port: number): string => `type=tcp,port=${port},bindaddr=127.0.0.1`;
    const args = ['socket', '--tpm2', '--server', at(this.#port), '--ctrl', at(this.#port + 1)];
    const child = spawn('swtpm', [...args, '--tpmstate', `dir=${this.#folder}`, '--flags', 'not-need-init,startup-clear'], {
      stdio: 'ignore',
    });
    this.#child = child;
    for (let attempt = 0; ; attempt++) {
      const { status } = spawnSync('tpm2_readclock', [], { env: this.#env, stdio: 'ignore' });
      if (status === 0) return;
      if (attempt === 100 || child.exitCode !== null) throw new Error('swtpm does not answer');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await gone;
  }

  /** Runs one of tpm2-tools, and returns what it printed. */
  run(command: string, ...args: string[]): string {
    const out = execFileSync(command, args, { env: this.#env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    execFileSync('tpm2_flushcontext', ['-t'], { env: this.#env, stdio: 'ignore' });
    return out;
  }

  get #env(): NodeJS.ProcessEnv {
    return { ...process.env, TPM2TOOLS_TCTI: this.tcti };
  }
}

/** A port of loopback with the next one, both free a moment ago. */
async function twoFreePorts(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
  throw new Error('there are no two free ports');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
