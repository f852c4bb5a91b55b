import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSigner, KEY_TYPE, type Signer } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { ByteBudget } from '@treering/server';
import { pino } from 'pino';
import { createApp, createFileAnchor, createMetrics, type GenerationAnchor, Witness, WitnessStore } from '../src/index.js';

export const NAME = 'witness.test/one';

/** A signer from a seed of one repeated byte. */
export function signerOf(name: string, type: number, seed: number): Signer {
  return createSigner(name, type, new Uint8Array(32).fill(seed), nodeEd25519);
}

export const WITNESS_SIGNERS: readonly Signer[] = [
  signerOf(NAME, KEY_TYPE.ed25519Cosignature, 0x77),
  signerOf(NAME, KEY_TYPE.mldsa44Cosignature, 0x77),
];

const folders: string[] = [];
process.on('exit', () => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

/** A folder that is gone when the process ends. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'treering-witness-'));
  folders.push(path);
  return path;
}

/** What a test may want otherwise. */
export interface WitnessOptions {
  readonly anchor?: GenerationAnchor;
  readonly pending?: number;
  readonly bodyBytes?: number;
}

/** A witness in a folder, and its HTTP face. */
export function openWitness(
  data = temporaryFolder(),
  clock: () => number = Date.now,
  signers = WITNESS_SIGNERS,
  { anchor = createFileAnchor(join(data, 'generation')), pending = 1024, bodyBytes = 1 << 26 }: WitnessOptions = {},
) {
  const store = openStore(data, anchor);
  const witness = new Witness({ store, signers, clock, pending });
  const logger = pino({ level: 'silent' });
  const app = createApp({ witness, metrics: createMetrics(witness), bodies: new ByteBudget(bodyBytes), logger });
  const post = async (path: string, body: string | Uint8Array) =>
    app.request(path, { method: 'POST', body: body as string | Uint8Array<ArrayBuffer> });
  return { data, witness, store, app, add: (body: string | Uint8Array) => post('/add-checkpoint', body), post };
}

/** The store in a folder, made when there is none. */
export function openStore(data: string, anchor: GenerationAnchor = createFileAnchor(join(data, 'generation'))): WitnessStore {
  const path = join(data, 'witness.db');
  try {
    return WitnessStore.open(path, { mode: 'open' }, anchor);
  } catch (error) {
    if ((error as { code?: string }).code !== 'storage/missing') throw error;
    WitnessStore.open(path, { mode: 'create' }, anchor).close();
    return WitnessStore.open(path, { mode: 'open' }, anchor);
  }
}
