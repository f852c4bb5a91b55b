import { z } from 'zod';

/** Everything an operator can set. */
export const configSchema = z.strictObject({
  /** Folder of the store and the keys. */
  data: z.string().min(1),
  listen: z.string().regex(/^.*:\d{1,5}$/, 'reads <host>:<port>'),
  /** First line of the cosignatures; needed when the keys are made. */
  name: z.string().min(1).max(255).optional(),
  /** List of the logs that are cosigned; `logs.txt` in the data folder by default. Read again when it changes. */
  logs: z.string().min(1).optional(),
  /** File that counts the changes of the store, best on another disk. */
  anchor: z.string().min(1).optional(),
  /** A path, `env:NAME` or `pkcs11:...` of the Ed25519 key, when it is not in the data folder. */
  key: z.string().min(1).optional(),
  /** Begin a new store for a key that is not in the data folder, so that nobody can see whether it has cosigned before. */
  create: z.boolean().default(false),
  /** Also keep a full copy of every log. */
  mirror: z.boolean().default(false),
  /** First line of the mirror's cosignatures, another than the witness's; `<name of the witness>/mirror` by default. */
  mirror_name: z.string().min(1).max(255).optional(),
  /** Connections, requests that wait for the store, and bytes of bodies under way; uploads to the mirror have as many again. */
  connections: z.int().min(1).default(2000),
  pending: z.int().min(1).default(1024),
  body_bytes: z
    .int()
    .min(1024)
    .default(128 * 1024 * 1024),
  log_level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** The settings of a witness. */
export type WitnessConfig = z.infer<typeof configSchema>;
