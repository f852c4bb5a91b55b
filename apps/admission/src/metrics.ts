import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PermitBook } from './permit-book.js';

/** The webhook's Prometheus metrics, in a registry of their own. */
export function createMetrics(book: PermitBook | undefined, expires: () => number | undefined) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const decisions = new Counter({
    name: 'treering_admission_decisions_total',
    help: 'Requests decided, by outcome: allowed, or why it was refused',
    labelNames: ['outcome'],
    registers,
  });
  if (book !== undefined)
    new Gauge({
      name: 'treering_admission_permits',
      help: 'Permits in the folder; 0 while it cannot be read',
      registers,
      collect() {
        this.set(book.size);
      },
    });
  new Gauge({
    name: 'treering_admission_certificate_expires_seconds',
    help: 'When the certificate expires, in seconds since the epoch',
    registers,
    collect() {
      const time = expires();
      if (time !== undefined) this.set(time);
    },
  });
  const requests = new Histogram({
    name: 'treering_http_request_seconds',
    help: 'Time to answer, by route and status',
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers,
  });
  return { registry, decisions, requests };
}

/** What `createMetrics` returns. */
export type AdmissionMetrics = ReturnType<typeof createMetrics>;
