import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { NoteError, parsePolicy, parseVerifierKey, type VerifierKey } from '@treering/note';
import { parse } from 'yaml';
import { z } from 'zod';
import type { WatchedLogConfig } from './log-config.js';

/** What is fetched. A password in it would be shown to everybody who asks what the monitor follows, and `fetch` refuses it. */
const url = z
  .url({ protocol: /^https?$/ })
  .refine(
    (text) => URL.canParse(text) && new URL(text).username + new URL(text).password === '',
    'must hold no user and no password',
  );

const logSchema = z.strictObject({
  /** Verifier keys of one log; all have one name, its origin. */
  keys: z.array(z.string()).min(1).max(16),
  /** First line of its heads, for a log whose keys have another name. */
  origin: z.string().min(1).max(255).optional(),
  /** Prefix of its tiles. */
  url,
  /** A trust policy (https://c2sp.org/tlog-policy) that names witnesses and quorum; a path from the folder of this file. */
  policy: z.string().min(1).optional(),
  /** Whether its entries are Treering's statements: their admission is decided again. */
  audit: z.boolean().default(true),
  /** Seconds after which a head is old. */
  stale_after: z.int().min(1).default(1800),
  /** Seconds in which an announced deployment has to come to something. */
  deploy_within: z.int().min(1).default(3600),
  /** Seconds before the report on an incident is due in which it is an alarm; 0 waits until it is late. */
  remind_before: z.int().min(0).default(172_800),
});

/** The file that says what a monitor follows and whom it tells. */
const fileSchema = z.strictObject({
  /** The monitor's name, for a new key. */
  name: z.string().min(1).max(255).optional(),
  listen: z
    .string()
    .regex(/^.*:\d{1,5}$/, 'reads <host>:<port>')
    .default('127.0.0.1:6970'),
  /** Seconds between two polls. */
  interval: z.number().min(0.1).max(86_400).default(10),
  logs: z.array(logSchema).min(1).max(1000),
  /** Other monitors, with which heads are exchanged. */
  peers: z.array(url).max(100).default([]),
  /** Who is told of alarms. */
  webhooks: z.array(url).max(16).default([]),
  /** Where its key is, when not in the data folder: a path, `env:NAME` or `pkcs11:...`. */
  key: z.string().min(1).optional(),
  connections: z.int().min(1).default(1000),
  body_bytes: z
    .int()
    .min(1024 * 1024)
    .default(32 * 1024 * 1024),
  /** Milliseconds for one request to a log, a witness, a peer or a webhook. */
  timeout: z.int().min(100).default(10_000),
  log_level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** A monitor's settings, checked, with the logs that it follows. */
export interface MonitorConfig extends Omit<z.infer<typeof fileSchema>, 'logs'> {
  readonly logs: readonly WatchedLogConfig[];
}

/** Settings that cannot be used. */
export class MonitorConfigError extends Error {
  override readonly name = 'MonitorConfigError';
  readonly code = 'config/invalid';
}

/**
 * Reads a monitor's file.
 * @throws MonitorConfigError that says what is wrong with it
 */
export async function readConfig(path: string): Promise<MonitorConfig> {
  return parseConfig(await readFile(path, 'utf8'), (file) => readFile(resolve(dirname(path), file), 'utf8'));
}

/**
 * Reads the text of a monitor's file.
 * @param read gives the text of a file that it names
 * @throws MonitorConfigError
 */
export async function parseConfig(text: string, read: (path: string) => Promise<string>): Promise<MonitorConfig> {
  let value: unknown;
  try {
    value = parse(text, { logLevel: 'error' });
  } catch (error) {
    // An alias of nothing, or too many of them, is no error of the syntax.
    throw new MonitorConfigError(`this is no YAML: ${(error as Error).message}`);
  }
  const result = fileSchema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new MonitorConfigError(`${issue.path.join('.') || 'the file'}: ${issue.message}`);
  }
  const logs: WatchedLogConfig[] = [];
  for (const [i, log] of result.data.logs.entries()) logs.push(await watched(log, `logs.${i}`, read));
  const origins = logs.map(({ origin }) => origin);
  const twice = origins.find((origin, i) => origins.indexOf(origin) !== i);
  if (twice !== undefined)
    throw new MonitorConfigError(`the log ${twice} stands there twice; one log has all its keys in one place`);
  return { ...result.data, logs };
}

async function watched(
  log: z.infer<typeof logSchema>,
  where: string,
  read: (path: string) => Promise<string>,
): Promise<WatchedLogConfig> {
  try {
    const keys: VerifierKey[] = log.keys.map(parseVerifierKey);
    const origin = log.origin ?? keys[0].name;
    if (log.origin === undefined && keys.some(({ name }) => name !== origin))
      throw new MonitorConfigError(`${where}.keys: the keys of one log have one name, its origin`);
    const policyText = log.policy === undefined ? undefined : await read(log.policy);
    return {
      origin,
      keys,
      url: log.url,
      policy: policyText === undefined ? undefined : parsePolicy(policyText),
      policyText,
      audit: log.audit,
      staleAfter: log.stale_after,
      deployWithin: log.deploy_within,
      remindBefore: log.remind_before,
    };
  } catch (error) {
    if (error instanceof NoteError) throw new MonitorConfigError(`${where}: ${error.message}`);
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new MonitorConfigError(`${where}.policy: ${(error as Error).message}`);
    throw error;
  }
}
