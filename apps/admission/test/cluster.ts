import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PermitTrust } from '@treering/deployment';
import { author, policyWith } from '../../../packages/evidence/test/fixture.js';
import { configSchema, type ServedAdmission, serveAdmission } from '../src/index.js';

const folders: string[] = [];
process.on('exit', () => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

/** A folder that is gone when the process ends. */
function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'treering-admission-'));
  folders.push(path);
  return path;
}

const openssl = (cwd: string, ...args: string[]): void => {
  execFileSync('openssl', args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
};

/** An authority that the API server of a cluster knows by its certificate. */
class Authority {
  readonly folder = temporaryFolder();

  constructor() {
    const subject = ['-subj', '/CN=cluster', '-addext', 'basicConstraints=critical,CA:TRUE'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key'];
    openssl(this.folder, 'req', '-x509', ...key, ...subject, '-days', '2', '-out', 'ca.pem');
  }

  get certificate(): string {
    return readFileSync(join(this.folder, 'ca.pem'), 'utf8');
  }

  /** A certificate of the webhook's service, in the files that it reads. */
  issue(into: string, serial: number): void {
    mkdirSync(into, { recursive: true });
    writeFileSync(
      join(this.folder, 'san.cnf'),
      'subjectAltName=DNS:localhost,DNS:treering-admission.treering.svc,IP:127.0.0.1\n',
    );
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'new.key'];
    openssl(this.folder, 'req', ...key, '-subj', '/CN=treering-admission', '-out', 'new.csr');
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', String(serial), '-days', '1', '-extfile', 'san.cnf'];
    openssl(this.folder, 'x509', '-req', '-in', 'new.csr', ...signed, '-out', 'new.pem');
    for (const [from, to] of [
      ['new.key', 'tls.key'],
      ['new.pem', 'tls.crt'],
    ])
      writeFileSync(join(into, to), readFileSync(join(this.folder, from)), { mode: 0o600 });
  }
}

/** What was answered. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers have many shapes
  json(): any;
}

/** A webhook that listens with TLS, and an API server that verifies its certificate. */
export class Cluster {
  readonly authority = new Authority();
  readonly folder = temporaryFolder();
  readonly permits = join(this.folder, 'permits');
  served!: ServedAdmission;
  #agent!: Agent;

  static async open(
    config: Readonly<Record<string, unknown>> = {},
    trust: Pick<PermitTrust, 'policy' | 'signerKeys'> = { policy: policyWith('both'), signerKeys: [author.key] },
  ): Promise<Cluster> {
    const cluster = new Cluster();
    mkdirSync(cluster.permits);
    cluster.authority.issue(cluster.folder, 1);
    cluster.#agent = new Agent({ ca: cluster.authority.certificate, keepAlive: true });
    const settings = {
      listen: '127.0.0.1:0',
      cert: join(cluster.folder, 'tls.crt'),
      key: join(cluster.folder, 'tls.key'),
      permits: cluster.permits,
      interval: 20,
      log_level: 'silent',
      ...config,
    };
    // What is given as undefined is left out.
    const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
    cluster.served = await serveAdmission(configSchema.parse(given), trust);
    return cluster;
  }

  /** Puts a permit into the folder, and waits until it is read. */
  async put(name: string, permit: Uint8Array | string): Promise<void> {
    writeFileSync(join(this.permits, name), permit);
    await this.served.reload();
  }

  async remove(name: string): Promise<void> {
    rmSync(join(this.permits, name));
    await this.served.reload();
  }

  get(path: string): Promise<Answer> {
    return this.#ask('GET', path);
  }

  post(body: unknown, headers: Readonly<Record<string, string>> = { 'Content-Type': 'application/json' }): Promise<Answer> {
    const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    return this.#ask('POST', '/validate?timeout=10s', headers, text);
  }

  #ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: string | Uint8Array,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const out = request(`${this.served.url}${path}`, { method, headers, agent: this.#agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, text, json: () => JSON.parse(text) });
        });
      });
      out.on('error', reject);
      out.end(body);
    });
  }

  /** What is answered to a review: whether it is let in, and why not. */
  async decide(review: unknown): Promise<{ allowed: boolean; code: number | undefined; message: string; uid: string }> {
    const { status, text, json } = await this.post(review);
    if (status !== 200) throw new Error(`${status}: ${text}`);
    const { apiVersion, kind, response } = json();
    if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview') throw new Error(text);
    const { allowed, uid } = response;
    return { allowed, uid, code: response.status?.code, message: response.status?.message ?? '' };
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    await this.served.close();
  }
}
