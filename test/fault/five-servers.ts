import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig as parseMonitorConfig, type ServedMonitor, serveMonitor } from '@treering/monitor';
import type { Attachment } from '@treering/record';
import { parseConfig as parseRecorderConfig, type ServedRecorder, serveRecorder, signDelivery } from '@treering/recorder';
import { originHash, type ServedWitness, serveWitness, configSchema as witnessConfig } from '@treering/witness';
import { Cluster } from '../../apps/admission/test/cluster.js';
import { permit } from '../../apps/admission/test/permits.js';
import { ORIGIN, servedLog } from '../../apps/log/test/fixture.js';
import type { Address } from './raw-exchange.js';

/** One server, and where it takes bodies. */
export interface Server extends Address {
  readonly name: string;
  /** The path that takes a body, its media type, and its largest body in bytes. */
  readonly post: string;
  readonly type: string;
  readonly largest: number;
  /** All of its state that a client could change, as text. */
  readonly state: () => Promise<string>;
}

/** The secret of the recorder's webhook. */
const WEBHOOK_SECRET = 'a secret that only MLflow has';

/** All servers of the product, each on a port of its own. */
export class FiveServers {
  readonly log: Awaited<ReturnType<typeof servedLog>>;
  readonly witness: ServedWitness;
  readonly monitor: ServedMonitor;
  readonly cluster: Cluster;
  readonly recorder: ServedRecorder;
  readonly #folder: string;

  private constructor(parts: Pick<FiveServers, 'log' | 'witness' | 'monitor' | 'cluster' | 'recorder'>, folder: string) {
    this.log = parts.log;
    this.witness = parts.witness;
    this.monitor = parts.monitor;
    this.cluster = parts.cluster;
    this.recorder = parts.recorder;
    this.#folder = folder;
  }

  /** Starts them: the witness, with its mirror, and the monitor follow the log. */
  static async open(log: Readonly<Record<string, unknown>> = {}): Promise<FiveServers> {
    const folder = mkdtempSync(join(tmpdir(), 'treering-servers-'));
    const served = await servedLog(log);
    const [witnessData, monitorData, recorderData] = ['w', 'm', 'r'].map((name) => join(folder, name));
    const logs = join(folder, 'logs.txt');
    writeFileSync(logs, `log ${served.served.vkey}\n`);
    const quiet = { listen: '127.0.0.1:0', log_level: 'silent' } as const;
    const witness = await serveWitness(
      witnessConfig.parse({ data: witnessData, logs, name: 'witness.test/1', mirror: true, ...quiet }),
    );
    const file = { name: 'monitor.test/1', logs: [{ keys: [served.served.vkey], url: served.url }], ...quiet };
    const monitor = await serveMonitor(monitorData, await parseMonitorConfig(JSON.stringify(file), async () => ''));
    await monitor.monitor.poll();
    const cluster = await Cluster.open();
    await cluster.put('deploy-prod-triage.permit', await permit());
    const mappings = [`s3://models=${folder}`];
    const recorder = await serveRecorder(
      parseRecorderConfig({ data: recorderData, secret: WEBHOOK_SECRET, mappings, ...quiet }),
      {
        prepare: () => Promise.reject(new Error('nothing is recorded here')),
        submit: () => Promise.reject(new Error('nothing is recorded here')),
        upload: () => Promise.reject(new Error('nothing is recorded here')),
      },
    );
    return new FiveServers({ log: served, witness, monitor, cluster, recorder }, folder);
  }

  /** Every address that takes bodies: two of them are the witness. */
  get servers(): readonly Server[] {
    const portOf = (url: string): number => Number(new URL(url).port);
    const json = async (url: string): Promise<string> => (await fetch(url)).text();
    const { log, witness, monitor, cluster, recorder } = this;
    const witnessState = (): Promise<string> => json(`${witness.url}/v1/witness`);
    const cosigner = { port: portOf(witness.url), state: witnessState };
    return [
      {
        name: 'log',
        port: log.port,
        post: '/v1/entries',
        type: 'application/cose',
        largest: 65_535 * 4,
        state: async () => String(log.served.log.sequencer.head?.size),
      },
      { name: 'witness', ...cosigner, post: '/add-checkpoint', type: 'text/plain', largest: 512 * 1024 + 64 * 64 },
      {
        name: 'mirror',
        ...cosigner,
        post: '/add-entries',
        type: 'application/octet-stream',
        largest: Number.POSITIVE_INFINITY,
      },
      {
        name: 'monitor',
        port: portOf(monitor.url),
        post: '/gossip/checkpoint',
        type: 'text/plain',
        largest: 512 * 1024,
        state: async () =>
          JSON.stringify([monitor.monitor.store.alarms(), monitor.monitor.logs.map((one) => one.followed?.size)]),
      },
      {
        name: 'admission',
        port: portOf(cluster.served.url),
        ca: cluster.authority.certificate,
        post: '/validate',
        type: 'application/json',
        largest: 3 * 1024 * 1024,
        state: async () =>
          /treering_admission_decisions_total\{outcome="allowed"\} \d+/.exec((await cluster.get('/metrics')).text)?.[0] ?? '',
      },
      {
        name: 'recorder',
        port: portOf(recorder.url),
        post: '/mlflow',
        type: 'application/json',
        largest: 256 * 1024,
        state: async () => JSON.stringify([recorder.store.counts(), recorder.store.list(100)]),
      },
    ];
  }

  /** The log's name in the paths of witness and monitor. */
  get hash(): string {
    return originHash(ORIGIN);
  }

  /** Logs an incident with an attachment, publishes it, and lets the monitor look. */
  async logged({ ref, blob }: Attachment): Promise<{ index: number; leaf: string }> {
    const { served, statement, url } = this.log;
    const { entry } = await statement({ attachments: [ref] });
    const { index, leaf } = await served.log.submit(entry);
    const digest = Buffer.from(ref.digest).toString('hex');
    const put = await fetch(`${url}/v1/attachments/${digest}?entry=${index}`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: blob as Uint8Array<ArrayBuffer>,
    });
    if (put.status !== 201) throw new Error(`the attachment is answered with ${put.status}`);
    await served.log.publisher.publish();
    await this.monitor.monitor.poll();
    return { index, leaf: Buffer.from(leaf).toString('hex') };
  }

  /** Headers of a delivery that MLflow would have signed. */
  signed(id: string, body: Uint8Array): Record<string, string> {
    const time = String(Math.floor(Date.now() / 1000));
    return {
      'Content-Type': 'application/json',
      'X-MLflow-Delivery-Id': id,
      'X-MLflow-Timestamp': time,
      'X-MLflow-Signature': signDelivery(WEBHOOK_SECRET, id, time, body),
    };
  }

  async close(): Promise<void> {
    await this.recorder.close();
    await this.cluster.close();
    await this.monitor.close();
    await this.witness.close();
    await this.log.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
