/** A row of the table in README.md: a subject of a benchmark, and its figures; the first one is compared with the rival's. */
interface ReadmeRow {
  readonly what: string;
  readonly benchmark: string;
  readonly subject: string;
  readonly figures: readonly [string, ...string[]];
}

/** What a reader wants to know first. */
export const README_ROWS: readonly ReadmeRow[] = [
  {
    what: 'tree of 10 million leaves, one thread',
    benchmark: 'tree-build',
    subject: 'nodeHasher (WebAssembly SIMD), 10 M',
    figures: ['nodes/s'],
  },
  {
    what: 'the same, two threads',
    benchmark: 'tree-build',
    subject: 'TreePool, two threads, 10 M',
    figures: ['nodes/s'],
  },
  {
    what: 'append: durable, each with an inclusion proof',
    benchmark: 'append',
    subject: 'sequencer, 4,096 in flight',
    figures: ['entries/s'],
  },
  {
    what: 'HTTP submit, 64 connections: verified, durable, proof and receipt',
    benchmark: 'http-submit',
    subject: 'log, 64 conn.',
    figures: ['entries/s', 'p99 ms'],
  },
  {
    what: 'HTTP submit in batches of 256',
    benchmark: 'http-batch',
    subject: 'log, batches of 256',
    figures: ['entries/s'],
  },
  {
    what: 'inclusion proof over HTTP',
    benchmark: 'http-read',
    subject: 'log, inclusion proof',
    figures: ['requests/s', 'p99 ms'],
  },
  {
    what: 'append to a tree of 2^40 leaves',
    benchmark: 'growth',
    subject: '2^40 leaves',
    figures: ['append µs/entry'],
  },
  {
    what: 'offline verification of a proof file',
    benchmark: 'verify',
    subject: 'proof files',
    figures: ['ms/record'],
  },
];
