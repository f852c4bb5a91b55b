import { join } from 'node:path';
import { createSigner, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { ByteBudget, createLogger, listen } from '@treering/server';
import { createApp, createFileAnchor, createMetrics, Witness, WitnessStore } from '@treering/witness';
import { benchLogs } from './witness-requests.js';

/** Serves a witness as `serveWitness` does, with the keys that are asked for: 'ed25519' or 'both'. */
export async function serveBenchWitness(data: string, kind: string, logs: number): Promise<{ url: string; close(): unknown }> {
  const anchor = createFileAnchor(join(data, 'anchor', 'generation'));
  const path = join(data, 'witness.db');
  WitnessStore.open(path, { mode: 'create' }, anchor).close();
  const store = WitnessStore.open(path, { mode: 'open' }, anchor);
  store.addLogs(benchLogs(logs).map(({ key }) => ({ origin: key.name, keys: [key] })));
  const types = [KEY_TYPE.ed25519Cosignature, ...(kind === 'both' ? [KEY_TYPE.mldsa44Cosignature] : [])];
  const signers = types.map((type) => createSigner('bench.example/witness', type, new Uint8Array(32).fill(0x77), nodeEd25519));
  const witness = new Witness({ store, signers });
  const logger = createLogger('bench', 'warn');
  const app = createApp({ witness, metrics: createMetrics(witness), bodies: new ByteBudget(1 << 27), logger });
  return listen(app.fetch, { listen: '127.0.0.1:0', connections: 2000 });
}
