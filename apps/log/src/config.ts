import { MAX_STATEMENT_SIZE } from '@treering/statement';
import { z } from 'zod';

const MIB = 1024 * 1024;

/** The store keeps an attachment in one row, and the driver takes none of 512 MiB. */
const LONGEST_ATTACHMENT = 511 * MIB;

/** How a log is run. Every member has a default but the folder. */
export const configSchema = z.strictObject({
  /** Folder with the store, the keys and the head anchor. */
  data: z.string().min(1),
  /** Where to listen: `<address>:<port>`; without an address on loopback; port 0 picks a free one. */
  listen: z
    .string()
    .regex(/^(?:\[[0-9a-fA-F:]+\]|[^:\s]*):[0-9]{1,5}$/, 'must be <address>:<port>')
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'must have a port up to 65535')
    .default('127.0.0.1:6962'),
  /** Where the head anchor lies; best on another disk than the data. Default: `anchor/head` in the data folder. */
  anchor: z.string().min(1).optional(),
  /** The URL under which clients reach the log; used in what it answers. Default: what it listens on. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** Where the log's keys are: a path, `env:NAME` or `pkcs11:...`. Default: in the data folder. */
  log_key: z.string().min(1).optional(),
  publication_key: z.string().min(1).optional(),
  /** The registrar's key, which enrols people and pipelines by their OIDC tokens. Without it nobody is enrolled that way. */
  registrar_key: z.string().min(1).optional(),
  /** A trust policy that names the witnesses of this log, where they are, and the quorum without which nothing is published. */
  witnesses: z.string().min(1).optional(),
  /** Milliseconds for one round of witnesses. */
  witness_timeout: z.int().min(100).max(60_000).default(2000),
  /** Milliseconds after which an unchanged head is signed and cosigned anew. */
  refresh_interval: z.int().min(1000).max(86_400_000).default(600_000),
  /** Milliseconds between publications. */
  publish_interval: z.int().min(10).max(3_600_000).default(1000),
  /** Bytes of one attachment. */
  attachment_bytes: z
    .int()
    .min(1024)
    .max(LONGEST_ATTACHMENT, `is at most ${LONGEST_ATTACHMENT}: the store takes no longer attachment`)
    .default(64 * MIB),
  /** Bytes of request bodies under way at once: at least those of one attachment and of the statement that it may come with. */
  body_bytes: z
    .int()
    .min(16 * MIB)
    .default(512 * MIB),
  /**
   * Single submissions that are checked and committed at once. Further ones are answered 503 at once, so that those that were taken are
   * answered soon: what is more than the log can do only makes everybody wait.
   */
  under_way: z.int().min(1).max(100_000).default(128),
  /** What may wait for a commit. */
  pool_entries: z.int().min(1).max(1_000_000).default(16_384),
  pool_bytes: z
    .int()
    .min(65_535)
    .default(128 * 1024 * 1024),
  /** Open connections. For one more, the one that has kept the log waiting for the longest is closed. */
  connections: z.int().min(1).max(100_000).default(2000),
  /** Submissions per second and client address, and how many may come at once; 0 sets no limit. */
  rate: z.int().min(0).default(0),
  burst: z.int().min(1).default(1000),
  /** New statements per second and identity, wherever they come from, and how many may come at once; 0 sets no limit. */
  identity_rate: z.int().min(0).default(0),
  identity_burst: z.int().min(1).default(1000),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** Accept a store whose head anchor is missing. */
  trust_store: z.boolean().default(false),
  /** Serve a log that has ended: without its private keys, and so that nothing is taken, signed or published. */
  read_only: z.boolean().default(false),
});

/** Bytes of a body beside the attachments in it, at most. */
const STATEMENT_ROOM = MAX_STATEMENT_SIZE * 4;

/** A checked configuration. */
export type LogConfig = z.infer<typeof configSchema>;

/** A configuration that cannot be used. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'config/invalid';
}

/**
 * Checks a configuration once, at the start. A member that does not exist is answered with the one that was probably meant.
 * @throws ConfigError
 */
export function parseConfig(value: Readonly<Record<string, unknown>>): LogConfig {
  const known = Object.keys(configSchema.shape);
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw new ConfigError(`there is no setting "${key}"; did you mean "${nearest(key, known)}"?`);
  }
  const result = configSchema.safeParse(value);
  if (result.success) return requireRoom(result.data);
  const [issue] = result.error.issues;
  throw new ConfigError(`the setting "${issue.path.join('.')}" ${issue.message}`);
}

/** An upload that never finds room would be asked to come again for ever. */
function requireRoom(config: LogConfig): LogConfig {
  const { attachment_bytes, body_bytes } = config;
  const needed = attachment_bytes + STATEMENT_ROOM;
  if (body_bytes < needed)
    throw new ConfigError(
      `the setting "body_bytes" is ${body_bytes}, which leaves no room for one upload: set at least ${needed}, or an "attachment_bytes" that is smaller than ${attachment_bytes}`,
    );
  return config;
}

/** Of a word that is longer only the beginning is compared: nobody meant it. */
const LONGEST_WORD = 64;

/** The known word with the smallest edit distance. */
export function nearest(word: string, known: readonly string[]): string {
  const meant = word.slice(0, LONGEST_WORD);
  const distances = new Map(known.map((other) => [other, distance(meant, other)]));
  return [...known].sort((a, b) => (distances.get(a) as number) - (distances.get(b) as number))[0];
}

/** Insertions, removals and replacements of characters that make one word the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
