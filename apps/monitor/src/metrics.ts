import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Monitor } from './monitor.js';

/** Every kind of alarm, so that each has a series from the start. */
const ALARM_KINDS = [
  'fork',
  'rollback',
  'stale',
  'unwitnessed',
  'unauthorised',
  'bad-entry',
  'undeployed',
  'mismatch',
  'drift',
  'break-glass',
  'incident-due',
] as const;

/** The monitor's Prometheus metrics, in a registry of their own. */
export function createMetrics(monitor: Monitor) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const perLog = (name: string, help: string, value: (status: Status) => number | null): void => {
    new Gauge({
      name,
      help,
      labelNames: ['origin'],
      registers,
      collect() {
        for (const log of monitor.logs) {
          const status = log.status();
          const now = value(status);
          if (now !== null) this.set({ origin: status.origin }, now);
        }
      },
    });
  };
  perLog('treering_monitor_size', 'Entries in the tree that was followed last', ({ size }) => size);
  perLog('treering_monitor_audited', 'Entries whose admission was decided again', ({ audited }) => audited);
  perLog('treering_monitor_head_age_seconds', 'Seconds since the head that the log gives out was signed', ({ signed_at }) =>
    signed_at === null ? null : monitor.clock() / 1000 - signed_at,
  );
  perLog('treering_monitor_shown_heads', 'Heads that others show and that were not compared yet', ({ shown }) => shown);
  perLog('treering_monitor_reachable', '1 when the log could be read in the last poll', ({ trouble }) =>
    trouble === null ? 1 : 0,
  );
  new Gauge({
    name: 'treering_monitor_alarms',
    help: 'Open alarms',
    labelNames: ['origin', 'kind'],
    registers,
    collect() {
      for (const { config } of monitor.logs) for (const kind of ALARM_KINDS) this.set({ origin: config.origin, kind }, 0);
      const followed = new Set(monitor.logs.map(({ config }) => config.origin));
      for (const { origin, kind, count } of monitor.store.openCounts())
        if (followed.has(origin)) this.set({ origin, kind }, count);
    },
  });
  new Gauge({
    name: 'treering_monitor_undelivered',
    help: 'What webhooks still have to be told',
    registers,
    collect() {
      this.set(monitor.store.deliveries.size);
    },
  });
  new Gauge({
    name: 'treering_monitor_suppressed',
    help: 'Alarms that were not opened because too many are open',
    registers,
    collect() {
      this.set(monitor.alarms.suppressed);
    },
  });
  const gossip = new Counter({
    name: 'treering_monitor_gossip_total',
    help: 'Heads that others showed, by what came of them',
    labelNames: ['outcome'],
    registers,
  });
  const requests = new Histogram({
    name: 'treering_http_request_seconds',
    help: 'Time to answer, by route and status',
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers,
  });
  return { registry, gossip, requests };
}

type Status = ReturnType<Monitor['logs'][number]['status']>;

/** What `createMetrics` returns. */
export type MonitorMetrics = ReturnType<typeof createMetrics>;
