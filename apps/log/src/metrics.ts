import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Log } from './log.js';
import type { WitnessStatus } from './witnesses.js';

/** The log's Prometheus metrics, in a registry of their own. */
export function createMetrics(log: Log) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  };
  gauge('treering_committed_size', 'Entries in the committed tree', () => log.sequencer.head?.size ?? 0);
  gauge('treering_published_size', 'Entries in the published tree', () => log.publisher.published?.size ?? 0);
  gauge('treering_published_age_seconds', 'Seconds since the published checkpoint was made', () => {
    const { published } = log.publisher;
    return published === null ? -1 : (log.clock() - published.time) / 1000;
  });
  gauge('treering_pool_entries', 'Submissions that wait for a commit', () => log.sequencer.waiting);
  gauge('treering_healthy', '1 while the store can take entries; witnesses may stand against it', () =>
    log.sequencer.trouble === undefined ? 1 : 0,
  );
  const perWitness = (name: string, help: string, value: (status: WitnessStatus) => number | null): void => {
    new Gauge({
      name,
      help,
      labelNames: ['witness'],
      registers,
      collect() {
        for (const status of log.witnesses?.status() ?? []) {
          const now = value(status);
          if (now !== null) this.set({ witness: status.name }, now);
        }
      },
    });
  };
  perWitness('treering_witness_lag', 'Entries that the log has and the witness has not cosigned', ({ size }) =>
    size === null ? null : (log.sequencer.head?.size ?? 0) - size,
  );
  perWitness('treering_witness_age_seconds', 'Seconds since the witness cosigned last', ({ time }) =>
    time === null ? null : (log.clock() - time) / 1000,
  );
  perWitness('treering_witness_answers', '1 when the witness cosigned the last time that it was asked', ({ trouble, time }) =>
    trouble === null && time !== null ? 1 : 0,
  );
  gauge('treering_contradicted', '1 while witnesses without which there is no quorum contradict this log', () =>
    log.witnesses?.objection === undefined ? 0 : 1,
  );
  gauge('treering_awaits_witnesses', '1 while nothing is logged because too few witnesses have answered since the start', () =>
    log.witnesses?.silence === undefined ? 0 : 1,
  );
  const commits = new Counter({ name: 'treering_commits_total', help: 'Commits', registers });
  const batch = new Histogram({
    name: 'treering_commit_entries',
    help: 'Entries in a commit',
    buckets: [1, 4, 16, 64, 256, 1024, 4096],
    registers,
  });
  log.sequencer.onCommit((_, entries) => {
    if (entries.length === 0) return;
    commits.inc();
    batch.observe(entries.length);
  });
  const submissions = new Counter({
    name: 'treering_submissions_total',
    help: 'Submissions by outcome',
    labelNames: ['outcome'],
    registers,
  });
  const requests = new Histogram({
    name: 'treering_http_request_seconds',
    help: 'Time to answer, by route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers,
  });
  return { registry, submissions, requests };
}

/** What `createMetrics` returns. */
export type Metrics = ReturnType<typeof createMetrics>;
