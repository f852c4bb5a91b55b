import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Mirror } from './mirror.js';
import type { Witness } from './witness.js';

/** The witness's Prometheus metrics, in a registry of their own. */
export function createMetrics(witness: Witness, mirror?: Mirror) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const perLog = (name: string, help: string, value: (origin: string) => number | undefined): void => {
    new Gauge({
      name,
      help,
      labelNames: ['origin'],
      registers,
      collect() {
        for (const origin of witness.store.origins()) {
          const now = value(origin);
          if (now !== undefined) this.set({ origin }, now);
        }
      },
    });
  };
  perLog('treering_witness_size', 'Entries in the tree that was cosigned last', (origin) => {
    const head = witness.store.head(origin);
    return head === undefined ? undefined : Number(head.size);
  });
  perLog('treering_witness_age_seconds', 'Seconds since the last cosignature', (origin) => {
    const head = witness.store.head(origin);
    return head === undefined ? undefined : witness.clock() / 1000 - head.time;
  });
  if (mirror !== undefined) {
    const sizeOf = (origin: string): number => Number(mirror.store.mirrored(origin)?.size ?? 0n);
    perLog('treering_mirror_size', 'Entries in the tree below which the mirror cosigns nothing', sizeOf);
    perLog('treering_mirror_entries', 'Entries that the mirror has stored', (origin) => mirror.copies.entries(origin));
    perLog(
      'treering_mirror_lag',
      'Entries of the tree that the witness cosigned last that the mirror does not serve yet',
      (origin) => {
        const head = witness.store.head(origin);
        return head === undefined ? undefined : Number(head.size - (mirror.head(origin)?.size ?? 0n));
      },
    );
    perLog('treering_mirror_locked', '1 while the copy is not what the mirror cosigned', (origin) =>
      mirror.store.mirrored(origin)?.lost === undefined ? 0 : 1,
    );
  }
  perLog(
    'treering_witness_contradictions',
    'Heads that the log signed and that cannot be true together',
    (origin) => witness.store.contradictions(origin).length,
  );
  new Gauge({
    name: 'treering_witness_locked',
    help: '1 while nothing is cosigned until an operator unlocks the witness',
    registers,
    collect() {
      this.set(witness.store.locked === undefined ? 0 : 1);
    },
  });
  const requests = new Histogram({
    name: 'treering_http_request_seconds',
    help: 'Time to answer, by route and status',
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers,
  });
  return { registry, requests };
}

/** What `createMetrics` returns. */
export type WitnessMetrics = ReturnType<typeof createMetrics>;
