import { join } from 'node:path';
import type { WitnessConfig } from './config.js';

/** Where things lie in a witness's data folder. */
export interface WitnessFolder {
  readonly store: string;
  /** Ed25519 key (0x04). */
  readonly key: string;
  /** ML-DSA-44 key (0x06). */
  readonly mldsaKey: string;
  /** Keys of the mirror, which is a cosigner of its own. */
  readonly mirrorKey: string;
  readonly mirrorMldsaKey: string;
  /** The mirror's copies, one database for each log. */
  readonly mirrors: string;
  readonly anchor: string;
  readonly logs: string;
}

/** The paths in the folder `data`, with what lies elsewhere if the operator says so. */
export function witnessFolder({ data, anchor, logs }: Pick<WitnessConfig, 'data' | 'anchor' | 'logs'>): WitnessFolder {
  return {
    store: join(data, 'witness.db'),
    key: join(data, 'keys', 'witness.key'),
    mldsaKey: join(data, 'keys', 'witness-mldsa44.key'),
    mirrorKey: join(data, 'keys', 'mirror.key'),
    mirrorMldsaKey: join(data, 'keys', 'mirror-mldsa44.key'),
    mirrors: join(data, 'mirror'),
    anchor: anchor ?? join(data, 'anchor', 'generation'),
    logs: logs ?? join(data, 'logs.txt'),
  };
}
